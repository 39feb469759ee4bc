"""The input is scaled."""

from spikeloom.golden.cycle.switches.stage import Constants, Stage
from spikeloom.golden.spec import DECAY_BITS


class InputGain(Stage):
    """See the table in `docs/hardware.md`."""

    def scale(self, x: int, total: int, bias: int, constants: Constants) -> int:
        return total * constants.gain + bias >> DECAY_BITS


STAGE = InputGain
