"""From a NIR graph to a float network.

Between neurons a graph is linear: the input of a neuron node is a sum of spike trains, each through
a chain of maps and delays, plus constants. The output of every node is such a `Signal`: a map
transforms it (`importer.maps`), and a neuron node starts a new one. Finally the input of each
neuron node becomes its connections and its bias.

A connection that closes a cycle without delay takes a step (`importer.cycles`).
"""

import dataclasses
import heapq
import math
import os
import warnings
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import nir
import numpy as np

from spikeloom.golden.checks import MAX_SIZE
from spikeloom.golden.errors import SpikeloomError, SpikeloomWarning
from spikeloom.golden.network import MAX_DELAY
from spikeloom.golden.progress import task
from spikeloom.golden.spec import Reset
from spikeloom.importer.assumptions import Assumption, assumptions
from spikeloom.importer.cycles import closing
from spikeloom.importer.dialect import Dialect
from spikeloom.importer.dialects import EVERY_OTHER, resolve
from spikeloom.importer.float_network import (
    AnyFloatConnection,
    FloatConnection,
    FloatInput,
    FloatNetwork,
    FloatPopulation,
    levels,
)
from spikeloom.importer.graph import Port, Wiring, names, read, wiring
from spikeloom.importer.images import Link, choose_images, connections
from spikeloom.importer.inputs import input_dimensions, input_shape
from spikeloom.importer.linear_maps import (
    Diagonal,
    Floats,
    Kernel,
    Linear,
    Map,
    Operation,
    Permute,
    Scale,
    by_channel,
    matrix_size,
)
from spikeloom.importer.maps import MAPS, delay_steps
from spikeloom.importer.neurons import NEURONS, at_threshold, own_shape, reset_timing
from spikeloom.importer.node import Node, Shape
from spikeloom.importer.signals import Signal
from spikeloom.importer.stated import check_stated

MAX_SYNAPSES = 1 << 28
"""Maximum weights of one connection: all that the largest tile could hold."""


def load_nir(
    source: "str | os.PathLike[str] | nir.NIRGraph",
    dialect: str | Dialect = "nir",
    **options: Any,
) -> FloatNetwork:
    """Import a NIR graph.

    Names of nodes become the names of inputs and populations; in nested graphs they are
    "graph.node". The result does not depend on the order of nodes or edges. Loading a file never
    executes anything in it. Each of the network's `warnings` is a `SpikeloomWarning`, too.

    Parameters
    ----------
    source
        A file, or a graph already in memory (which is left as it is).
    dialect
        "nir", "snntorch", "norse", "sinabs", "lava", "rockpool" or "spyx", or a `Dialect` record.
    **options
        Fields of `Dialect` that override the dialect's, such as dt, reset or compare. None leaves
        the dialect's. What neuron nodes may have one by one (`OF_NODES`) can be a mapping from
        names of nodes, or of nested graphs, to values, with "*" for all others.

    Raises
    ------
    SpikeloomError
        The file cannot be read, or the graph cannot be mapped without loss. The message names the
        node and the remedy.
    """
    meaning = resolve(dialect, **options)
    given = {
        option
        for option, value in options.items()
        if value is not None and (not isinstance(value, Mapping) or EVERY_OTHER in value)
    }
    if isinstance(dialect, Dialect):
        given |= {field.name for field in dataclasses.fields(Dialect)}
    with task("importing", 3) as step:
        graph = read(source)
        step.done(1)
        flat = wiring(graph, meaning.loop_entry == "neuron")
        step.done(2)
        # A number beyond float64 is refused as the infinite weight or bias that it becomes.
        with np.errstate(over="ignore", invalid="ignore"):
            network = _Importer(meaning, flat, given).network()
    for warning in network.warnings:
        warnings.warn(warning, SpikeloomWarning, stacklevel=2)
    return network


class _Importer:
    """Finds the signal behind every node, then makes the network of them."""

    def __init__(self, dialect: Dialect, flat: Wiring, given: Collection[str]) -> None:
        self.dialect = dialect
        self.given = given
        self.used: set[str] = set(flat.used)
        self.assumptions: list[Assumption] = []
        self.warnings: list[str] = list(flat.warnings)
        self.sources = flat.sources
        self.thresholds = {n: self._node(*pair, n) for n, pair in flat.thresholds.items()}
        self.nodes = {name: self._node(name, node) for name, node in flat.nodes.items()}
        self.ports = {n: node.end for n, node in flat.nodes.items() if isinstance(node, Port)}
        self.neurons = sorted(n for n, node in flat.nodes.items() if type(node) in NEURONS)
        self.signals: dict[str, Signal] = {}
        self.gains: dict[str, Floats] = {}
        """Gain of the input of each neuron node."""
        self.ignored: list[str] = []
        """Neuron nodes of which the framework does not read v_reset."""
        check_stated(dialect, {name: self._parts(name) for name in self.neurons})

    def _node(self, name: str, node: Any, neuron: str | None = None) -> Node:
        """A node with its options: those of a neuron node, where it joins one."""
        inner = node.node if isinstance(node, Port) else node
        options = neuron or name
        stated = self.dialect.stated(options)
        return Node(name, inner, self.dialect.of(options), self.used, self.warnings, stated)

    def _parts(self, name: str) -> list[Node]:
        """A neuron node, and a Threshold that joins it."""
        return [nodes[name] for nodes in (self.nodes, self.thresholds) if name in nodes]

    def network(self) -> FloatNetwork:
        """The network of all nodes."""
        self._spread()
        inputs = [
            FloatInput(name, math.prod(self.signals[name].shape))
            for name in sorted(self.nodes)
            if self._is(name, nir.Input)
        ]
        populations = {}
        links = []
        for name in self.neurons:
            populations[name], signal = self._population(name)
            links += [
                Link(source, name, self._delay(source, delay), self._imaged(source, maps))
                for (source, delay), maps in sorted(signal.terms.items(), key=lambda t: t[0])
            ]
        for link in links:
            if link.source in populations and not populations[link.source].spiking:
                self.nodes[link.target].refuse(
                    f"it is driven by the {self.nodes[link.source].kind} node {link.source!r}, "
                    "which sends no spikes; make that an LIF or IF node, or an output"
                )
        loops = {link.source for link in links if link.source == link.target}
        for name, population in populations.items():
            populations[name] = reset_timing(self.nodes[name], population, name in loops)
        closes = closing(links, [node.name for node in inputs])
        if any(closes):
            self.used.add("recurrent_delay")
        later = self._later_biases(populations, links, closes)
        links = [
            self._check_delay(self._recurrent(link) if recurrent else link)
            for link, recurrent in zip(links, closes, strict=True)
        ]
        images = choose_images(links)
        imaged = [
            dataclasses.replace(population, image=images.get(name))
            for name, population in populations.items()
        ]
        joined: list[AnyFloatConnection] = [*connections(links, images, self._check_matrix)]
        if later:
            starter = self._starter()
            imaged.append(starter)
            joined += [
                FloatConnection(starter.name, name, bias[np.newaxis], 1)
                for name, bias in later.items()
            ]
        network = FloatNetwork(
            tuple(dataclasses.replace(node, image=images.get(node.name)) for node in inputs),
            tuple(imaged),
            tuple(joined),
            tuple(self._outputs()),
            self._dialect(),
            (*self.assumptions, *assumptions(self.dialect, self.used, self.given)),
            tuple(self.warnings),
        )
        depth = levels(network)
        in_order = sorted(network.populations, key=lambda p: (depth[p.name], p.name))
        return dataclasses.replace(network, populations=tuple(in_order))

    def _later_biases(
        self,
        populations: dict[str, FloatPopulation],
        links: list[Link],
        closes: list[bool],
    ) -> dict[str, Floats]:
        """The biases of recurrent connections, by target, taken out of the populations.

        None where they act from the first step on.
        """
        recurrent = {
            (link.source, link.target) for link, is_so in zip(links, closes, strict=True) if is_so
        }
        later = {}
        for name in sorted({target for _, target in recurrent}):
            parts = [self.signals[source] for source in self.sources[name]]
            biases = [
                part.bias
                for part in parts
                if part.terms and all((source, name) in recurrent for source in part.sources)
            ]
            total = sum(biases, np.zeros(populations[name].size))
            if not total.any() or not self.nodes[name].option("recurrent_bias_from"):
                continue
            later[name] = total * self.gains[name]
            bias = populations[name].bias - later[name]
            populations[name] = dataclasses.replace(populations[name], bias=bias)
        return later

    def _starter(self) -> FloatPopulation:
        """A neuron that spikes in every step, and so brings a bias one step late."""
        name = "from step 1"
        while name in self.nodes:
            name += "'"
        return FloatPopulation(name, 1, np.ones(1), decay=1.0, threshold=0.5, reset=Reset.NONE)

    def _is(self, name: str, kind: type) -> bool:
        return name not in self.ports and isinstance(self.nodes[name].node, kind)

    # Signals.

    def _spread(self) -> None:
        """Find the signal behind every node that something follows."""
        following: dict[str, list[str]] = {name: [] for name in self.nodes}
        for name, feeding in self.sources.items():
            for source in feeding:
                following[source].append(name)
        ready = [name for name in self.nodes if self._is(name, nir.Input)]
        ready += [name for name in self.neurons if own_shape(self.nodes[name]) is not None]
        heapq.heapify(ready)
        while ready:
            name = heapq.heappop(ready)
            if name in self.signals or self._is(name, nir.Output):
                continue
            self.signals[name] = self._signal(name)
            for after in following[name]:
                waits = any(source not in self.signals for source in self.sources[after])
                if after not in self.signals and (after in self.neurons or not waits):
                    heapq.heappush(ready, after)
        missing = sorted(name for name in self.nodes if not self._reached(name))
        if missing:
            self._refuse_cycle(missing)

    def _reached(self, name: str) -> bool:
        return name in self.signals or self._is(name, nir.Output)

    def _refuse_cycle(self, missing: list[str]) -> None:
        """Some nodes wait for each other, so no neuron with a known shape is between them."""
        path = [missing[0]]
        while path.count(path[-1]) < 2:
            path.append(next(s for s in self.sources[path[-1]] if s not in self.signals))
        cycle = path[path.index(path[-1]) :][::-1]
        raise SpikeloomError(
            f"nodes {' -> '.join(repr(name) for name in cycle)}: they form a cycle in which no "
            "neuron node has a known shape; put one between them, or remove an edge"
        )

    def _signal(self, name: str) -> Signal:
        """The output of a node whose sources are there (of a neuron, any of them)."""
        node = self.nodes[name]
        if self._is(name, nir.Input):
            return Signal.spikes_of(name, self._input_shape(node))
        if name in self.neurons:
            known = (self.signals[s].shape for s in self.sources[name] if s in self.signals)
            shape = own_shape(node) or next(known)
            if math.prod(shape) > MAX_SIZE:
                node.refuse(f"it has {math.prod(shape)} neurons, more than {MAX_SIZE}; split it")
            return Signal.spikes_of(name, shape)
        x = self._arriving(name, keeps_order=name in self.ports or _is_dense(node))
        if name in self.ports:
            node.expect(self.ports[name], x.shape)
            return x
        if isinstance(node.node, nir.Delay):
            return x.delayed(delay_steps(node, x.shape))
        step = MAPS[type(node.node)](node, x.shape)
        if step.operation is None:
            return dataclasses.replace(x, shape=step.shape, order=step.order)
        if x.order is not None and isinstance(step.operation, Linear):
            weights = np.empty_like(step.operation.weights)
            weights[:, x.order] = step.operation.weights
            x = dataclasses.replace(x, order=None)
            step = dataclasses.replace(step, operation=Linear(weights))
        assert step.operation is not None
        y = self._through(node, x, step.operation, step.shape)
        return y if step.bias is None else y.plus(step.bias)

    def _input_shape(self, node: Node) -> Shape:
        shape, notes = input_shape(node, self._dimensions(node.name))
        self.assumptions += notes
        return shape

    def _dimensions(self, name: str) -> int | None:
        """Dimensions of the signal that the nodes behind an Input take; None for any."""
        for after, feeding in self.sources.items():
            if name in feeding:
                through = self._dimensions(after) if after in self.ports else None
                dimensions = through or input_dimensions(self.nodes[after])
                if dimensions is not None:
                    return dimensions
        return None

    def _through(self, node: Node, x: Signal, operation: Operation, shape: Shape) -> Signal:
        for (source, _), maps in x.terms.items():
            for one in maps:
                self._check_synapses(node, source, matrix_size(one, operation, math.prod(shape)))
        return x.through(operation, shape)

    def _arriving(self, name: str, keeps_order: bool = False) -> Signal:
        """The sum of the signals into a node, in their own order unless it `keeps_order`."""
        node, sources = self.nodes[name], self.sources[name]
        if len(sources) == 1 and keeps_order:
            return self.signals[sources[0]]
        first, *others = (self._in_order(node, self.signals[source]) for source in sources)
        total = first
        for other in others:
            if other.shape != first.shape:
                shapes = ", ".join(f"{s!r}: {self.signals[s].shape}" for s in sources)
                node.refuse(f"its inputs have different shapes ({shapes}); make them equal")
            for source, maps in other.terms.items():
                kinds = {type(one) for one in (*maps, *total.terms.get(source, ()))}
                if len(kinds) > 1 and Kernel not in kinds:
                    self._check_synapses(node, source[0], maps[0].sources * math.prod(first.shape))
            total = total + other
        return total

    def _in_order(self, node: Node, x: Signal) -> Signal:
        if x.order is None:
            return x
        plain = dataclasses.replace(x, order=None)
        return self._through(node, plain, Permute(x.order), x.shape)

    # Populations and connections.

    def _population(self, name: str) -> tuple[FloatPopulation, Signal]:
        """A population, and its input in the unit of its potential."""
        node, x = self.nodes[name], self._arriving(name)
        shape = self.signals[name].shape
        if x.shape != shape:
            node.refuse(
                f"its parameters have shape {shape}, but its input has shape {x.shape}; "
                "make them equal"
            )
        neurons = NEURONS[type(node.node)](node, shape)
        if name in self.thresholds:
            neurons = at_threshold(neurons, self.thresholds[name], shape)
        self.gains[name] = neurons.gain
        current = self._through(node, x, Scale(neurons.gain), shape)
        bias = neurons.population.bias + current.bias
        if neurons.ignored:
            self.ignored.append(name)
        return dataclasses.replace(neurons.population, bias=bias), current

    def _dialect(self) -> Dialect:
        """The dialect, with the differences of this file."""
        if not self.ignored:
            return self.dialect
        more = len(self.ignored) - 3
        others = f" and {more} more" if more > 0 else ""
        line = (
            f"v_reset of {names(self.ignored[:3])}{others} is not 0 in the file: neither "
            f"{self.dialect.name} nor the import reads it"
        )
        differences = (*self.dialect.differences, line)
        return dataclasses.replace(self.dialect, differences=differences)

    def _delay(self, source: str, delay: int) -> int:
        node = self.nodes[source]
        if self._is(source, nir.Input):
            node.uses("input_delay")
            return delay + node.dialect.input_delay
        node.uses("forward_delay")
        return delay + node.dialect.delay_from(node.kind)

    def _recurrent(self, link: Link) -> Link:
        return dataclasses.replace(link, delay=self.dialect.recurrent_delay)

    def _imaged(self, source: str, maps: tuple[Map, ...]) -> tuple[Map, ...]:
        """Maps in which a diagonal of an image is a kernel where its matrix would be too large."""
        shape = self.signals[source].shape
        if len(shape) != 3 or math.prod(shape) ** 2 <= MAX_SYNAPSES:
            return maps
        image = shape[0], shape[1], shape[2]

        def imaged(term: Map) -> Map:
            gains = by_channel(term.gains, image) if isinstance(term, Diagonal) else None
            return term if gains is None else Kernel.pointwise(image, gains)

        return tuple(imaged(term) for term in maps)

    def _check_delay(self, link: Link) -> Link:
        if link.delay > MAX_DELAY:
            self.nodes[link.target].refuse(
                f"its input from {link.source!r} is {link.delay} steps late, and a connection "
                f"has a delay of at most {MAX_DELAY}; make dt larger or the delay shorter"
            )
        return link

    def _check_matrix(self, link: Link) -> None:
        size = math.prod(self.signals[link.target].shape)
        self._check_synapses(self.nodes[link.target], link.source, link.maps[0].sources * size)

    def _check_synapses(self, node: Node, source: str, synapses: int) -> None:
        if synapses > MAX_SYNAPSES:
            node.refuse(
                f"its connection from {source!r} has {synapses} weights, more than {MAX_SYNAPSES}; "
                "make the layers smaller"
            )

    def _outputs(self) -> Iterable[tuple[str, str]]:
        for name in sorted(self.nodes):
            if not self._is(name, nir.Output):
                continue
            node, [before, *others] = self.nodes[name], self.sources[name]
            signal = self._in_order(node, self.signals[before])
            source = None if others else signal.unchanged_source()
            if source is None or source not in self.neurons:
                node.refuse(
                    f"its input from {names(self.sources[name])} is not the output of one "
                    "neuron node; add an LI or IF node before it, or remove an edge that an "
                    "exporter added for a skip connection"
                )
            node.expect("output", signal.shape)
            yield name, source


def _is_dense(node: Node) -> bool:
    return isinstance(node.node, (nir.Linear, nir.Affine)) and node.array("weight").ndim == 2
