"""The input is scaled."""

from amaranth import Value

from spikeloom.golden.spec import DECAY_BITS
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.core.pipeline import Pipeline
from spikeloom.hdl.core.product import product
from spikeloom.hdl.core.switches.stage import Stage


class InputGain(Stage):
    """A multiplier beside that of the decay, and an adder behind it that brings the bias."""

    def start(self, pipe: Pipeline) -> None:
        m, config = pipe.m, pipe.config
        scaled = product(m, config, pipe.get("x"), pipe.get("gain"), steady=False)
        pipe.put("scaled", scaled, later=config.product_clocks)

    def scale(self, pipe: Pipeline, x: Value) -> Value:
        config, scaled = pipe.config, pipe.get("scaled")
        if config.fraction_bits:
            # The row has settled. Larger shifts than `fraction_bits` do not occur.
            shifted = scaled << delayed(pipe.m, pipe.row.fraction, 1)
            scaled = shifted[: len(scaled) + config.fraction_bits].as_signed()
        return pipe.register((scaled + pipe.get("bias")) >> DECAY_BITS)


STAGE = InputGain
