"""A potential moves toward 0."""

from spikeloom.golden.cycle.switches.stage import Stage


class ConstantLeak(Stage):
    """See the table in `docs/hardware.md`."""

    def leak(self, decayed: int) -> int:
        amount = self.row["constant_leak_amount"]
        if decayed > 0:
            return decayed - min(decayed, amount)
        if not self.row["constant_leak_positive_only"]:
            return decayed + min(-decayed, amount)
        return decayed


STAGE = ConstantLeak
