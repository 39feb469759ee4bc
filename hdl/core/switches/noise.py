"""A random number is taken from the threshold."""

from amaranth import Mux, Value

from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.core.pipeline import Pipeline
from spikeloom.hdl.core.switches.stage import Stage


class Noise(Stage):
    """A subtraction beside the pipeline, from the threshold that `adaptive_threshold` may raise."""

    def start(self, pipe: Pipeline) -> None:
        m = pipe.m
        raised = pipe.config.adaptive_threshold
        threshold = pipe.get("raised_threshold") if raised else pipe.parameter("threshold")
        noise, clocks = pipe.coming("noise")
        if raised or pipe.config.neuron_parameters:
            threshold = delayed(m, threshold, clocks)
        lowered = threshold - Mux(pipe.row.noise, noise, 0)
        pipe.put("lowered_threshold", delayed(m, lowered, 1), later=clocks + 1)

    def raised(self, pipe: Pipeline, threshold: Value) -> Value:
        return pipe.get("lowered_threshold")


STAGE = Noise
