"""A potential below a minimum is reset."""

from spikeloom.golden.cycle.switches.stage import Stage


class FloorReset(Stage):
    """See the table in `docs/hardware.md`."""

    def before_comparison(self, u: int, v_reset: int) -> int:
        return v_reset if u < self.row["floor_reset_minimum"] else u


STAGE = FloorReset
