"""What learning keeps of a neuron: its last spike, and its potential."""

from spikeloom.golden.cycle.switches.stage import Fields, Stage
from spikeloom.golden.spec import MAX_AGE


class Plasticity(Stage):
    """See What neurons keep in `docs/hardware.md`."""

    def keeps(self, spiked: bool, kept: Fields, u: int) -> dict[str, int]:
        recent = MAX_AGE - 1 if kept["plasticity_spiked"] else max(kept["plasticity_recent"] - 1, 0)
        return {
            "plasticity_spiked": spiked,
            "plasticity_recent": recent,
            "plasticity_potential": u & 2 * self.highest + 1,
        }

    def touches(self, spiked: int, recent: int) -> bool:
        """Whether a neuron has something to learn, by its fields as they are written."""
        row = self.row
        age = 0 if spiked else MAX_AGE - recent
        on_spike = row["plasticity_on_spike"] and spiked
        return bool(row["plasticity_always"] or on_spike or age == row["plasticity_at_age"] != 0)


STAGE = Plasticity
