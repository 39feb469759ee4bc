"""A neuron that spiked does not spike for some steps."""

from spikeloom.golden.cycle.switches.stage import Fields, Stage
from spikeloom.golden.spec import RefractoryMode


class Refractory(Stage):
    """See the table in `docs/hardware.md`."""

    def after_sum(self, u: int, v: int, v_reset: int, kept: Fields) -> int:
        if not kept["refractory_count"]:
            return u
        match self.row["refractory_mode"]:
            case RefractoryMode.HOLD:
                return v
            case RefractoryMode.CLAMP:
                return v_reset
        return u

    def bars(self, kept: Fields) -> bool:
        return kept["refractory_count"] > 0

    def keeps(self, spiked: bool, kept: Fields, u: int) -> dict[str, int]:
        left = max(kept["refractory_count"] - 1, 0)
        return {"refractory_count": self.row["refractory_steps"] if spiked else left}


STAGE = Refractory
