"""A potential is rounded and clipped to few bits."""

from amaranth import Const, Mux, Value

from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.core.pipeline import Pipeline
from spikeloom.hdl.core.switches.stage import Stage


class Requantise(Stage):
    """An adder, a shifter and the limits, a clock each."""

    def before_comparison(self, pipe: Pipeline, u: Value) -> Value:
        m, row, bits = pipe.m, pipe.row, pipe.config.state_bits
        on = row.requantise
        # What follows from the row settles long before the first neuron.
        shift = delayed(m, Mux(on, row.requantise_shift, 0), 1)
        half = delayed(m, Mux(on, (Const(1) << row.requantise_shift)[1 : bits + 1], 0), 1)
        u = pipe.register(u + half)
        u = pipe.register((u >> shift)[:bits].as_signed())
        high = u > row.requantise_top
        return pipe.register(
            Mux(on & u[-1], 0, Mux(on & high, row.requantise_top, u))[:bits].as_signed()
        )


STAGE = Requantise
