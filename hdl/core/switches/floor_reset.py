"""A potential below a minimum is reset."""

from amaranth import Mux, Value

from spikeloom.hdl.core.pipeline import Pipeline
from spikeloom.hdl.core.switches.stage import Stage


class FloorReset(Stage):
    """A comparison and a choice."""

    def before_comparison(self, pipe: Pipeline, u: Value) -> Value:
        row = pipe.row
        below = row.floor_reset & (u < row.floor_reset_minimum)
        return pipe.register(Mux(below, pipe.parameter("v_reset"), u))


STAGE = FloorReset
