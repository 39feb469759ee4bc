"""A potential is rounded and clipped to few bits."""

from spikeloom.golden.cycle.switches.stage import Stage


class Requantise(Stage):
    """See the table in `docs/hardware.md`."""

    def before_comparison(self, u: int, v_reset: int) -> int:
        shift = self.row["requantise_shift"]
        half = 1 << shift >> 1
        return min(max(u + half >> shift, 0), self.row["requantise_top"])


STAGE = Requantise
