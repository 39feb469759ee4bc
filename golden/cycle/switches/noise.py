"""A random number is added to the potential where it is compared."""

from collections.abc import Callable

from spikeloom.golden.cycle.switches.stage import Stage


class Noise(Stage):
    """See the table in `docs/hardware.md`."""

    def lowered(self, draw: Callable[[int], int]) -> int:
        return draw(self.row["noise_table"])


STAGE = Noise
