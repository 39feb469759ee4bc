"""Of the neurons of a competition that would spike, only the best do."""

from spikeloom.golden.cycle.switches.stage import Fields, Stage
from spikeloom.golden.spec import Status, Then


class Selection(Stage):
    """See the table in `docs/hardware.md`; `golden.cycle.selecting_fire` has the rest."""

    def stands(self, kept: Fields) -> tuple[int, int]:
        """Status and count of a neuron when a step begins."""
        if self.row["selection_then"] == Then.AGAIN:
            return Status.COMPETES, 0
        return kept["selection_status"], kept["selection_count"]

    def bars(self, kept: Fields) -> bool:
        return self.stands(kept)[0] == Status.LOST

    def keeps(self, spiked: bool, kept: Fields, u: int) -> dict[str, int]:
        status, count = self.stands(kept)
        return {"selection_status": status, "selection_count": count}


STAGE = Selection
