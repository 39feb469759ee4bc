"""A potential moves toward 0."""

from amaranth import Mux, Value

from spikeloom.hdl.core.pipeline import Pipeline
from spikeloom.hdl.core.switches.stage import Stage


class ConstantLeak(Stage):
    """An adder and the check of its sign: a potential that crosses 0 becomes 0."""

    needs_decayed = True

    def leak(self, pipe: Pipeline, decayed: Value) -> Value:
        row = pipe.row
        negative = decayed[-1]
        amount = row.constant_leak_amount
        moved = decayed + Mux(negative, amount, -amount)
        acts = row.constant_leak & ~(negative & row.constant_leak_positive_only)
        there = moved[-1] != negative
        return pipe.register(Mux(acts, Mux(there, 0, moved[: len(decayed)].as_signed()), decayed))


STAGE = ConstantLeak
