"""Fire's walk with several fire lanes, which starts and ends sooner."""

from types import SimpleNamespace
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.memory import ReadPort

from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.core.addresses import Walk
from spikeloom.hdl.core.banks import lane_bits
from spikeloom.hdl.core.schedule import first_row


def quick_walk(
    m: Module,
    config: FabricConfig,
    fire: Any,
    population_read: ReadPort,
    moving: Signal,
    enough: Signal,
) -> Walk:
    """Reads the phase's populations one after the other and fetches their sums by group.

    The population table is read while nothing is to do, so that the row is there when a command
    comes, and without images the first group begins in that clock. A command can come while the
    last neurons are in the pipeline, if they send nothing; then it waits.

    Parameters
    ----------
    fire
        The component, whose `command`, `fetch`, `idle`, `slot` and `ahead` are used.
    moving
        A neuron is in the pipeline, and not in its last stage.
    enough
        There are credits for a group.
    """
    population = population_read.data
    first, last, idle, setup, drained, waiting = (
        Signal(name=name) for name in ("first", "last", "idle", "setup", "drained", "waiting")
    )
    command = _command(m, config, fire, idle, waiting)
    with m.If(command.valid):
        m.d.sync += [first.eq(command.p.first), last.eq(command.p.last)]
        m.d.sync += [fire.ahead.eq(command.p.ahead), fire.slot.eq(command.p.slot)]
    slot = Mux(idle, command.p.slot, fire.slot)
    walk, some = _groups(m, config, fire, population, setup, first, slot)
    row, next_row = (Signal(population_read.addr.shape(), name=n) for n in ("row", "next_row"))
    there = ~command.p.restart if config.schedules else ~command.p.restart | (row == 0)

    with m.FSM() as fsm:
        with m.State("IDLE"):
            with m.If(command.valid):
                with m.If(there):
                    m.next = "WALK"
                with m.Else():
                    m.next = "LOOKUP"
        for state, then in (("LOOKUP", "SETUP"), ("SETUP", "WALK")):
            with m.State(state):
                m.next = then
        with m.State("WALK"):
            with m.If(~some):
                m.next = "DRAIN"
        with m.State("DRAIN"):
            with m.If(drained & ~moving):
                with m.If(population.more):
                    m.next = "SETUP"
                with m.Else():
                    m.next = "IDLE"
    ends = fsm.ongoing("DRAIN") & drained & ~moving
    m.d.comb += [
        idle.eq(fsm.ongoing("IDLE")),
        setup.eq(fsm.ongoing("SETUP") | (command.valid & there)),
        drained.eq(walk.entering == 0),
    ]

    # Foreseen where a population ends: the next step's first row, or the next one.
    foreseen = Mux(last & ~population.more, 0, row + 1)
    begin = first_row(m, command, population) if config.schedules else Const(0)
    restarts = Mux(command.valid & command.p.restart, begin, row)
    m.d.comb += next_row.eq(Mux(ends, foreseen, restarts))
    m.d.sync += row.eq(next_row)

    begins: Value = some  # which is 1 in WALK only
    if not config.images:
        begins = begins | (setup & (population.neurons != 0))
    mute = _mute(config, fire, population)
    m.d.comb += [
        fire.idle.eq(~waiting & (idle | (fsm.ongoing("DRAIN") & drained & mute))),
        population_read.addr.eq(next_row),
        population_read.en.eq(ends | idle | fsm.ongoing("LOOKUP")),
        walk.begins.eq(begins & ~walk.entering[1:].any() & enough),
    ]
    return walk


def _mute(config: FabricConfig, fire: Any, population: Any) -> Value:
    """Whether neurons of this row, the last one of its phase, send nothing in this step, and nobody
    learns from them.
    """
    if config.plasticity:
        return Const(0, 1)
    mute = ~(population.spiking | population.more) & (fire.ahead != 0)
    return mute & ~population.trace if config.traces else mute


def _command(m: Module, config: FabricConfig, fire: Any, idle: Signal, waiting: Signal) -> Any:
    """The command that starts a phase in IDLE, one that waits or one that comes: `valid`, `p`."""
    held = Signal(struct(config.fire))
    with m.If(idle):
        m.d.sync += waiting.eq(0)
    with m.Elif(fire.command.valid):
        m.d.sync += [waiting.eq(1), held.eq(fire.command.p)]
    payload = Mux(waiting, held.as_value(), fire.command.p.as_value())
    return SimpleNamespace(valid=idle & (fire.command.valid | waiting), p=held.shape()(payload))


def _groups(
    m: Module,
    config: FabricConfig,
    fire: Any,
    population: Any,
    setup: Signal,
    first: Signal,
    slot: Value,
) -> tuple[Walk, Signal]:
    """The groups of a population, of which one begins with each of the walk's `begins`.

    Returns also whether neurons are left.
    """
    left = Signal.like(population.neurons)
    some = Signal()  # left != 0
    count = Signal(range(config.lanes + 1))
    entering = Signal(range(config.group_rows + 1))
    begins = Signal()
    low = lane_bits(config)
    rest = Signal(low)  # neurons of the last row of a group, 0 if it is full
    count_rows = (count + config.fire_lanes - 1)[low:]
    present = Mux(setup, population.neurons, left)
    if not config.images:
        m.d.comb += count.eq(Mux(present < config.lanes, present, config.lanes))
    m.d.sync += fire.fetch.valid.eq(begins)
    with m.If(fire.fetch.valid):
        m.d.sync += fire.fetch.address.eq(fire.fetch.address + config.slots)
    with m.If(setup):
        m.d.sync += [
            left.eq(population.neurons),
            some.eq(population.neurons != 0),
            fire.fetch.address.eq(population.sum_base + slot),
        ]
    with m.If(begins):
        m.d.sync += [
            left.eq(present - count),
            some.eq(present != count),
            entering.eq(count_rows),
            rest.eq(count[:low]),
        ]
    with m.Elif(entering != 0):
        m.d.sync += entering.eq(entering - 1)
    full = (entering != 1) | (rest == 0)
    partial: list[Value] = [lane < rest for lane in range(config.fire_lanes - 1)]
    valid = Cat((entering != 0) & (full | below) for below in (*partial, Const(0)))
    return Walk(setup, begins, count, count_rows, entering, valid, left, first), some
