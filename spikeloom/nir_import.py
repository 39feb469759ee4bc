"""From a NIR graph to a float network.

Between neurons a graph is linear: what arrives at a neuron node is a sum of spike trains, each
through a chain of maps, plus constants. Walking the graph in topological order, every node gets
its output as such a `_Signal`; a map makes a new one from it, and a neuron node turns what arrives
into connections and a bias and starts a new one. A further node type is one more entry in `_MAPS`
or `_NEURONS`.

Equations, for a time step dt (forward Euler; see `spikeloom.dialect` for what frameworks choose):

    LIF, LI   v += dt / tau * (v_leak - v + r * I)    decay dt / tau, gain r * dt / tau, and the
                                                      leak potential as a bias v_leak * dt / tau
    IF        v += dt * r * I                         decay 0, gain r * dt (or r)
"""

import dataclasses
import graphlib
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import nir
import numpy as np

from golden.errors import SpikeloomError
from golden.spec import Reset
from spikeloom.dialect import Compare, Dialect, ResetName, resolve
from spikeloom.float_network import (
    FloatConnection,
    FloatInput,
    FloatNetwork,
    FloatPopulation,
    Floats,
)

MAX_SIZE = 1 << 16
"""Most axons of an input and neurons of a population that the hardware can address."""
MAX_SYNAPSES = 1 << 28
"""Most weights of one connection: all that the largest tile could hold."""
ROUNDING = 1e-6
"""Relative difference that storing time constants as float32 can make."""


def load_nir(
    source: "str | os.PathLike[str] | nir.NIRGraph",
    dialect: str | Dialect = "nir",
    *,
    dt: float | None = None,
    reset: ResetName | None = None,
    compare: Compare | None = None,
) -> FloatNetwork:
    """Import a feed-forward NIR graph.

    Its nodes may be Input, Output, Affine, Linear, Scale, Flatten, LIF, IF and LI. Their names
    become the names of inputs and populations. The result does not depend on the order of nodes or
    edges. Loading a file never executes anything in it.

    Parameters
    ----------
    source
        A file, or a graph already in memory (which is left as it is).
    dialect
        "nir", "snntorch" or "norse", or a `Dialect` record.
    dt, reset, compare
        As in `Dialect`; they override the dialect's.

    Raises
    ------
    SpikeloomError
        The file cannot be read, or the graph cannot be mapped without loss. The message names the
        node and the remedy.
    """
    meaning = resolve(dialect, dt, reset, compare)
    graph = source if isinstance(source, nir.NIRGraph) else _read(source)
    nodes, sources = _wiring(graph)
    importer = _Importer(meaning)
    # Numbers beyond float64 are found where they end up, in a weight or a bias that is not finite.
    with np.errstate(over="ignore", invalid="ignore"):
        for name in _order(sources):
            importer.add(name, nodes[name], sources[name])
    return importer.network()


@dataclass(frozen=True)
class _Signal:
    """What flows along an edge in one step: bias + sum over sources of (its spikes) @ matrix.

    Parameters
    ----------
    shape
        Shape of the signal; all else is flattened in C order, to `size` elements.
    terms
        Per source a matrix of shape (size of source, size); a 1-D array is a diagonal matrix.
    bias
        Shape (size,).
    """

    shape: tuple[int, ...]
    terms: dict[str, Floats]
    bias: Floats

    @classmethod
    def spikes_of(cls, name: str, shape: tuple[int, ...]) -> "_Signal":
        size = math.prod(shape)
        return cls(shape, {name: np.ones(size)}, np.zeros(size))

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def scaled(self, gain: Floats) -> "_Signal":
        terms = {name: matrix * gain for name, matrix in self.terms.items()}
        return _Signal(self.shape, terms, self.bias * gain)

    def through(self, weight: Floats) -> "_Signal":
        """The signal after y = weight @ x."""
        terms = {
            name: matrix[:, np.newaxis] * weight.T if matrix.ndim == 1 else matrix @ weight.T
            for name, matrix in self.terms.items()
        }
        return _Signal((len(weight),), terms, weight @ self.bias)

    def plus(self, bias: Floats) -> "_Signal":
        return dataclasses.replace(self, bias=self.bias + bias)

    def __add__(self, other: "_Signal") -> "_Signal":
        terms = dict(self.terms)
        for name, matrix in other.terms.items():
            if name not in terms:
                terms[name] = matrix
            elif terms[name].ndim == matrix.ndim:
                terms[name] = terms[name] + matrix
            else:
                terms[name] = _dense(terms[name]) + _dense(matrix)
        return _Signal(self.shape, terms, self.bias + other.bias)

    def unchanged_source(self) -> str | None:
        """The one source whose spikes this signal is, or None where it is anything more."""
        if len(self.terms) != 1 or self.bias.any():
            return None
        [(name, matrix)] = self.terms.items()
        return name if matrix.ndim == 1 and (matrix == 1).all() else None


def _dense(matrix: Floats) -> Floats:
    return np.diag(matrix) if matrix.ndim == 1 else matrix


@dataclass(frozen=True)
class _Node:
    """A node, and access to its parameters that checks them."""

    name: str
    node: Any
    dialect: Dialect

    def refuse(self, problem: str) -> NoReturn:
        raise SpikeloomError(f"node {self.name!r} ({type(self.node).__name__}): {problem}")

    def array(self, parameter: str) -> Floats:
        """A parameter as finite float64 numbers, of whatever shape."""
        value = getattr(self.node, parameter, None)
        try:
            values = np.asarray(value)
        except (TypeError, ValueError, RuntimeError):
            values = np.asarray(None)
        if values.dtype.kind not in "biuf":
            self.refuse(f"{parameter} must be an array of numbers, not {_brief(value)}")
        values = values.astype(np.float64)
        if not np.isfinite(values).all():
            self.refuse(f"{parameter} has NaN or infinite elements; export the network again")
        return values

    def each(self, parameter: str, shape: tuple[int, ...]) -> Floats:
        """A parameter of every element of a signal of `shape`, flattened; a scalar is repeated."""
        values = self.array(parameter)
        if values.size != 1 and values.shape != shape:
            self.refuse(
                f"{parameter} has shape {values.shape}, but what arrives has shape {shape}; "
                "make them equal"
            )
        for name, expected in self.dialect.fixed:
            if name == parameter and (values != expected).any():
                self.refuse(
                    f"{parameter} must be {expected:g}, the only value {self.dialect.name} knows; "
                    'set it so, or import with dialect="nir" and a dt'
                )
        return np.broadcast_to(values.reshape(-1), math.prod(shape))

    def one(self, parameter: str, shape: tuple[int, ...]) -> float:
        """A parameter that all neurons share."""
        values = self.each(parameter, shape)
        low, high = float(values.min()), float(values.max())
        if low != high:
            self.refuse(
                f"{parameter} differs between neurons ({low:g}..{high:g}), and the hardware keeps "
                "one for a population; make it uniform, or use one node per value"
            )
        return low

    def declared_shape(self, end: str) -> tuple[int, ...] | None:
        """The shape that the node declares for its "input" or "output", if it does."""
        types = getattr(self.node, f"{end}_type", None)
        declared = types.get(end) if isinstance(types, dict) else types
        if declared is None:
            return None
        try:
            sizes = np.asarray(declared)
        except (TypeError, ValueError, RuntimeError):
            sizes = np.asarray(None)
        if sizes.size == 0:
            return ()
        if sizes.ndim > 1 or sizes.dtype.kind not in "iuf" or not (sizes % 1 == 0).all():
            self.refuse(f"its shape must be integers, not {_brief(declared)}")
        if sizes.min() < 1:
            self.refuse(f"its shape must be positive, not {_brief(declared)}")
        return tuple(int(size) for size in sizes.reshape(-1))

    def integer(self, parameter: str) -> int:
        value = self.array(parameter)
        if value.size != 1 or value.item() % 1:
            self.refuse(f"{parameter} must be an integer, not {_brief(value)}")
        return int(value.item())

    def time_step(self) -> float:
        if self.dialect.dt is None:
            self.refuse("its meaning depends on the time step, which NIR does not store; pass dt=")
        return self.dialect.dt

    def decay(self, shape: tuple[int, ...]) -> float:
        """Fraction forgotten per step, dt / tau."""
        tau, dt = self.one("tau", shape), self.time_step()
        if tau <= 0:
            self.refuse(f"tau must be positive, not {tau:g}; an IF node has no leak")
        decay = dt / tau
        if decay > 1 + ROUNDING:
            self.refuse(f"tau ({tau:g}) is shorter than dt ({dt:g}); pass a dt of at most tau")
        return min(decay, 1.0)

    def gain(self, per_step: float, shape: tuple[int, ...]) -> Floats:
        """Gain r * `per_step`; exporters choose r to make it 1, which float32 gives only nearly."""
        gain = self.each("r", shape) * per_step
        return np.where(np.abs(gain - 1) <= ROUNDING, 1.0, gain)


# Maps: what a node without state makes of a signal.


def _linear(node: _Node, x: _Signal) -> _Signal:
    weight = node.array("weight")
    if weight.ndim != 2:
        node.refuse(f"weight must have 2 dimensions (out, in), not shape {weight.shape}")
    if x.shape != weight.shape[1:]:
        node.refuse(
            f"weight has shape {weight.shape} (out, in), but what arrives has shape {x.shape}; "
            "make them agree, or put a Flatten (start_dim=0) before it"
        )
    if not 1 <= len(weight) <= MAX_SIZE:
        node.refuse(f"it has {len(weight)} outputs, outside 1..{MAX_SIZE}; split it")
    for source, matrix in x.terms.items():
        _check_synapses(node, source, len(matrix) * len(weight))
    return x.through(weight)


def _affine(node: _Node, x: _Signal) -> _Signal:
    y = _linear(node, x)
    return y.plus(node.each("bias", y.shape))


def _scale(node: _Node, x: _Signal) -> _Signal:
    return x.scaled(node.each("scale", x.shape))


def _flatten(node: _Node, x: _Signal) -> _Signal:
    expected = node.declared_shape("input")
    if expected not in (None, x.shape):
        node.refuse(f"it expects {expected}, but what arrives has shape {x.shape}; make them equal")
    dimensions = len(x.shape)
    start, end = node.integer("start_dim"), node.integer("end_dim")
    first = start + dimensions if start < 0 else start
    last = end + dimensions if end < 0 else end
    if not 0 <= first <= last < dimensions:
        # PyTorch counts a batch dimension that NIR has not; on 1-D data both mean the same.
        if dimensions == 1 and (start, end) == (1, -1):
            return x
        node.refuse(
            f"dimensions {start}..{end} do not exist in what arrives, of shape {x.shape}; "
            "NIR counts them without the batch (start_dim=0)"
        )
    merged = math.prod(x.shape[first : last + 1])
    return dataclasses.replace(x, shape=(*x.shape[:first], merged, *x.shape[last + 1 :]))


_MAPS: dict[type, Callable[[_Node, _Signal], _Signal]] = {
    nir.Linear: _linear,
    nir.Affine: _affine,
    nir.Scale: _scale,
    nir.Flatten: _flatten,
}


# Neurons: the update of a population and the current it sees, from a node and what arrives.


def _lif(node: _Node, x: _Signal) -> tuple[FloatPopulation, _Signal]:
    population, current = _li(node, x)
    return _spiking(node, population, x.shape), current


def _li(node: _Node, x: _Signal) -> tuple[FloatPopulation, _Signal]:
    decay = node.decay(x.shape)
    current = x.scaled(node.gain(decay, x.shape)).plus(decay * node.each("v_leak", x.shape))
    v_init = node.one("v_leak", x.shape) if node.dialect.start == "leak" else 0.0
    population = FloatPopulation(
        node.name, x.size, current.bias, decay=decay, v_init=v_init, spiking=False
    )
    return population, current


def _if(node: _Node, x: _Signal) -> tuple[FloatPopulation, _Signal]:
    per_step = 1.0 if node.dialect.integrator == "step" else node.time_step()
    current = x.scaled(node.gain(per_step, x.shape))
    population = FloatPopulation(node.name, x.size, current.bias)
    return _spiking(node, population, x.shape), current


def _spiking(node: _Node, population: FloatPopulation, shape: tuple[int, ...]) -> FloatPopulation:
    threshold = node.one("v_threshold", shape)
    if threshold <= 0:
        node.refuse(
            f"v_threshold must be positive, not {threshold:g}; state potentials relative to rest"
        )
    reset = Reset[node.dialect.reset.upper()]
    return dataclasses.replace(
        population,
        spiking=True,
        threshold=threshold,
        inclusive=node.dialect.compare == ">=",
        reset=reset,
        v_reset=node.one("v_reset", shape) if reset is Reset.VALUE else 0.0,
    )


_NEURONS: dict[type, Callable[[_Node, _Signal], tuple[FloatPopulation, _Signal]]] = {
    nir.LIF: _lif,
    nir.LI: _li,
    nir.IF: _if,
}

_SUPPORTED = (nir.Input, nir.Output, *_MAPS, *_NEURONS)


class _Importer:
    """Collects the parts of a network while the graph is walked, sources first."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.signals: dict[str, _Signal] = {}
        self.inputs: list[FloatInput] = []
        self.populations: dict[str, FloatPopulation] = {}
        self.connections: list[FloatConnection] = []
        self.outputs: list[tuple[str, str]] = []

    def network(self) -> FloatNetwork:
        return FloatNetwork(
            tuple(self.inputs),
            tuple(self.populations.values()),
            tuple(self.connections),
            tuple(self.outputs),
            self.dialect,
        )

    def add(self, name: str, contents: Any, sources: list[str]) -> None:
        """Add a node whose `sources` are already there."""
        node = _Node(name, contents, self.dialect)
        if isinstance(contents, nir.Input):
            self.signals[name] = self._input(node)
        elif isinstance(contents, nir.Output):
            self._output(node, sources)
        elif type(contents) in _MAPS:
            self.signals[name] = _MAPS[type(contents)](node, self._arriving(node, sources))
        else:
            self.signals[name] = self._neurons(node, self._arriving(node, sources))

    def _input(self, node: _Node) -> _Signal:
        shape = node.declared_shape("input")
        if shape is None:
            node.refuse("it states no shape; export the network with one")
        size = math.prod(shape)
        if size > MAX_SIZE:
            node.refuse(f"it has {size} elements, more than {MAX_SIZE}; split it")
        self.inputs.append(FloatInput(node.name, size))
        return _Signal.spikes_of(node.name, shape)

    def _output(self, node: _Node, sources: list[str]) -> None:
        signal = self._arriving(node, sources)
        source = signal.unchanged_source()
        if source not in self.populations:
            node.refuse(
                f"what arrives from {_list(sources)} is not the output of one neuron node; "
                "add an LI or IF node before it"
            )
        expected = node.declared_shape("output")
        # Exporters of scalar parameters write an Output of no dimension.
        if expected not in (None, (), signal.shape):
            node.refuse(
                f"it expects {expected}, but what arrives has shape {signal.shape}; make them equal"
            )
        self.outputs.append((node.name, source))

    def _arriving(self, node: _Node, sources: list[str]) -> _Signal:
        first, *others = (self.signals[source] for source in sources)
        total = first
        for other in others:
            if other.shape != first.shape:
                shapes = ", ".join(f"{s!r}: {self.signals[s].shape}" for s in sources)
                node.refuse(f"what arrives has different shapes ({shapes}); make them equal")
            for source, matrix in other.terms.items():
                if source in total.terms and total.terms[source].ndim != matrix.ndim:
                    _check_synapses(node, source, len(matrix) * other.size)
            total = total + other
        return total

    def _neurons(self, node: _Node, x: _Signal) -> _Signal:
        for source, matrix in x.terms.items():
            if source in self.populations and not self.populations[source].spiking:
                node.refuse(
                    f"it is driven by the LI node {source!r}, which sends no spikes; "
                    "make that an LIF or IF node, or an output"
                )
            _check_synapses(node, source, len(matrix) * x.size)
        population, current = _NEURONS[type(node.node)](node, x)
        self.populations[node.name] = population
        self.connections += [
            FloatConnection(source, node.name, _dense(matrix))
            for source, matrix in current.terms.items()
        ]
        return _Signal.spikes_of(node.name, x.shape)


def _check_synapses(node: _Node, source: str, synapses: int) -> None:
    if synapses > MAX_SYNAPSES:
        node.refuse(
            f"its connection from {source!r} has {synapses} weights, more than {MAX_SYNAPSES}; "
            "make the layers smaller"
        )


def _read(source: "str | os.PathLike[str]") -> nir.NIRGraph:
    if not isinstance(source, (str, os.PathLike)):
        raise SpikeloomError(f"load_nir takes a path or a nir.NIRGraph, not {_brief(source)}")
    where = f"file {os.fspath(source)!r}"
    try:
        path = Path(source)
        if path.is_dir():
            raise SpikeloomError(f"{where} is a directory; name the .nir file in it")
        if not path.is_file():
            raise SpikeloomError(f"{where} does not exist; check the path")
        # Without type checks: those add an Input or Output to whatever hangs loose.
        return nir.read(path, type_check=False)
    except SpikeloomError:
        raise
    except Exception as error:  # whatever h5py and nir stumble over
        cause = " ".join(str(error).split()) or type(error).__name__
        raise SpikeloomError(
            f"{where} is not a valid NIR graph ({cause}); export it again"
        ) from error


def _wiring(graph: nir.NIRGraph) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The nodes of a graph by name, and for each the names of the nodes that feed it, sorted."""
    nodes = graph.nodes
    if not isinstance(nodes, dict) or not all(isinstance(name, str) for name in nodes):
        raise SpikeloomError("graph: its nodes must be a dict with strings as keys")
    for name in sorted(nodes):
        kind = type(nodes[name])
        if kind not in _SUPPORTED:
            supported = ", ".join(node.__name__ for node in _SUPPORTED)
            raise SpikeloomError(
                f"node {name!r}: {kind.__name__} is not supported; use only {supported}"
            )
    sources: dict[str, list[str]] = {name: [] for name in sorted(nodes)}
    for source, target in _edges(graph):
        for name in (source, target):
            if name not in nodes:
                raise SpikeloomError(
                    f"edge {source!r} -> {target!r}: the graph has no node {name!r}; "
                    "add it or remove the edge"
                )
        if source in sources[target]:
            raise SpikeloomError(f"edge {source!r} -> {target!r} is there twice; remove one")
        sources[target].append(source)
    _check_ends(nodes, sources)
    return nodes, {name: sorted(feeding) for name, feeding in sources.items()}


def _edges(graph: nir.NIRGraph) -> list[tuple[str, str]]:
    try:
        edges = [(source, target) for source, target in graph.edges]
    except (TypeError, ValueError):
        edges = [(None, None)]
    if not all(isinstance(name, str) for edge in edges for name in edge):
        raise SpikeloomError("graph: its edges must be pairs of node names; export it again")
    return edges


def _check_ends(nodes: dict[str, Any], sources: dict[str, list[str]]) -> None:
    """Inputs, and only they, start; outputs, and only they, end."""
    feeding = {source for names in sources.values() for source in names}
    for kind in (nir.Input, nir.Output):
        if not any(isinstance(node, kind) for node in nodes.values()):
            raise SpikeloomError(f"graph: it has no {kind.__name__} node; add one")
    for name, feeds in sources.items():
        where = f"node {name!r} ({type(nodes[name]).__name__})"
        if isinstance(nodes[name], nir.Input) == bool(feeds):
            raise SpikeloomError(
                f"{where}: {_list(feeds)} leads into it; remove the edge"
                if feeds
                else f"{where}: nothing leads into it; connect it to an Input or remove it"
            )
        if isinstance(nodes[name], nir.Output) == (name in feeding):
            raise SpikeloomError(
                f"{where}: an edge leads out of it; remove the edge"
                if name in feeding
                else f"{where}: it leads nowhere; connect it to an Output or remove it"
            )


def _order(sources: dict[str, list[str]]) -> list[str]:
    """Names, each after those that feed it."""
    try:
        return list(graphlib.TopologicalSorter(sources).static_order())
    except graphlib.CycleError as error:
        cycle = " -> ".join(repr(name) for name in error.args[1])
        raise SpikeloomError(
            f"nodes {cycle}: they form a cycle, and recurrent graphs are not supported yet; "
            "remove an edge of it"
        ) from None


def _list(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _brief(value: object) -> str:
    """A value in an error message: one short line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
