"""Spikes raise the threshold."""

from amaranth import Mux, Value

from spikeloom.golden.spec import DECAY_BITS
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.core.pipeline import Pipeline
from spikeloom.hdl.core.product import product
from spikeloom.hdl.core.switches.stage import Stage


class AdaptiveThreshold(Stage):
    """An adder in front of the comparison; a multiplier and an adder beside the pipeline."""

    def start(self, pipe: Pipeline) -> None:
        m, row, config = pipe.m, pipe.row, pipe.config
        kept = pipe.get("adaptive_threshold_adaptation")
        adaptation = Mux(row.adaptive_threshold, kept, 0).as_signed()  # never negative
        pipe.put("raised_threshold", pipe.parameter("threshold") + adaptation)
        retained = product(m, config, adaptation, row.adaptive_threshold_retain, steady=True)
        falls = delayed(m, (retained >> DECAY_BITS)[: config.state_bits - 1], 1)
        pipe.put("adaptation_falls", falls, later=config.product_clocks + 1)
        total = falls + row.adaptive_threshold_increment
        rises = Mux(total[config.state_bits - 1 :].any(), (1 << (config.state_bits - 1)) - 1, total)
        pipe.put("adaptation_rises", rises, later=config.product_clocks + 1)

    def raised(self, pipe: Pipeline, threshold: Value) -> Value:
        return pipe.get("raised_threshold")

    def keeps(self, pipe: Pipeline, spiked: Value) -> dict[str, Value]:
        rises = pipe.row.adaptive_threshold & spiked
        kept = Mux(rises, pipe.get("adaptation_rises"), pipe.get("adaptation_falls"))
        return {"adaptive_threshold_adaptation": kept}


STAGE = AdaptiveThreshold
