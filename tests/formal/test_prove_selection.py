"""Proofs about selections: one winner, the best; nobody else spikes; nobody stays undecided.

And of winners of positions: they are found before they are let through.
"""

from collections.abc import Callable
from typing import Any

import pytest
from amaranth import Const, Elaboratable, Module, Mux, Signal, Value
from amaranth.hdl import Assert, Assume, Cover
from specs import opened, tiny

from spikeloom.golden.spec import Status, Then
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.core.neuron import NeuronUpdate
from spikeloom.hdl.core.select import Select
from spikeloom.hdl.core.switches.selection import Selection
from spikeloom.sim.formal import Mode, fixed, free, verify

CONFIG = tiny(selection=True, neurons=8)
IMAGES = tiny(selection=True, neurons=4, extent=2, coordinates=2)


class BestSpec(Elaboratable):
    """The neuron that wins is at least as good as any candidate of the walk before.

    One candidate is followed, of any index and potential; others come in any order. So of equal
    candidates the one of the lowest index wins, and no other one does.
    """

    def __init__(self, fault: tuple[str, str] | None = None) -> None:
        hooks = {
            "best = Signal(neuron)": "best = self.best = Signal(neuron)",
            "chosen = Signal(neuron)": "chosen = self.chosen = Signal(neuron)",
        }
        if fault:
            hooks[fault[0]] = fault[1]
        self.dut = opened(Select, hooks)(CONFIG)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        row = fixed(m, struct(CONFIG.population_row), "row")
        index, u = free(m, dut.index.shape(), "index"), free(m, dut.u.shape(), "u")
        m.d.comb += [dut.population.eq(row), dut.index.eq(index), dut.u.eq(u)]
        for name in ("setup", "ends", "begins", "reads"):
            m.d.comb += getattr(dut, name).eq(free(m, 1, name))
        began = delayed(m, Const(1, 1), 1)  # before, no neuron has its index yet
        m.d.comb += dut.remains.eq(free(m, 1, "remains") & began & row.selection)
        followed = fixed(m, dut.index.shape(), "followed")
        level = Signal.like(dut.u)
        seen = Signal()  # the one that is followed was a candidate in this walk
        was_seen = Signal()  # and in the one before
        was_level = Signal.like(dut.u)
        here = delayed(m, index, 1)
        better = ~seen | (u > level)
        with m.If(dut.remains & (here == followed) & better):
            m.d.sync += [seen.eq(1), level.eq(u)]
        with m.If(dut.setup):
            m.d.sync += seen.eq(0)
        with m.If(dut.ends):
            m.d.sync += [was_seen.eq(seen), was_level.eq(level)]

        def as_good(neuron: Any, potential: Value) -> Value:
            number = ~neuron.before
            return neuron.valid & (
                (neuron.u > potential) | ((neuron.u == potential) & (number <= followed))
            )

        # When a walk begins, which is a clock after the one before has ended, no neuron is there.
        begun = delayed(m, dut.ends & dut.again, 1)
        wins = dut.won & dut.is_winner & ~begun
        m.d.comb += [
            Assert(~seen | as_good(dut.best, level), "the best so far is as good as any"),
            Assert(~was_seen | as_good(dut.chosen, was_level), "so is the winner"),
            Assert(~wins | (here == ~dut.chosen.before), "and nobody else wins"),
            Cover(wins & was_seen & (here < followed) & (dut.chosen.u == was_level), "a tie"),
        ]
        return m


def test_of_equal_candidates_exactly_one_wins() -> None:
    assert verify(BestSpec(), Mode.PROVE).status == "PASS"
    assert verify(BestSpec(), Mode.COVER, depth=10).status == "PASS"


@pytest.mark.parametrize(
    "fault",
    [
        ("before = delayed(m, ~self.index, 1)", "before = delayed(m, self.index, 1)"),
        ("~known.valid\n", "known.valid\n"),
        ("chosen.eq(best),", ""),
    ],
)
def test_a_worse_winner_is_found(fault: tuple[str, str]) -> None:
    assert verify(BestSpec(fault), Mode.BMC, depth=10).status == "FAIL"


class WalksSpec(Elaboratable):
    """Where positions compete, a walk finds the next winners between two that let them through."""

    def __init__(self, fault: tuple[str, str] | None = None) -> None:
        hooks = {
            f"{name} = Signal()": f"{name} = self.{name} = Signal()"
            for name in ("choosing", "seeking", "by_position")
        }
        if fault:
            hooks[fault[0]] = fault[1]
        self.dut = opened(Select, hooks)(IMAGES)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        row = fixed(m, struct(IMAGES.population_row), "row")
        m.d.comb += [dut.population.eq(row), Assume(~dut.remains | row.selection)]
        for name in (
            *("setup", "ends", "begins", "reads", "at_origin", "remains"),
            *("u", "index", *(name for name, _ in IMAGES.position)),
        ):
            port = getattr(dut, name)
            m.d.comb += port.eq(free(m, port.shape(), name))
        let, sought = Signal(), Signal()  # the walk before let winners through, or found them
        with m.If(dut.ends):
            m.d.sync += [let.eq(dut.choosing & dut.by_position), sought.eq(dut.seeking)]
        walks = dut.settled
        m.d.comb += [
            Assert(~dut.seeking | (~dut.won & ~dut.sends), "nobody is let through meanwhile"),
            Assert(~(walks & let & dut.choosing), "winners are found first"),
            Assert(~(walks & sought & dut.seeking), "who was found is let through"),
            Assert(~dut.won | dut.settled, "a first walk lets nobody through"),
            Cover(walks & sought & dut.choosing & dut.won, "the second winners"),
        ]
        return m


def test_winners_of_positions_are_found_before_they_are_let_through() -> None:
    assert verify(WalksSpec(), Mode.PROVE).status == "PASS"
    assert verify(WalksSpec(), Mode.COVER, depth=30).status == "PASS"


@pytest.mark.parametrize(
    "fault",
    [
        ("choosing.eq(pending & ~(by_position & choosing))", "choosing.eq(pending)"),
        ("self.settled & ~choosing & ~seeking", "self.settled & ~choosing"),
    ],
)
def test_a_walk_too_few_is_found(fault: tuple[str, str]) -> None:
    assert verify(WalksSpec(fault), Mode.BMC, depth=10).status == "FAIL"


class DecisionSpec(Elaboratable):
    """What a neuron does in a walk, whatever its row, potential, status and competition are."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = NeuronUpdate(CONFIG)
        row = fixed(m, struct(CONFIG.population_row), "row")
        m.d.comb += [
            dut.row.eq(row),
            *(
                getattr(dut, name).eq(free(m, getattr(dut, name).shape(), name))
                for name in ("v", "x", "kept", "settled", "won", "is_winner", "blocked")
            ),
        ]
        began = delayed(m, Const(1, 1), dut.latency)
        kept = delayed(m, dut.kept, dut.latency)
        settled = delayed(m, dut.settled, dut.latency)
        won, is_winner = delayed(m, dut.won, 1), delayed(m, dut.is_winner, 1)
        on = began & row.selection
        spikes = dut.spiked != 0
        after = dut.kept_next.selection_status
        full = kept.selection_count + 1 >= row.selection_winners
        lost = (kept.selection_status == Status.LOST) & (row.selection_then != Then.AGAIN)
        open_ = Mux(row.selection_then == Then.AGAIN, 1, kept.selection_status == Status.COMPETES)
        m.d.comb += [
            Assert(~on | ~settled | ~spikes | (won & is_winner), "only the winner spikes"),
            Assert(~on | settled | ~open_ | ~spikes, "nobody who competes spikes unchosen"),
            Assert(~on | settled | ~lost | ~spikes, SILENCED),
            Assert(
                ~on | ~settled | ~(won & full) | (after != Status.CANDIDATE),
                "nobody stays undecided",
            ),
            Assert(
                ~on
                | ~settled
                | ~(won & full & ~is_winner)
                | (row.selection_then != Then.SILENCE)
                | (kept.selection_status == Status.FREE)
                | (after == Status.LOST),
                "losers are silenced",
            ),
            Cover(on & settled & spikes & (after == Status.FREE), "a winner"),
        ]
        return m


def test_decisions() -> None:
    assert verify(DecisionSpec(), Mode.PROVE).status == "PASS"
    assert verify(DecisionSpec(), Mode.COVER, depth=20).status == "PASS"


_start = Selection.start


def _never_full(stage: Selection, pipe: Any) -> None:
    _start(stage, pipe)
    pipe.put("selection_fills", Const(0, 1))


SILENCED, UNDECIDED = "who was silenced does not spike", "nobody stays undecided"
FAULTS: list[tuple[str, Callable[..., Any], set[str]]] = [
    ("bars", lambda self, pipe: Const(0), {SILENCED}),
    ("start", _never_full, {UNDECIDED, "losers are silenced"}),
]


@pytest.mark.parametrize(("method", "wrong", "claims"), FAULTS)
def test_a_fault_is_found(
    method: str, wrong: Callable[..., Any], claims: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Selection, method, wrong)
    verdict = verify(DecisionSpec(), Mode.BMC, depth=20)
    assert verdict.status == "FAIL"
    assert claims & set(verdict.failed)
