"""A neuron spikes at most once in a sample."""

from amaranth import Value

from spikeloom.hdl.core.pipeline import Pipeline
from spikeloom.hdl.core.switches.stage import Stage


class SpikeOnce(Stage):
    """A bit beside the potential; where the row lacks the switch it is never set."""

    def bars(self, pipe: Pipeline) -> Value:
        return pipe.get("spike_once_latch")

    def keeps(self, pipe: Pipeline, spiked: Value) -> dict[str, Value]:
        sets = pipe.row.spike_once & spiked
        return {"spike_once_latch": sets | pipe.get("spike_once_latch")}


STAGE = SpikeOnce
