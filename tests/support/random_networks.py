"""Random networks that fit a given fabric, and random input for them."""

import dataclasses
import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray
from random_switches import with_switches, with_variants

from spikeloom.golden.convolution import Convolution, ImageShape
from spikeloom.golden.fixed import Integers, signed_range
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.network import (
    AnyConnection,
    Connection,
    Input,
    Network,
    Population,
)
from spikeloom.golden.population_check import PARAMETERS
from spikeloom.golden.sparse import OneToOne, SparseConnection
from spikeloom.golden.spec import DECAY_ONE, SPIKES_PER_STEP, FabricConfig, Layout, Reset
from spikeloom.golden.switches.noise import Noise
from spikeloom.golden.switches.selection import Selection
from spikeloom.mapping.sparse import SparseSize
from spikeloom.program import Program

Counts = dict[str, NDArray[np.uint8]]

PLAIN_RESETS = (Reset.VALUE, Reset.SUBTRACT, Reset.NONE)
"""Resets that every fabric has."""


def numbers(bits: int) -> st.SearchStrategy[int]:
    """Signed numbers of `bits` bits: small ones and both extremes more often."""
    low, high = signed_range(bits)
    small = min(high, 40)
    return st.one_of(
        st.integers(-small, small), st.sampled_from((low, high)), st.integers(low, high)
    )


def seeds() -> st.SearchStrategy[int]:
    return st.integers(0, (1 << 32) - 1)


@st.composite
def programs(draw: st.DrawFn, config: FabricConfig) -> Program:
    """Layered, pipelined or mixed networks, some with recurrent connections and delays.

    They fit `config`, often exactly; which populations are recorded or read out is random.
    """
    inputs = tuple(
        Input(f"in{n}", draw(st.integers(1, min(config.axons, 9))), **_events_of(draw, config))
        for n in range(draw(st.integers(1, 2)))
    )
    populations, schedule = _populations(draw, config), ()
    if config.schedules and draw(st.booleans()):
        rng = np.random.default_rng(draw(seeds()))
        populations, schedule = with_variants(rng, populations, config)
    # All, if there is room for their targets, or some of them.
    spiking = [p.name for p in populations if p.spiking][: config.targets]
    names = [p.name for p in populations]
    record = set(spiking)
    if spiking and draw(st.booleans()):
        record = draw(st.sets(st.sampled_from(spiking)))
    readout = draw(st.one_of(st.just(set(names)), st.sets(st.sampled_from(names))))
    connections = _connections(draw, config, inputs, populations, config.targets - len(record))
    network = Network(
        inputs,
        _in_any_order(draw, config, populations),
        _without_overflow(connections, (*inputs, *populations), config),
        config.weight_bits,
        config.state_bits,
        config.sum_bits,
        schedule,
        seed=draw(seeds()),
    )
    return Program(network, config, frozenset(record), frozenset(readout))


def _events_of(draw: st.DrawFn, config: FabricConfig) -> dict[str, Any]:
    """How many events an axon can have, and of which sign."""
    most = (1 << config.graded_bits) - 1
    counts = tuple(sorted({1, min(3, most), most})) if config.graded_bits else (1, 3)
    signed = config.signed_spikes and draw(st.booleans())
    return {"max_count": draw(st.sampled_from(counts)), "signed": signed}


def _populations(draw: st.DrawFn, config: FabricConfig) -> list[Population]:
    """In firing order, as the mapping lays them out: each begins with a group of its own."""
    count = draw(st.integers(1, min(4, config.populations, config.groups)))
    phases = list(
        itertools.accumulate(draw(st.lists(st.integers(0, 1), min_size=count, max_size=count)))
    )
    result: list[Population] = []
    rng = np.random.default_rng(draw(seeds()))
    most_bias = signed_range(config.bias_bits)[1]
    free = config.groups
    for n, phase in enumerate(phases):
        # Leave a group for each of those that follow.
        groups = free - (count - 1 - n)
        most = groups * config.lanes
        if groups == free:
            most -= config.groups * config.lanes - config.neurons
        size = draw(st.one_of(st.integers(1, most), st.just(most)))
        free -= -(-size // config.lanes)
        reach = draw(st.sampled_from((9, most_bias)))
        bias = rng.integers(-reach - 1, reach + 1, size)
        result.append(random_population(draw, config, f"p{n}", size, bias, phase - phases[0]))
    if not any(population.fraction_bits for population in result):
        # Then biases are no wider than sums.
        low, high = signed_range(config.sum_bits)
        result = [dataclasses.replace(p, bias=p.bias.clip(low, high)) for p in result]
    return result


def random_population(
    draw: st.DrawFn,
    config: FabricConfig,
    name: str,
    size: int,
    bias: Integers,
    phase: int,
    spiking: bool = False,
    image: ImageShape | None = None,
) -> Population:
    """With any options that the fabric was built for; `spiking`, or it may be."""
    state = numbers(config.state_bits)
    decay = st.one_of(st.sampled_from((0, DECAY_ONE)), st.integers(0, DECAY_ONE))
    options: dict[str, Any] = {}
    if config.synaptic_current and draw(st.booleans()):
        options["synaptic_decay"] = draw(decay)
        if draw(st.booleans()):
            low, high = signed_range(config.state_bits)
            reach = draw(st.sampled_from((9, high)))
            rng = np.random.default_rng(draw(seeds()))
            options["leak"] = rng.integers(max(low, -reach), reach + 1, size)
    if config.lower_clamp and draw(st.booleans()):
        options["v_min"] = draw(state)
    growing = st.one_of(decay, st.just(-DECAY_ONE), st.integers(-DECAY_ONE, 0))
    options["decay"] = draw(growing if config.doubling else decay)
    options["v_reset"] = draw(state)
    options["v_init"] = draw(state)
    options["reset"] = draw(st.sampled_from(PLAIN_RESETS))
    burst = draw(st.sampled_from([n for n in SPIKES_PER_STEP if n <= config.max_spikes]))
    if burst > 1:
        options["max_spikes"] = burst
        options["threshold"] = draw(st.integers(1, 30))
    else:
        options["threshold"] = draw(st.one_of(st.integers(0, 20), state))
        options["subtrahend"] = draw(st.one_of(st.none(), state))
    if config.signed_spikes and draw(st.booleans()):
        options["signed"] = True
        if burst == 1:
            options["threshold"] = draw(
                st.integers(1, 20) | st.just(signed_range(config.state_bits)[1])
            )
    elif burst == 1 and config.delayed_reset:
        options["reset"] = draw(st.sampled_from(Reset))
        if options["reset"] is not Reset.RESTORE:
            options["delayed_reset"] = draw(st.booleans())
    if config.neuron_parameters:
        shared = () if config.initial_potentials else ("v_init",)
        options = {
            name: value if name in shared else _per_neuron(draw, name, value, size)
            for name, value in options.items()
        }
    population = Population(
        name,
        size,
        bias,
        phase=phase,
        inclusive=draw(st.booleans()),
        spiking=draw(st.integers(0, 4)) > 0,
        fraction_bits=draw(st.integers(0, config.fraction_bits)),
        image=image,
        **options,
    )
    if not config.switches:
        return population
    return with_switches(np.random.default_rng(draw(seeds())), population, config)


def _per_neuron(draw: st.DrawFn, name: str, value: Any, size: int) -> Any:
    """The value of a parameter, or for each neuron either that or one near it."""
    if name not in PARAMETERS or value is None or draw(st.booleans()):
        return value
    rng = np.random.default_rng(draw(seeds()))
    # Towards 1, which every parameter can be.
    return value + np.sign(1 - value) * rng.integers(0, 1 + min(abs(1 - value), 900), size)


# Images.

IMAGES = FabricConfig(
    lanes=4,
    state_bits=16,
    sum_bits=24,
    neurons=1400,
    weight_words=4096,
    slots=4,
    axons=256,
    populations=4,
    connections=10,
    targets=16,
    queue=8,
    extent=9,
    coordinates=256,
)
"""Room for whatever `image_programs` draws."""


@st.composite
def image_programs(draw: st.DrawFn, config: FabricConfig) -> Program:
    """Convolutions of any geometry, also of their own output, and dense layers around them.

    `config` has the sizes of `IMAGES`, or at least as much room.
    """
    rng = np.random.default_rng(draw(seeds()))
    image = draw(st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9)))
    inputs = [Input("in", math.prod(image), image=image, **_events_of(draw, config))]
    populations: list[Population] = []
    connections: list[AnyConnection] = []
    source: Input | Population = inputs[0]
    for n in range(draw(st.integers(1, 2))):
        assert source.image is not None
        joined = draw(_convolutions(source.name, source.image, f"p{n}", config, rng))
        size = joined.output(source.image)
        assume(max(size[1:]) <= config.extent)
        bias = rng.integers(-20, 21, size[0]).repeat(size[1] * size[2])
        if draw(st.booleans()):
            bias = rng.integers(-20, 21, math.prod(size))
        total = math.prod(size)
        populations.append(random_population(draw, config, f"p{n}", total, bias, n, True, size))
        connections.append(joined)
        if draw(st.booleans()):
            # Recurrent, of the same size.
            height, width = draw(st.tuples(st.integers(0, 1), st.integers(0, 1)))
            kernel = random_weights(rng, config, (size[0], size[0], 2 * height + 1, 2 * width + 1))
            padding = ((height, height), (width, width))
            connections.append(
                Convolution(f"p{n}", f"p{n}", kernel, draw(st.integers(1, 3)), padding=padding)
            )
        source = populations[-1]
    if draw(st.booleans()):
        inputs.append(Input("more", 7))
        first = populations[0]
        weights = random_weights(rng, config, (7, first.size))
        if config.sparse_words:
            weights *= rng.random(weights.shape) < 0.1
            connections.append(SparseConnection.from_matrix("more", "p0", weights, 1))
        else:
            connections.append(Connection("more", "p0", weights, 1))
    size = draw(st.integers(1, 9))
    bias = rng.integers(-9, 10, size)
    flat = random_population(draw, config, "flat", size, bias, len(populations))
    for node in (inputs[0], populations[-1]):
        if draw(st.booleans()):
            weights = random_weights(rng, config, (node.size, size))
            high = config.weight_pairs and draw(st.booleans())
            connections.append(Connection(node.name, "flat", weights, 0, high))
    populations.append(flat)
    names = frozenset(p.name for p in populations)
    spiking = frozenset(p.name for p in populations if p.spiking)
    network = Network(
        tuple(inputs),
        tuple(populations),
        tuple(connections),
        config.weight_bits,
        config.state_bits,
        config.sum_bits,
        seed=draw(seeds()),
    )
    return Program(network, config, spiking, names)


@st.composite
def _convolutions(
    draw: st.DrawFn,
    source: str,
    image: tuple[int, int, int],
    target: str,
    config: FabricConfig,
    rng: np.random.Generator,
) -> Convolution:
    groups = draw(st.sampled_from([n for n in range(1, image[0] + 1) if image[0] % n == 0]))
    channels = groups * draw(st.integers(1, 6 // groups if groups <= 6 else 1))
    pool = tuple(draw(st.integers(1, min(3, extent))) for extent in image[1:])
    padding = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(2))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    kernel = tuple(
        draw(st.integers(1, min(4, 1 + (extent // p + sum(pad) - 1) // d)))
        for extent, p, pad, d in zip(image[1:], pool, padding, dilation, strict=True)
    )
    return Convolution(
        source,
        target,
        random_weights(rng, config, (channels, image[0] // groups, *kernel)),
        draw(st.integers(0, 2)),
        config.weight_pairs and draw(st.booleans()),
        draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        padding,
        dilation,
        groups,
        pool,
    )


def random_weights(
    rng: np.random.Generator, config: FabricConfig, shape: tuple[int, ...]
) -> Integers:
    low, high = signed_range(config.weight_bits)
    return rng.integers(low, high + 1, shape)


def _in_any_order(
    draw: st.DrawFn, config: FabricConfig, populations: list[Population]
) -> tuple[Population, ...]:
    """Shuffled; but where the last one fills a group that is cut off, it stays the last."""
    if config.neurons % config.lanes:
        return (*draw(st.permutations(populations[:-1])), populations[-1])
    return tuple(draw(st.permutations(populations)))


def _connections(
    draw: st.DrawFn,
    config: FabricConfig,
    inputs: tuple[Input, ...],
    populations: list[Population],
    targets: int,
) -> list[AnyConnection]:
    phase_of = {p.name: p.phase for p in populations}
    size_of = {node.name: node.size for node in (*inputs, *populations)}
    routed = {p.name for p in populations if p.spiking}
    rng = np.random.default_rng(draw(seeds()))
    words = config.weight_words
    sparse_words, sparse_sources = config.sparse_words, config.coordinates
    result: list[AnyConnection] = []
    # Up to two connections between the same two nodes.
    for source, target, _ in itertools.product(size_of, phase_of, range(2)):
        needed = size_of[source] * -(-size_of[target] // config.lanes)
        forward = source not in phase_of or phase_of[source] < phase_of[target]
        possible = (
            len(result) < config.connections
            and needed <= words
            and size_of[source] <= config.axons
            and (forward or config.slots > 1)
            and (source not in routed or targets > 0)
        )
        if not possible or not draw(st.booleans()):
            continue
        targets -= source in routed
        weights = random_weights(rng, config, (size_of[source], size_of[target]))
        delay = draw(st.integers(0 if forward else 1, config.slots - 1))
        high = config.weight_pairs and draw(st.booleans())
        made: AnyConnection = Connection(source, target, weights, delay, high)
        if config.sparse_words and draw(st.booleans()):
            density = draw(st.sampled_from((0.1, 0.4, 1)))
            kept = weights * (rng.random(weights.shape) < density)
            sparse = SparseConnection.from_matrix(source, target, kept, delay, high)
            size = SparseSize(sparse, size_of[target], 1, config.lanes).all_words
            if size <= min(sparse_words, words) and size_of[source] <= sparse_sources:
                sparse_words, sparse_sources = sparse_words - size, sparse_sources - len(kept)
                made, needed = sparse, size
        same = size_of[source] == size_of[target]
        if config.one_to_one and same and draw(st.booleans()):
            made = OneToOne(source, target, weights[0], delay, high)
            needed = -(-size_of[target] // config.lanes)
        words -= needed
        result.append(made)
    return result


def _without_overflow(
    connections: list[AnyConnection], nodes: tuple[Input | Population, ...], config: FabricConfig
) -> tuple[AnyConnection, ...]:
    """The same with weights halved until no sum can leave the fabric's width."""
    times = {n.name: n.max_count if isinstance(n, Input) else n.max_spikes for n in nodes}
    most = (1 << (config.sum_bits - 1)) - 1
    weights = [c.weights for c in connections]
    size_of = {node.name: node.size for node in nodes}

    def total(n: int) -> Integers:
        connection, absolute = connections[n], np.abs(weights[n])
        if isinstance(connection, (SparseConnection, OneToOne)):
            return connection.totals(absolute, size_of[connection.target])
        return absolute.sum(axis=0)

    for target in {c.target for c in connections}:
        into = [n for n, c in enumerate(connections) if c.target == target]

        def reach(into: list[int] = into) -> Integers:
            parts = [
                (times[connections[n].source] << (config.weight_bits * connections[n].high))
                * total(n)
                for n in into
            ]
            return np.sum(parts, axis=0)

        while reach().max() > most:
            for n in into:
                weights[n] = np.sign(weights[n]) * (np.abs(weights[n]) // 2)
    return tuple(
        dataclasses.replace(c, weights=w) for c, w in zip(connections, weights, strict=True)
    )


@st.composite
def events(draw: st.DrawFn, network: Network, most_steps: int) -> Counts:
    """Event counts for every input: a few samples, from no event to every axon in every step."""
    samples, steps = draw(st.integers(1, 3)), draw(st.integers(1, most_steps))
    rate = draw(st.sampled_from((0.0, 0.1, 0.5, 1.0)))
    return random_events(np.random.default_rng(draw(seeds())), network, samples, steps, rate)


def random_events(
    rng: np.random.Generator, network: Network, samples: int, steps: int, rate: float
) -> Counts:
    """Counts in which an axon has an event in a step with probability `rate`."""
    result = {}
    for node in network.inputs:
        shape = samples, steps, node.size
        some = rng.integers(1, node.max_count + 1, shape)
        if node.signed:
            some *= rng.choice((-1, 1), shape)
        result[node.name] = np.where(rng.random(shape) < rate, some, 0).astype(
            np.int16 if node.signed else np.uint8
        )
    return result


def shuffled(rng: np.random.Generator, words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Host words with the events of each step in another order."""
    step = np.cumsum(words & np.uint64(1)) - (words & np.uint64(1))
    mark = words & np.uint64(1)
    return words[np.lexsort((rng.random(len(words)), mark, step))]


def odd_rows(rng: np.random.Generator, image: MemoryImage) -> MemoryImage:
    """The same with some rows that no mapper writes: connections that have sources and no groups,
    those one to one for any of their sources and with two groups, packets to the host that have a
    delay, coordinates where nothing is, populations that cannot spike once and those that end in
    the middle of their image.
    """
    config = image.config

    def change(layout: Layout, row: int, **fields: int) -> int:
        return layout.pack({**layout.unpack(row), **fields})

    def target(row: int) -> int:
        if not config.target_row.unpack(row)["host"]:
            return row
        return change(config.target_row, row, delay=int(rng.integers(config.slots)))

    def connection(row: int) -> int:
        fields = config.connection_row.unpack(row)
        if fields.get("one_to_one") and rng.random() < 0.7:
            first, last = rng.integers(fields["sources"], size=2).tolist()
            row = change(config.connection_row, row, first=first, last=last, groups=2)
        return change(config.connection_row, row, groups=0) if rng.random() < 0.3 else row

    def coordinate(row: int) -> int:
        return change(config.coordinate_row, row, count=0) if rng.random() < 0.1 else row

    def population(row: int) -> int:
        fields = config.population_row.unpack(row)
        if fields.get("max_spikes", 1) > 1 and rng.random() < 0.3:
            fields["max_spikes"] -= 1
        if config.images and rng.random() < 0.3:
            groups = int(rng.integers(fields["height"] * fields["width"]))
            fields["neurons"] = groups * min(config.lanes, fields["channels"])
        return config.population_row.pack(fields)

    tiles = (
        dataclasses.replace(
            tile,
            populations=tuple(map(population, tile.populations)),
            connections=tuple(map(connection, tile.connections)),
            coordinates=tuple(map(coordinate, tile.coordinates)),
            targets=tuple(map(target, tile.targets)),
        )
        for tile in image.tiles
    )
    return dataclasses.replace(image, tiles=tuple(tiles))


def crowded(config: FabricConfig, lone: bool) -> tuple[Network, Counts]:
    """Input that always runs ahead, and spikes that must not be overtaken by the end of the phase.

    A layer that always spikes, or with `lone` only its first neuron, drives the next one in the
    same step, while input of later steps keeps the tile busy.
    """
    first, second = config.neurons // 2, config.neurons // 3
    inputs = min(config.axons, config.weight_words // 2 // first, 9)
    bias = np.full(first, 1)
    if lone:
        bias[1:] = -100
    network = Network(
        (Input("in", inputs),),
        (
            Population("a", first, bias, 0, DECAY_ONE, 0),
            Population("b", second, np.arange(second) - 3, 1, 100, 0),
        ),
        (
            Connection("in", "a", np.zeros((inputs, first), np.int64)),
            Connection("a", "b", np.tile([1, -1], (first, second))[:, :second]),
        ),
        config.weight_bits,
        config.state_bits,
        config.sum_bits,
    )
    return network, all_events(network, 2, 6)


def noisy_image(config: FabricConfig) -> tuple[Network, Counts]:
    """An image of three groups of channels, the last one of a single channel; all neurons noisy.

    Its random numbers are those of other neurons wherever a number in the population is wrong.
    """
    image = (2 * config.lanes + 1, 3, 2)
    network = Network(
        (Input("in", 6, image=(1, 3, 2)),),
        (
            Population("a", 4, np.arange(4), 0, threshold=3),
            Population(
                "b",
                math.prod(image),
                np.zeros(math.prod(image), np.int64),
                0,
                DECAY_ONE,
                20,
                image=image,
                switches=(Noise("uniform", 99),),
            ),
        ),
        (Convolution("in", "b", np.ones((image[0], 1, 1, 1), np.int64)),),
        config.weight_bits,
        config.state_bits,
        config.sum_bits,
        seed=5,
    )
    return network, all_events(network, 1, 16)


def competing_image(config: FabricConfig, selection: Selection) -> tuple[Network, Counts]:
    """The same image without noise; its channels compete, with weights of few values."""
    rng = np.random.default_rng(selection.winners)
    image = (2 * config.lanes + 1, 3, 2)
    total = math.prod(image)
    neurons = Population(
        "b", total, np.zeros(total, np.int64), threshold=5, image=image, switches=(selection,)
    )
    kernel = Convolution("in", "b", rng.integers(-1, 4, (image[0], 1, 1, 1)))
    widths = config.weight_bits, config.state_bits, config.sum_bits
    network = Network((Input("in", 6, image=(1, 3, 2)),), (neurons,), (kernel,), *widths)
    return network, random_events(rng, network, 2, 8, 0.6)


def all_events(network: Network, samples: int, steps: int) -> Counts:
    """Every axon has as many events as it can have, in every step."""
    return {
        node.name: np.full((samples, steps, node.size), node.max_count, np.uint8)
        for node in network.inputs
    }


def sizes(counts: Mapping[str, NDArray[np.uint8]]) -> tuple[int, int]:
    """Samples and steps."""
    samples, steps = next(iter(counts.values())).shape[:2]
    return samples, steps
