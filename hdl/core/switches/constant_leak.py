"""A potential moves toward 0."""

from amaranth import Mux, Value

from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.core.pipeline import Pipeline
from spikeloom.hdl.core.product import decayed
from spikeloom.hdl.core.switches.stage import Stage


class ConstantLeak(Stage):
    """It is added where the decay is rounded, and a potential that changes its sign becomes 0.

    So the sum of the multiplier brings it, and nothing is compared.
    """

    def leak(self, pipe: Pipeline, retained: Value, negative: Value) -> Value:
        row = pipe.row
        amount = row.constant_leak_amount
        # What follows from the row settles long before the first neuron.
        falls = delayed(pipe.m, -amount, 1)
        acts = row.constant_leak & ~(negative & row.constant_leak_positive_only)
        moves = Mux(acts, Mux(negative, amount, falls), 0)
        moved = pipe.register(decayed(retained, negative, moves))
        # A potential that was 0, or became 0, passes for one that crosses it.
        crosses = moved[-1] != pipe.get("negative")
        return Mux(crosses, 0, moved[: pipe.config.state_bits + 1].as_signed())


STAGE = ConstantLeak
