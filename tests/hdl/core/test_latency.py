"""The latency that a component states is the one that a simulation measures."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from amaranth import unsigned
from amaranth.lib import wiring
from amaranth.sim import Simulator

from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.hdl.common.queue import Queue
from spikeloom.hdl.common.register_slice import RegisterSlice
from spikeloom.hdl.core.address_generation import AddressGeneration
from spikeloom.hdl.core.emit import Emit
from spikeloom.hdl.core.fire import Fire
from spikeloom.hdl.core.integrate import Integrate
from spikeloom.hdl.core.neuron import NeuronUpdate

SIZES: Mapping[str, Any] = {"lanes": 2, "neurons": 8, "weight_words": 8, "queue": 8}
PLAIN = FabricConfig(**SIZES)
BUILDS = {
    "plain": PLAIN,
    "without multipliers": FabricConfig(**SIZES, multipliers=False),
    "everything": FabricConfig(
        **SIZES,
        extent=2,
        synaptic_current=True,
        weight_pairs=True,
        delayed_reset=True,
        lower_clamp=True,
        max_spikes=7,
        fraction_bits=3,
        neuron_parameters=True,
        traces=True,
        readable=True,
        multipliers=False,
    ),
}
Rows = Iterable[tuple[LoadTarget, int, Mapping[str, int]]]


def measured(
    dut: wiring.Component,
    start: Callable[[Any], None],
    stop: Callable[[Any], None],
    arrived: Callable[[Any], bool],
    rows: Rows = (),
) -> int:
    """Clocks from the one in which `start` sets the inputs, and `stop` at its end, to arrival."""
    clocks = 0

    async def bench(ctx: Any) -> None:
        nonlocal clocks
        for target, address, fields in rows:
            config = dut.config
            data = config.memories[target].row.pack(fields)
            word = {"target": target, "address": address, "data": data}
            ctx.set(dut.load.word.as_value(), config.load.pack(word))
            ctx.set(dut.load.valid, 1)
            await ctx.tick()
        if rows:
            ctx.set(dut.load.valid, 0)
        start(ctx)
        assert not arrived(ctx)
        await ctx.tick()
        stop(ctx)
        clocks = 1
        while not arrived(ctx):
            assert clocks < 100
            await ctx.tick()
            clocks += 1

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return clocks


def test_queue() -> None:
    dut = Queue(unsigned(4), 4)

    def push(value: int) -> Callable[[Any], None]:
        return lambda ctx: ctx.set(dut.push, value)

    assert measured(dut, push(1), push(0), lambda ctx: ctx.get(dut.valid)) == dut.latency


def test_register_slice() -> None:
    dut = RegisterSlice(unsigned(4))

    def offer(value: int) -> Callable[[Any], None]:
        return lambda ctx: ctx.set(dut.before.valid, value)

    assert measured(dut, offer(1), offer(0), lambda ctx: ctx.get(dut.after.valid)) == dut.latency


CONNECTION: Rows = [
    (LoadTarget.CONNECTION, 0, {"sources": 1, "groups": 1, "synapses": 2}),
]


@pytest.mark.parametrize("build", BUILDS)
def test_address_generation(build: str) -> None:
    dut = AddressGeneration(BUILDS[build])

    def offer(value: int) -> Callable[[Any], None]:
        return lambda ctx: ctx.set(dut.event.valid, value)

    def arrived(ctx: Any) -> bool:
        return ctx.get(dut.segments.valid)

    assert measured(dut, offer(1), offer(0), arrived, CONNECTION) == dut.latency


@pytest.mark.parametrize("grouped", [0, 1])
def test_address_generation_for_images(grouped: int) -> None:
    dut = AddressGeneration(BUILDS["everything"])
    (target, address, row), *_ = CONNECTION
    image = {**row, "image": 1, "grouped": grouped, "height": 1, "width": 1}

    def offer(value: int) -> Callable[[Any], None]:
        return lambda ctx: ctx.set(dut.event.valid, value)

    def arrived(ctx: Any) -> bool:
        return ctx.get(dut.segments.valid)

    clocks = measured(dut, offer(1), offer(0), arrived, [(target, address, image)])
    assert clocks == dut.latency + 3 + grouped


@pytest.mark.parametrize("build", BUILDS)
def test_integrate(build: str) -> None:
    dut = Integrate(BUILDS[build])

    def offer(value: int) -> Callable[[Any], None]:
        return lambda ctx: ctx.set(dut.event.valid, value)

    def arrived(ctx: Any) -> bool:
        return ctx.get(dut.sum_write.valid)

    assert measured(dut, offer(1), offer(0), arrived, CONNECTION) == dut.latency


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("neurons", [1, 5])
def test_fire(build: str, neurons: int) -> None:
    dut = Fire(BUILDS[build])
    shape = {"channels": neurons, "height": 1, "width": 1} if dut.config.images else {}
    rows = [(LoadTarget.POPULATION, 0, {"neurons": neurons, **shape})]

    def command(value: int) -> Callable[[Any], None]:
        def drive(ctx: Any) -> None:
            ctx.set(dut.command.valid, value)
            ctx.set(dut.command.p.restart, 1)

        return drive

    started = []

    def arrived(ctx: Any) -> bool:
        started.append(not ctx.get(dut.idle))
        return any(started) and bool(ctx.get(dut.idle))

    # The population takes the clocks between the command and the first idle one.
    assert measured(dut, command(1), command(0), arrived, rows) - 1 == neurons + dut.latency


@pytest.mark.parametrize("build", BUILDS)
def test_emit(build: str) -> None:
    dut = Emit(BUILDS[build])
    rows: Rows = [(LoadTarget.TARGET, 0, {"host": 1})]

    def push(value: int) -> Callable[[Any], None]:
        def drive(ctx: Any) -> None:
            spike = {"spiked": 1, "fan_out": 1}
            ctx.set(dut.spike.as_value(), dut.config.spike.pack(spike))
            for port in (dut.spike_valid, dut.routed, dut.single, dut.short):
                ctx.set(port, value)

        return drive

    assert measured(dut, push(1), push(0), lambda ctx: ctx.get(dut.host.valid), rows) == dut.latency


@pytest.mark.parametrize("build", BUILDS)
def test_neuron_update(build: str) -> None:
    """The potential of one clock shows in `v_next`, the current of one clock in `i_next`."""
    dut = NeuronUpdate(BUILDS[build])
    # Kept without decay; a floor below every potential.
    own = dut.config.neuron_parameters
    row = {} if own else {"retain": 4096}
    if dut.config.lower_clamp:
        row["v_min"] = -100

    def potential(value: int) -> Callable[[Any], None]:
        def drive(ctx: Any) -> None:
            ctx.set(dut.row.as_value(), dut.config.population_row.pack(row))
            ctx.set(dut.v, value)
            if own:
                ctx.set(dut.retain, 4096)

        return drive

    clocks = measured(dut, potential(7), potential(0), lambda ctx: ctx.get(dut.v_next) == 7)
    assert clocks == dut.latency


def test_synaptic_current() -> None:
    dut = NeuronUpdate(BUILDS["everything"])
    row = {"synaptic": 1}

    def current(value: int) -> Callable[[Any], None]:
        def drive(ctx: Any) -> None:
            ctx.set(dut.row.as_value(), dut.config.population_row.pack(row))
            ctx.set(dut.i, value)
            ctx.set(dut.retain_synaptic, 4096)

        return drive

    clocks = measured(dut, current(7), current(0), lambda ctx: ctx.get(dut.i_next) == 7)
    assert clocks == dut.current_latency
