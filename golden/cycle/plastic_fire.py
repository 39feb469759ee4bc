"""Cycle-level golden model of fire with learning, in the section Learning of `docs/hardware.md`."""

from spikeloom.golden.cycle.fire import Result
from spikeloom.golden.cycle.full_fire import FullFire
from spikeloom.golden.cycle.quick_fire import QuickFire
from spikeloom.golden.cycle.selecting_fire import SelectingFire
from spikeloom.golden.cycle.switches.plasticity import Plasticity


class PlasticFire(FullFire):
    """Fire of a fabric that is built with `plasticity`: it sets the bits of `touched`."""

    __slots__ = ()

    def _result(self, address: int, u: int, spiked: int, current: int, negative: bool) -> Result:
        for stage in self.active:
            if isinstance(stage, Plasticity):
                kept = self.config.kept_row.unpack(self.kept[address])
                if stage.touches(kept["plasticity_spiked"], kept["plasticity_recent"]):
                    self.touched |= 1 << address // self.lanes
        return super()._result(address, u, spiked, current, negative)


class PlasticQuickFire(PlasticFire, QuickFire):
    """The same with several fire lanes."""

    __slots__ = ()


class PlasticSelectingFire(PlasticFire, SelectingFire):
    """The same with selections."""

    __slots__ = ()
