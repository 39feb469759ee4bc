"""Of the neurons of a competition that would spike, only the best do: what a neuron needs of it."""

from collections.abc import Mapping
from typing import NamedTuple

from amaranth import Module, Mux, Signal, Value

from spikeloom.golden.spec import Status, Then
from spikeloom.hdl.common.arithmetic import saturate
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.core.pipeline import Pipeline
from spikeloom.hdl.core.switches.stage import Stage


class Selection(Stage):
    """Status and count beside the potential; `hdl.core.select` has what concerns a population."""

    def start(self, pipe: Pipeline) -> None:
        row = pipe.row
        anew = (row.selection_then == Then.AGAIN) & ~pipe.get("settled")
        pipe.put("selection_stands", Mux(anew, 0, pipe.get("selection_status")))
        count = pipe.get("selection_count")
        pipe.put("selection_counted", Mux(anew, 0, count))
        pipe.put("selection_fills", Mux(anew, 0, count) + 1 >= row.selection_winners)

    def before_comparison(self, pipe: Pipeline, u: Value) -> Value:
        """In a settled walk the potential is final but for what the selection does to it."""
        return Mux(pipe.get("settled"), pipe.get("v"), u)

    def bars(self, pipe: Pipeline) -> Value:
        return pipe.row.selection & (pipe.get("selection_stands") == Status.LOST)


STAGE = Selection


class Decision(NamedTuple):
    """What the selection does with a neuron, in the stage m + 9.

    Parameters
    ----------
    spikes
        It spikes.
    remains
        It is a candidate, and stays one.
    loses
        It loses.
    decided
        What the other switches keep is what they say; if not, it stays as it was read.
    status, count
        Are kept.
    """

    spikes: Value
    remains: Value
    loses: Value
    decided: Value
    status: Value
    count: Value

    def kept(self, pipe: Pipeline, others: Mapping[str, Value]) -> dict[str, Value]:
        """What is kept of the neuron, if `others` is what the other switches say."""
        return {
            **{name: Mux(self.decided, value, pipe.get(name)) for name, value in others.items()},
            "selection_status": self.status,
            "selection_count": self.count,
        }


def decide(
    m: Module, pipe: Pipeline, spiked: Value, won: Value, is_winner: Value, blocked: Value
) -> Decision:
    """The decision on the neuron in the present stage.

    Parameters
    ----------
    spiked
        It would spike.
    won, is_winner, blocked
        Its competition has a winner in this walk; it is that one; that one blocks it.
    """
    row = pipe.row
    on = row.selection
    settled = pipe.get("settled")
    stands = pipe.get("selection_stands")
    competes, wins, loses, remains = (
        Signal(name=name) for name in ("competes", "wins", "loses", "remains")
    )
    is_candidate = stands == Status.CANDIDATE
    is_open = stands == Status.COMPETES
    m.d.comb += [
        competes.eq(on & Mux(settled, is_candidate, spiked & is_open)),
        wins.eq(won & is_winner),  # it was a candidate, so it competes
        loses.eq(
            on & won & ~wins & (is_candidate | is_open) & (pipe.get("selection_fills") | blocked)
        ),
        # Who competes stands as a candidate, or is open: neither wins nor loses.
        remains.eq(competes & ~(won & (is_winner | pipe.get("selection_fills") | blocked))),
    ]
    status = Mux(loses, Status.LOST, stands)
    status = Mux(wins | (loses & (row.selection_then == Then.FREE)), Status.FREE, status)
    status = Mux(remains, Status.CANDIDATE, status)
    return Decision(
        spikes=Mux(settled, wins, spiked & ~competes),
        remains=remains,
        loses=loses,
        decided=Mux(settled, competes & ~remains, ~remains),
        status=Mux(on, status, 0),
        count=Mux(on, (pipe.get("selection_counted") + won)[:4], 0),
    )


def level(m: Module, pipe: Pipeline, decision: Decision, v: Value) -> Value:
    """The potential that is written, in the next stage, to which this goes on."""
    row = pipe.row
    loses = delayed(m, decision.loses, 1)
    v = pipe.register(v)
    less = saturate(v - row.selection_amount, pipe.config.state_bits)
    return Mux(loses, Mux(row.selection_resets, pipe.parameter("v_reset"), less), v)
