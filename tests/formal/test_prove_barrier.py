"""Proofs about the barrier: a step goes on only when nothing of it is left anywhere.

They are unbounded, and made for each depth of the trees that there is.
"""

import dataclasses

import pytest
from amaranth import Const, Elaboratable, Module, Mux, Signal
from amaranth.hdl import Assert, Assume, Cover
from soaked import all_but
from specs import holds, opened, tiny, transfer

from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.common.tree import any_of
from spikeloom.hdl.sequencer import Sequencer
from spikeloom.sim.formal import Mode, fixed, free, verify

SLOTS = 3


class BarrierSpec(Elaboratable):
    """Sequencer and trees, and a fabric that does whatever a fabric may do.

    Bit `events[t][s]` says that a packet due in slot s is in tile t or its router, and
    `reports[t]` that a packet for the host is in tile t's node of the collector. In every clock
    packets may vanish (they are added, or leave) and spread to any place (they move, or branch).
    A tile that was told to fire works for any number of clocks; while it does, and only then, it
    makes packets, due in any slot, and reports. That a fabric does no more than this, and that
    every packet is seen in each clock by what reports it, is what the proofs about router, mesh,
    collector, integrate, fire and emit say.

    The host keeps to the contract: events are at most `slots` - 1 - `window` steps ahead.

    Parameters
    ----------
    fault
        A piece of the sequencer's text, and what is there instead.
    up
        Registers too many in the tree from the tiles.
    window
        Steps in use at once that the host believes in, if not `slots`.
    """

    def __init__(
        self,
        config: FabricConfig,
        fault: tuple[str, str] | None = None,
        up: int = 0,
        window: int | None = None,
    ) -> None:
        self.config = config
        hooks = {
            "m.FSM() as fsm:": "m.FSM() as fsm:\n            self.fsm = fsm",
            "lead = Signal(": "lead = self.lead = Signal(",
        }
        self.dut = opened(Sequencer, {**hooks, **dict([fault] if fault else [])})(config)
        self.up = config.tree_depth + up
        self.slots = window or config.slots

    def elaborate(self, platform: object) -> Module:
        config = self.config
        tiles = range(config.tiles)
        m = Module()
        m.submodules.dut = dut = self.dut

        # The first clock sets the control register; the one before, if built, whether it learns.
        begun, running = Signal(init=not config.plasticity), Signal()
        control = fixed(m, struct(config.control_row), "control")
        m.d.sync += [begun.eq(1), running.eq(begun)]
        learns = fixed(m, 1, "learns") if config.plasticity else Const(0)
        word = free(m, struct(config.host_in), "word")
        offered = free(m, 1, "offered")
        m.d.comb += [
            dut.load.valid.eq(~running),
            dut.load.word.target.eq(Mux(begun, LoadTarget.CONTROL, LoadTarget.LEARN)),
            dut.load.word.data.eq(Mux(begun, control.as_value(), learns)),
            dut.host_in.valid.eq(offered & running),
            dut.host_in.p.eq(word),
            dut.event.ready.eq(free(m, 1, "event_ready")),
            dut.done.ready.eq(free(m, 1, "done_ready")),
            Assume(holds(m, dut.host_in)),
            Assume(control.window < Mux(learns, 1, config.slots)),
            Assume(word.step | (word.ahead + control.window < self.slots)),
        ]

        # The fabric.
        slot = delayed(m, dut.slot, config.tree_depth)
        start = delayed(m, dut.fire.valid, config.tree_depth)
        working = Signal(config.tiles)
        reports = Signal(config.tiles)
        events = [Signal(config.slots, name=f"events{tile}") for tile in tiles]
        entering = Signal(config.slots)
        with m.If(transfer(dut.event)):
            m.d.comb += entering.eq(1 << dut.event.p.slot)
        everywhere = Signal(config.slots)
        m.d.comb += everywhere.eq(reduce_or(events))
        m.d.sync += [
            working.eq(start.replicate(config.tiles) | (working & free(m, config.tiles, "works"))),
            reports.eq(
                free(m, config.tiles, "reporting")
                & (working | reports.any().replicate(config.tiles))
            ),
        ]
        for tile in tiles:
            makes = free(m, config.slots, f"makes{tile}") & working[tile].replicate(config.slots)
            moves = free(m, config.slots, f"moves{tile}") & everywhere
            m.d.sync += events[tile].eq(makes | moves | (entering if tile == 0 else 0))
        learning = self._learn(m, working, everywhere, learns) if config.plasticity else Const(0)
        busy = [working[tile] | (events[tile] & (1 << slot)).any() for tile in tiles]
        if config.plasticity:
            busy = [busy[tile] | learning[tile] for tile in tiles]
            occupied = [events[tile].any() for tile in tiles]
            m.d.comb += dut.occupied.eq(any_of(m, occupied, self.up))
        m.d.comb += [
            dut.busy.eq(any_of(m, busy, self.up)),
            dut.collecting.eq(any_of(m, list(reports), self.up)),
        ]

        waits, ends = (dut.fsm.ongoing(state) for state in ("WAIT", "DONE"))
        goes_on = dut.fire.valid | dut.done.valid | ends
        m.d.comb += Assert(~goes_on | ~learning.any(), "nor while a tile learns")
        here = Signal()
        m.d.comb += here.eq(working.any() | (everywhere & (1 << dut.slot)).any())
        m.d.comb += [
            Assert(~goes_on | ~here, "the step goes on only when nothing of it is left"),
            Assert(~(start & working.any()), "a command comes to tiles at rest"),
            Assert(~dut.done.valid | ~reports.any(), "a step ends after its last report"),
            Assert(holds(m, dut.event), "valid and payload hold"),
            Assert(holds(m, dut.done), "valid and payload hold"),
            Assert(dut.lead <= control.window + 1, "input is at most window + 1 steps ahead"),
            Assert(
                waits | ~transfer(dut.event) | (dut.event.p.slot != dut.slot),
                "input due now comes before the step is fired",
            ),
        ]

        # One step mark is followed.
        chosen = Signal()
        first = Signal()
        ahead = Signal(config.slot_width)
        before = Signal.like(dut.lead)  # steps to be fired before it
        finished = transfer(dut.done)
        with m.If(~chosen & transfer(dut.host_in) & word.step & free(m, 1, "choose")):
            m.d.sync += [
                chosen.eq(1),
                first.eq(word.first),
                ahead.eq(word.ahead),
                before.eq(dut.lead - finished),
            ]
        with m.Elif(chosen & finished):
            with m.If(before == 0):
                m.d.sync += chosen.eq(0)
            with m.Else():
                m.d.sync += before.eq(before - 1)
        with m.If(chosen & (before == 0) & dut.fire.valid):
            m.d.comb += Assert(
                (dut.fire.p.first == first) & (dut.fire.p.ahead == ahead),
                "a step is fired as its mark says",
            )
        steps = Signal(2)
        m.d.sync += steps.eq(steps + (finished & (steps != 3)))
        m.d.comb += [
            Cover((steps == 1) & finished & (control.last_phase == 1), "steps of two phases"),
            Cover((steps == 1) & (dut.lead == control.window + 1) & (control.window != 0), "ahead"),
        ]
        return m

    def _learn(self, m: Module, working: Signal, everywhere: Signal, learns: Signal) -> Signal:
        """Tiles that learn, for any number of clocks from the command on."""
        dut, tiles = self.dut, self.config.tiles
        command = delayed(m, dut.learn.valid, self.config.tree_depth)
        learning = Signal(tiles)
        m.d.sync += learning.eq(command.replicate(tiles) | (learning & free(m, tiles, "learn")))
        learned = Signal()  # from the present step
        m.d.sync += learned.eq((learned | dut.learn.valid) & ~transfer(dut.done))
        rests = ~working.any() & ~everywhere.any()
        m.d.comb += [
            Assert(~dut.learn.valid | ~learned, "a step is learned from once"),
            Assert(~dut.done.valid | (learned == learns), "and always, or never"),
            Assert(~(dut.learn.valid | command | learning.any()) | rests, APART),
            Assert(~(command & learning.any()), "a command comes to tiles that do not learn"),
            Cover(dut.done.valid & learned & (dut.slot == 1), "the second step"),
        ]
        return learning


APART = "while a tile learns there is no event anywhere, and none comes"


def reduce_or(values: list[Signal]) -> Signal:
    """All bits that are 1 in any of `values`."""
    result = values[0]
    for value in values[1:]:
        result = result | value
    return result


def fabric(columns: int, rows: int) -> FabricConfig:
    """The deepest tree, whose proof takes ten times as long with three slots, has two."""
    slots = SLOTS if columns * rows < 17 else 2
    return tiny(columns=columns, rows=rows, slots=slots, populations=2)


SIZES = [(1, 1), (2, 1), (3, 2), (6, 3)]
"""Meshes with trees of 0, 1, 2 and 3 registers: all that there are."""


def test_every_depth_is_there() -> None:
    depths = {FabricConfig(columns=x, rows=y).tree_depth for x in range(1, 9) for y in range(1, 9)}
    assert depths == {fabric(*size).tree_depth for size in SIZES}


@pytest.mark.parametrize("size", all_but({(2, 1)}, SIZES), ids=str)
def test_barrier(size: tuple[int, int]) -> None:
    assert verify(BarrierSpec(fabric(*size)), Mode.PROVE).status == "PASS"


@pytest.mark.parametrize("size", all_but({(1, 1)}, SIZES[:2]), ids=str)
def test_barrier_of_several_fire_lanes(size: tuple[int, int]) -> None:
    config = dataclasses.replace(fabric(*size), lanes=2, fire_lanes=2)
    assert verify(BarrierSpec(config), Mode.PROVE).status == "PASS"


@pytest.mark.parametrize("size", SIZES[:2], ids=str)
def test_barrier_opens(size: tuple[int, int]) -> None:
    assert verify(BarrierSpec(fabric(*size)), Mode.COVER, depth=40).status == "PASS"


FAULTS = {
    "does not settle": ("settling = 2 * config.tree_depth + 1", "settling = 0"),
    "settles one way": ("settling = 2 * config.tree_depth + 1", "settling = config.tree_depth + 1"),
    "settles one clock less": (
        "settling = 2 * config.tree_depth + 1",
        "settling = 2 * config.tree_depth",
    ),
    "does not look": ("quiet.eq((settle == 0) & ~busy)", "quiet.eq(settle == 0)"),
    "forgets reports": ("complete & ~self.collecting", "complete"),
    "opens too far": ("Mux(marked, lead < control.window, ", "Mux(0, 0, "),
    "fires a step without its mark": ("with m.If(lead == 0):", "with m.If(lead > 7):"),
    "commands in the wrong row": ("command_write.addr.eq(in_slot)", "command_write.addr.eq(lead)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_broken(fault: str) -> None:
    assert verify(BarrierSpec(fabric(2, 1), FAULTS[fault]), Mode.PROVE).status == "FAIL"


def test_tree_too_deep() -> None:
    assert verify(BarrierSpec(fabric(2, 1), up=1), Mode.PROVE).status == "FAIL"


def test_host_too_far_ahead() -> None:
    assert verify(BarrierSpec(fabric(2, 1), window=SLOTS + 1), Mode.PROVE).status == "FAIL"


def plastic(columns: int, rows: int) -> FabricConfig:
    return dataclasses.replace(fabric(columns, rows), plasticity=True, slots=2)


@pytest.mark.parametrize("size", all_but({(2, 1)}, SIZES[:3]), ids=str)
def test_barrier_of_learning(size: tuple[int, int]) -> None:
    assert verify(BarrierSpec(plastic(*size)), Mode.PROVE).status == "PASS"


QUICK = dataclasses.replace(plastic(1, 1), lanes=2, fire_lanes=2)
"""Several fire lanes, whose sequencer reports a step in BUSY where it does not learn."""


def test_barrier_of_learning_and_several_fire_lanes() -> None:
    assert verify(BarrierSpec(QUICK), Mode.PROVE).status == "PASS"


def test_a_step_that_is_reported_before_it_was_learned() -> None:
    fault = "complete |= ends & ~learning if config.plasticity else ends", "complete |= ends"
    assert verify(BarrierSpec(QUICK, fault), Mode.PROVE).status == "FAIL"


def test_barrier_of_learning_opens() -> None:
    config = dataclasses.replace(plastic(2, 1), populations=1)
    assert verify(BarrierSpec(config), Mode.COVER, depth=45).status == "PASS"


LEARNING_FAULTS = {
    "events of later steps are forgotten": (
        "with m.If(learning & occupied):",
        "with m.If(learning & occupied & 0):",
    ),
    "does not wait": (
        'with m.State("LEARNING"):\n            with m.If(quiet):',
        'with m.State("LEARNING"):\n            with m.If(1):',
    ),
    "does not settle": (
        'm.d.sync += settle.eq(settling)\n            m.next = "LEARNING"',
        'm.next = "LEARNING"',
    ),
    "learns though it should not": ("with m.If(learning):", "with m.If(1):"),
}


@pytest.mark.parametrize("fault", LEARNING_FAULTS)
def test_broken_barrier_of_learning(fault: str) -> None:
    spec = BarrierSpec(plastic(2, 1), LEARNING_FAULTS[fault])
    assert verify(spec, Mode.PROVE).status == "FAIL"
