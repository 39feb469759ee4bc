"""Spikes raise the threshold."""

from spikeloom.golden.cycle.switches.stage import Fields, Stage
from spikeloom.golden.spec import DECAY_BITS


class AdaptiveThreshold(Stage):
    """See the table in `docs/hardware.md`."""

    def carries(self, kept: Fields) -> dict[str, int]:
        keep, name = self.row["adaptive_threshold_keep"], "adaptive_threshold_adaptation"
        return {name: kept[name]} if keep else {}

    def raised(self, kept: Fields) -> int:
        return kept["adaptive_threshold_adaptation"]

    def keeps(self, spiked: bool, kept: Fields, u: int) -> dict[str, int]:
        adaptation = kept["adaptive_threshold_adaptation"]
        adaptation = adaptation * self.row["adaptive_threshold_retain"] >> DECAY_BITS
        if spiked:
            adaptation += self.row["adaptive_threshold_increment"]
        return {"adaptive_threshold_adaptation": min(adaptation, self.highest)}


STAGE = AdaptiveThreshold
