"""Fire walks an image group by group and position by position; each spike names its neuron."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from amaranth.sim import Simulator

from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.hdl.core.fire import Fire

CONFIG = FabricConfig(
    lanes=3,
    neurons=150,
    slots=2,
    axons=4,
    populations=4,
    extent=5,
    queue=24,
    synaptic_current=True,
    lower_clamp=True,
    max_spikes=3,
    fraction_bits=3,
)
SLOT = 1
# Potentials are forgotten and read out, so a neuron's value is its sum and its bias.
READOUT = {"readout": 1, "v_min": -(1 << 15), "max_spikes": 1}


@dataclasses.dataclass(frozen=True)
class Layer:
    """A population, as a row of the table describes it."""

    number: int
    channels: int
    height: int
    width: int
    index_base: int
    neuron_base: int
    bias_base: int
    sum_base: int
    shared: bool
    fraction: int = 0

    @property
    def row(self) -> Mapping[str, int]:
        fields = dataclasses.asdict(self)
        return {**READOUT, **fields, "neurons": self.channels * self.height * self.width}


LAYERS = {
    "shared biases, partial last group": [Layer(2, 7, 2, 3, 5, 4, 100, 6, True)],
    "a bias each": [Layer(1, 4, 3, 2, 0, 9, 30, 2, False)],
    "full groups only": [Layer(1, 6, 2, 2, 1, 0, 0, 0, True)],
    "one channel": [Layer(3, 1, 4, 5, 0, 0, 7, 4, True)],
    "finer potentials": [
        Layer(3, 4, 3, 2, 0, 0, 7, 4, True, 1),
        Layer(1, 5, 1, 1, 0, 40, 0, 3, 0, 3),
    ],
    "one position": [Layer(0, 8, 1, 1, 3, 1, 2, 8, False)],
    "one row, one column": [
        Layer(0, 4, 1, 5, 0, 0, 1, 0, True),
        Layer(1, 4, 5, 1, 0, 30, 9, 40, True),
    ],
    "as large as images can be": [Layer(0, 4, 5, 5, 0, 0, 0, 0, False)],
    "an empty one between": [
        Layer(0, 2, 2, 2, 0, 0, 0, 0, True),
        Layer(1, 0, 3, 3, 0, 0, 0, 0, True),
        Layer(2, 5, 1, 2, 0, 20, 3, 30, True),
    ],
}


def sums(address: int) -> list[int]:
    """Of accumulator row `address`."""
    return [10 * address + lane for lane in range(CONFIG.lanes)]


def bias(address: int) -> int:
    return 2000 + 7 * address


def own_value(address: int) -> int:
    """To what the neuron with row `address` of the bias memory is reset, where it has its own."""
    return 5000 - 3 * address


def constants(config: FabricConfig, address: int) -> dict[str, int]:
    """Row `address` of the bias memory."""
    row = {"bias": bias(address)}
    if config.neuron_parameters:
        row |= {"threshold": -(1 << 15), "v_reset": own_value(address)}
    return row


@dataclasses.dataclass
class DecodedRun:
    """The actions of fire, with their clocks."""

    fetches: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    states: list[tuple[int, int, int]] = dataclasses.field(default_factory=list)
    currents: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    spikes: list[dict[str, int]] = dataclasses.field(default_factory=list)
    single: list[int] = dataclasses.field(default_factory=list)
    idle: int = 0


def fire(
    layers: Sequence[Layer],
    config: FabricConfig = CONFIG,
    pop_after: int = 1,
    fields: Sequence[Mapping[str, int]] = (),
    ahead: int = 0,
) -> DecodedRun:
    """One phase; the queue gives up a spike every `pop_after` clocks.

    `fields` of the rows replace those of the layers.
    """
    dut = Fire(config)
    run = DecodedRun()

    async def bench(ctx: Any) -> None:
        ctx.set(dut.load.valid, 1)
        words = [(LoadTarget.BIAS, n, constants(config, n)) for n in range(config.neurons)]
        for number, layer in enumerate(layers):
            row = {**layer.row, "more": number + 1 < len(layers)}
            row["spiking"] = config.neuron_parameters
            row |= fields[number] if fields else {}
            words.append((LoadTarget.POPULATION, number, row))
        for target, address, values in words:
            data = config.memories[target].row.pack(values)
            word = {"target": target, "address": address, "data": data}
            ctx.set(dut.load.word.as_value(), config.load.pack(word))
            await ctx.tick()
        ctx.set(dut.load.valid, 0)
        ctx.set(dut.command.valid, 1)
        ctx.set(
            dut.command.p.as_value(), CONFIG.fire.pack({"restart": 1, "slot": SLOT, "ahead": ahead})
        )
        await ctx.tick()
        ctx.set(dut.command.valid, 0)
        pops: list[int] = []
        for clock in range(1, 2000):
            ctx.set(dut.popped, clock in pops)
            if ctx.get(dut.fetch.valid):
                run.fetches.append((clock, ctx.get(dut.fetch.address)))
            if ctx.get(dut.state_write.valid):
                address, value = ctx.get(dut.state_write.address), ctx.get(dut.state_write.data)
                run.states.append((clock, address, value))
            if ctx.get(dut.current_write.valid):
                run.currents.append((clock, ctx.get(dut.current_write.address)))
            if ctx.get(dut.spike_valid):
                run.spikes.append(config.spike.unpack(ctx.get(dut.spike.as_value())))
                run.single.append(ctx.get(dut.single))
                pops.append(max(clock, *pops, 0) + pop_after)
            if ctx.get(dut.idle):
                run.idle = clock
                return
            fetched = run.fetches and run.fetches[-1][0] == clock
            await ctx.tick()
            row = sums(run.fetches[-1][1]) if fetched else [-1] * CONFIG.lanes
            for lane, value in enumerate(row):
                ctx.set(dut.fetch.sums[lane], value)
        raise AssertionError("fire does not end")

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return run


@dataclasses.dataclass(frozen=True)
class Neuron:
    """One neuron in the order of the walk; `first` of its fetch; `bias`, where its bias is."""

    first: bool
    row: int
    bias: int
    address: int
    spike: Mapping[str, int]


def walked(layer: Layer) -> list[Neuron]:
    """By the page: groups of channels, in each the rows, in each the columns."""
    result = []
    fetches = 0
    for group in range(-(-layer.channels // CONFIG.lanes)):
        for y in range(layer.height):
            for x in range(layer.width):
                row = layer.sum_base + SLOT + fetches * CONFIG.slots
                for lane in range(min(CONFIG.lanes, layer.channels - group * CONFIG.lanes)):
                    channel = group * CONFIG.lanes + lane
                    each = fetches * CONFIG.lanes + lane
                    at = layer.bias_base + (channel if layer.shared else each)
                    value = (sums(row)[lane] << layer.fraction) + bias(at)
                    spike = {
                        "population": layer.number,
                        "index": layer.index_base + channel,
                        "y": y,
                        "x": x,
                        "readout": 1,
                        "value": value,
                    }
                    result.append(Neuron(lane == 0, row, at, layer.neuron_base + each, spike))
                fetches += 1
    return result


@pytest.mark.parametrize("name", LAYERS)
def test_walk(name: str) -> None:
    """With room in the queue: a neuron in every clock, each memory written when the page says."""
    run = fire(LAYERS[name])
    empty = {field.name: 0 for field in CONFIG.spike.fields}
    fetches, states, currents, spikes = [], [], [], []
    clock = 1
    for layer in LAYERS[name]:
        # LOOKUP, SETUP, the group begins; its first neuron enters when its sums are fetched.
        enters = clock + 3
        for n, neuron in enumerate(walked(layer)):
            if neuron.first:
                fetches.append((enters + n, neuron.row))
            states.append((enters + n + CONFIG.fire_clocks, neuron.address, neuron.spike["value"]))
            currents.append((enters + n + 5, neuron.address))
            spikes.append({**empty, **neuron.spike})
        neurons = layer.row["neurons"]
        # The clock after the last neuron's last is DRAIN's last; without neurons there are two.
        clock = enters + neurons + CONFIG.fire_clocks + 1 if neurons else clock + 4
    assert run.fetches == fetches
    assert run.states == states
    assert run.currents == currents
    assert run.spikes == spikes
    assert run.idle == clock


@pytest.mark.parametrize("name", LAYERS)
def test_parameters_of_each_neuron(name: str) -> None:
    """Every neuron spikes, and is reset to a value of its own."""
    run = fire(LAYERS[name], dataclasses.replace(CONFIG, neuron_parameters=True))
    neurons = [neuron for layer in LAYERS[name] for neuron in walked(layer)]
    assert [spike["spiked"] for spike in run.spikes] == [1] * len(neurons)
    assert [spike["value"] for spike in run.spikes] == [own_value(each.bias) for each in neurons]
    assert [clock for clock, *_ in run.states] == [clock for clock, *_ in fire(LAYERS[name]).states]


def test_traces() -> None:
    """A traced row's states are sent in each step; its synaptic currents, where it says so.

    Currents and potentials are forgotten from step to step, so both are the neuron's input.
    """
    layer = Layer(0, 5, 2, 1, 0, 0, 0, 0, True)
    rows = [
        {"trace": 1},
        {"trace": 1, "currents": 1, "synaptic": 1},
        {"readout": 1},
        {"readout": 1, "trace": 1, "currents": 1},
        {},
    ]
    config = dataclasses.replace(CONFIG, traces=True, populations=8)
    layers = [dataclasses.replace(layer, number=n, neuron_base=10 * n) for n, _ in enumerate(rows)]
    for ahead in (0, 1):
        fields = [{"readout": 0, **row} for row in rows]
        run = fire(layers, config, fields=fields, ahead=ahead)
        expected = []
        for each, row in zip(layers, fields, strict=True):
            for neuron in walked(each):
                if row.get("trace") or (row["readout"] and not ahead):
                    currents = row.get("currents", 0)
                    value = neuron.spike["value"]
                    current = value if row.get("synaptic") else 0
                    expected.append({**neuron.spike, "currents": currents, "current": current})
        empty = {field.name: 0 for field in config.spike.fields}
        assert run.spikes == [{**empty, **spike} for spike in expected]
        assert run.single == [1 - spike["currents"] for spike in expected]


@pytest.mark.parametrize("name", LAYERS)
def test_walk_with_a_slow_queue(name: str) -> None:
    """The same neurons in the same order, however long fetches wait for room."""
    quick = fire(LAYERS[name])
    slow = fire(LAYERS[name], dataclasses.replace(CONFIG, queue=3), 4)
    assert slow.spikes == quick.spikes
    assert [write[1:] for write in slow.states] == [write[1:] for write in quick.states]
    assert [row for _, row in slow.fetches] == [row for _, row in quick.fetches]
    assert slow.idle > quick.idle
