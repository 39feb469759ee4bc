"""A neuron spikes at most once in a sample."""

from spikeloom.golden.cycle.switches.stage import Fields, Stage


class SpikeOnce(Stage):
    """See the table in `docs/hardware.md`."""

    def bars(self, kept: Fields) -> bool:
        return bool(kept["spike_once_latch"])

    def keeps(self, spiked: bool, kept: Fields, u: int) -> dict[str, int]:
        return {"spike_once_latch": spiked or kept["spike_once_latch"]}


STAGE = SpikeOnce
