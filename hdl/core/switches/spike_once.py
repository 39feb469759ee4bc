"""A neuron spikes at most once in a sample."""

from amaranth import Value

from spikeloom.hdl.core.pipeline import Pipeline
from spikeloom.hdl.core.switches.stage import Stage


class SpikeOnce(Stage):
    """A bit beside the potential."""

    def bars(self, pipe: Pipeline) -> Value:
        return pipe.row.spike_once & pipe.get("spike_once_latch")

    def keeps(self, pipe: Pipeline, spiked: Value) -> dict[str, Value]:
        return {"spike_once_latch": pipe.row.spike_once & (spiked | pipe.get("spike_once_latch"))}


STAGE = SpikeOnce
