"""What the benches send, and what the golden model answers, clock by clock."""

import dataclasses
import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from designs import Port
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from learning_runs import random_run
from numpy.typing import NDArray
from random_learning import learning_programs
from random_networks import (
    Counts,
    crowded,
    events,
    image_programs,
    odd_rows,
    programs,
    seeds,
    shuffled,
)

from spikeloom.golden.host import host_words
from spikeloom.golden.learning import SPIKED, Rule, Term, When
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig, Factor, Gate, LoadTarget
from spikeloom.mapping.plan import map_network
from spikeloom.program import Program
from spikeloom.sim.cosim.bench import Bench
from spikeloom.sim.cosim.check import Scenario
from spikeloom.sim.traffic.check import golden_clocks
from spikeloom.sim.traffic.stimuli import Stimuli

Words = NDArray[np.uint32]
Values = dict[str, int]
Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class Recording:
    """Rows of 32-bit words, one for each clock, the lowest bits first.

    Parameters
    ----------
    inputs
        What is driven.
    outputs
        What the golden model expects.
    compared
        The bits of the outputs that are compared.
    heard, bit
        Instead of `outputs`, the bytes expected on a serial line, of so many clocks per bit.
    """

    inputs: Words
    outputs: Words
    compared: Words
    heard: bytes = b""
    bit: int = 0

    @classmethod
    def of(
        cls, inputs: Sequence[Port], outputs: Sequence[Port], rows: list[tuple[Values, Values]]
    ) -> "Recording":
        """From the values of each clock; an output without a value is not compared."""
        all_ones = {name: (1 << width) - 1 for name, width in outputs}
        masks = [{name: all_ones[name] for name in expected} for _, expected in rows]
        return cls(
            _words(inputs, [driven for driven, _ in rows]),
            _words(outputs, [expected for _, expected in rows]),
            _words(outputs, masks),
        )


def _words(ports: Sequence[Port], rows: list[Values]) -> Words:
    size = 4 * -(-sum(width for _, width in ports) // 32)
    packed = bytearray()
    for values in rows:
        word = at = 0
        for name, width in ports:
            word |= values.get(name, 0) << at
            at += width
        packed += word.to_bytes(size, "little")
    return np.frombuffer(bytes(packed), "<u4").reshape(len(rows), -1)


# Fabrics.


class _Recorder(Bench):
    """The bench, with the golden model in the place of the hardware."""

    def __init__(self, config: FabricConfig, rng: random.Random) -> None:
        super().__init__(SimpleNamespace(), config, rng)
        self.rows: list[tuple[Values, Values]] = []
        self._expected: Values = {}

    def _drive(self, name: str, value: int) -> None:
        self._driven[name] = int(value)

    def _compare_read(self, expected: int | None, fields: dict[str, int]) -> None:
        if expected is not None:
            self._expected["read__data"] = expected

    async def _compare(self, expected: int) -> None:
        self.rows.append((dict(self._driven), {**self._expected, "load__ready": 1}))
        self._expected = {"probe": expected}  # it shows the clock before
        self.cycles += 1


def record(
    image: MemoryImage, scenario: Scenario, inputs: Sequence[Port], outputs: Sequence[Port]
) -> Recording:
    """What the cocotb bench drives in a scenario, and what it compares."""
    recorder = _Recorder(image.config, random.Random(scenario.seed))

    async def play() -> None:
        await recorder.load(list(image.load_words()), scenario.load_gap)
        words = [int(word) for word in scenario.words]
        await recorder.play(words, scenario.gap, scenario.backpressure, scenario.limit)
        if image.config.readable:
            await recorder.read(scenario.reads)
        await recorder._compare(0)

    try:
        play().send(None)  # it waits for nothing
    except StopIteration:
        return Recording.of(inputs, outputs, recorder.rows)
    raise AssertionError("the recorder waits")


PAUSES: tuple[dict[str, float], ...] = (
    {},
    {"gap": 0.2, "backpressure": 0.2, "load_gap": 0.2},
    {"gap": 0.5, "backpressure": 0.8, "load_gap": 0.5},
    {"backpressure": 0.95},
    {"gap": 0.9},
)
"""Those of the cycle-by-cycle bench."""


def examples(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """As many examples, the same each time."""
    drawn: list[Any] = []

    @settings(
        max_examples=count,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(example: Any) -> None:
        drawn.append(example)

    draw()
    return drawn


@st.composite
def scenarios(draw: st.DrawFn, config: FabricConfig) -> tuple[MemoryImage, NDArray[np.uint64]]:
    """A random network and the words of its input, as in the equality tests."""
    program: Program = draw(image_programs(config) if config.images else programs(config))
    counts = draw(events(program.network, 2 * config.slots + 2))
    names = st.sampled_from([p.name for p in program.network.populations])
    image = program.image.with_traces(draw(st.sets(names)) if config.traces else set())
    words = np.concatenate(host_words(image, counts))
    order = draw(st.none() | seeds())
    return image, words if order is None else shuffled(np.random.default_rng(order), words)


def of_fabric(
    config: FabricConfig, inputs: Sequence[Port], outputs: Sequence[Port], count: int
) -> Iterator[Recording]:
    """Recordings of random networks, each with other pauses."""
    for number, (image, words) in enumerate(examples(scenarios(config), count)):
        pauses = PAUSES[number % len(PAUSES)]
        scenario = Scenario(words.tolist(), seed=number, reads=100, **pauses)
        yield record(image, scenario, inputs, outputs)


def of_programs(
    programs: Iterable[tuple[Program, Counts]], inputs: Sequence[Port], outputs: Sequence[Port]
) -> Iterator[Recording]:
    """Recordings of given networks, each with other pauses."""
    for number, (program, counts) in enumerate(programs):
        words = np.concatenate(host_words(program.image, counts)).tolist()
        pauses = PAUSES[number % len(PAUSES)]
        scenario = Scenario(words, seed=number, reads=10, **pauses)
        yield record(program.image, scenario, inputs, outputs)


def of_crowd(
    config: FabricConfig, inputs: Sequence[Port], outputs: Sequence[Port]
) -> Iterator[Recording]:
    """Everything at once, without pauses and with a slow host."""
    for lone in (False, True):
        network, counts = crowded(config, lone)
        image = map_network(network, config, frozenset("a"), frozenset("b"))
        words = np.concatenate(host_words(image, counts)).tolist()
        for pauses in ({}, {"backpressure": 0.9}):
            yield record(image, Scenario(words, seed=1, reads=10, **pauses), inputs, outputs)


def of_silent_ends(
    config: FabricConfig, inputs: Sequence[Port], outputs: Sequence[Port]
) -> Iterator[Recording]:
    """Recordings of steps whose last neurons send nothing, or their potentials only; while they are
    fired the next step may begin.
    """
    rng = np.random.default_rng(4)
    for size in (1, config.lanes, 2 * config.lanes - 1):
        silent = Population("q", size, np.zeros(size, np.int64), phase=1, spiking=False)
        network = Network(
            (Input("in", 4),),
            (Population("p", 3, np.zeros(3, np.int64), threshold=1), silent),
            tuple(
                Connection("in", target, rng.integers(0, 2, (4, n)))
                for target, n in (("p", 3), ("q", size))
            ),
            config.weight_bits,
            config.state_bits,
            config.sum_bits,
        )
        counts = {"in": (rng.random((2, 9, 4)) < 0.3).astype(np.uint8)}
        image = map_network(network, config, frozenset("p"), frozenset("q"))
        words = np.concatenate(host_words(image, counts)).tolist()
        for traced in (set(), set("q")) if config.traces else (set(),):
            scenario = Scenario(words, seed=size, reads=10)
            yield record(image.with_traces(traced), scenario, inputs, outputs)


def of_learning(
    config: FabricConfig, inputs: Sequence[Port], outputs: Sequence[Port], count: int
) -> Iterator[Recording]:
    """Recordings of random networks that learn by random rules, each with other pauses.

    One in four runs without learning, and one has events that no host sends.
    """
    drawn = examples(st.tuples(learning_programs(config), seeds()), count)
    for number, (program, seed) in enumerate(drawn):
        words = random_run(program, seed)[1].tolist()
        image = program.image if number % 4 == 3 else program.image.learning()
        if number % 4 == 2:
            words = _with_odd_events(np.random.default_rng(seed), config, words)
        pauses = PAUSES[number % len(PAUSES)]
        scenario = Scenario(words, seed=number, reads=100, **pauses)
        yield record(image, scenario, inputs, outputs)


def _with_odd_events(rng: Rng, config: FabricConfig, words: list[int]) -> list[int]:
    """Among the words, events of axons and connections that may not exist."""
    result = []
    for word in words:
        if rng.random() < 0.3:
            fields = {f.name: int(rng.integers(1 << f.width)) for f in config.host_in.fields}
            fields |= {"step": 0, "route": config.host_in.unpack(word)["route"]}
            fields["ahead"] %= config.slots
            fields["connection"] %= config.connections
            fields["index"] %= config.axons
            result.append(config.host_in.pack(fields))
        result.append(word)
    return result


def of_ages(
    config: FabricConfig, inputs: Sequence[Port], outputs: Sequence[Port]
) -> Iterator[Recording]:
    """Recordings of rules that look at neurons whose last spike has one age, or at these and those
    that spike. Rows without a rule have what would touch groups, if they had one.
    """
    rng = np.random.default_rng(3)
    for age, also in itertools.product((1, 2, 3), (False, True)):
        at_age = Term(Factor.CONSTANT, post=When(Gate.AGE, age, age, now=True), constant=1)
        terms = (at_age, *([Term(Factor.CONSTANT, post=SPIKED, constant=-1)] if also else []))
        rule = Rule(terms, (0, 7), 0, "floor")
        plastic = Connection("in", "p", rng.integers(0, 6, (4, 5)), plasticity=rule)
        network = Network(
            (Input("in", 4),),
            tuple(Population(name, 5, np.zeros(5, np.int64), threshold=6) for name in "pq"),
            (plastic, Connection("in", "q", rng.integers(0, 6, (4, 5)))),
            config.weight_bits,
            config.state_bits,
            config.sum_bits,
        )
        image = Program(network, config, frozenset("pq"), frozenset()).image.learning()
        counts = {"in": (rng.random((2, 12, 4)) < 0.3).astype(np.uint8)}
        words = np.concatenate(host_words(image, counts)).tolist()
        yield record(_touching(image), Scenario(words, seed=age, reads=10), inputs, outputs)


def _touching(image: MemoryImage) -> MemoryImage:
    layout = image.config.population_row
    would = {"plasticity_always": 1, "plasticity_on_spike": 1, "plasticity_at_age": 63}

    def population(row: int) -> int:
        fields = layout.unpack(row)
        return row if fields["plasticity"] else layout.pack(fields | would)

    tiles = (
        dataclasses.replace(tile, populations=tuple(map(population, tile.populations)))
        for tile in image.tiles
    )
    return dataclasses.replace(image, tiles=tuple(tiles))


def of_random_words(
    config: FabricConfig, inputs: Sequence[Port], outputs: Sequence[Port], count: int
) -> Iterator[Recording]:
    """Words that no host sends, as in the equality tests."""
    limits = [1 << field.width for field in config.host_in.fields]
    names = [field.name for field in config.host_in.fields]
    for number, (image, _) in enumerate(examples(scenarios(config), count)):
        rng = np.random.default_rng(number)
        window = config.control_row.unpack(image.control)["window"]
        words = []
        for _ in range(100):
            fields = dict(zip(names, (int(rng.integers(top)) for top in limits), strict=True))
            fields["step"] = int(rng.random() < 0.3 and fields["step"])
            if config.images and rng.random() < 0.7:
                fields["connection"] %= 2
                for name in ("index", "y", "x"):
                    fields[name] %= int(rng.integers(1, 11))
            if not fields["step"]:
                fields["ahead"] %= config.slots - window
            words.append(config.host_in.pack(fields))
        scenario = Scenario(words, seed=number, reads=100)
        yield record(odd_rows(rng, image), scenario, inputs, outputs)


# Meshes.


def of_mesh(stimuli: Stimuli, inputs: Sequence[Port], outputs: Sequence[Port]) -> Recording:
    """What a mesh of routers is given, until it is at rest, and its probe."""
    config = stimuli.config
    rows: list[tuple[Values, Values]] = []
    for tile, table in enumerate(stimuli.tables):
        for route, row in enumerate(table):
            fields = {"tile": tile, "target": LoadTarget.ROUTE, "address": route, "data": row}
            rows.append(({"load__valid": 1, "load__payload": config.load.pack(fields)}, {}))
    quiet = 0
    for offers, ready, probe in golden_clocks(stimuli):
        lanes = sum(
            (1 << 63 | offer) << 64 * source
            for source, offer in enumerate(offers)
            if offer is not None
        )
        listening = sum(bit << tile for tile, bit in enumerate(ready))
        rows.append(({"offers": lanes, "listening": listening}, {"probe": probe}))
        waiting = len(rows) < int(stimuli.births.max()) or any(o is not None for o in offers)
        quiet = 0 if waiting else quiet + 1
        if quiet > 200:
            break
    return Recording.of(inputs, outputs, rows)
