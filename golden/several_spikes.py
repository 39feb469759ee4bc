"""The check of populations that can spike several times in a step, or with a sign."""

from typing import Protocol

import numpy as np

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers
from spikeloom.golden.spec import SPIKES_PER_STEP, Reset


class SeveralSpikes(Protocol):
    """What the check reads of a population; `Population` documents each."""

    @property
    def max_spikes(self) -> int: ...
    @property
    def signed(self) -> bool: ...
    @property
    def threshold(self) -> int | Integers: ...
    @property
    def subtracted(self) -> int | Integers: ...
    @property
    def reset(self) -> Reset: ...
    @property
    def delayed_reset(self) -> bool: ...


def check_max_spikes(where: str, population: SeveralSpikes) -> None:
    """Raise `SpikeloomError` if maximum spikes per step or sign do not suit the other options."""
    limit = population.max_spikes
    if isinstance(limit, bool) or limit not in SPIKES_PER_STEP:
        raise SpikeloomError(f"{where}: max_spikes must be 1, 3, 7, 15 or 31, not {limit!r}")
    if limit == 1 and not population.signed:
        return
    kind = "several" if limit > 1 else "signed"
    if np.min(population.threshold) < 1:
        raise SpikeloomError(
            f"{where}: with {kind} spikes per step the threshold must be positive, "
            f"not {np.min(population.threshold)}"
        )
    if population.signed and (population.delayed_reset or population.reset is Reset.RESTORE):
        raise SpikeloomError(
            f"{where}: signed spikes reset at once; leave out delayed_reset and Reset.RESTORE"
        )
    if limit == 1:
        return
    own = np.any(np.not_equal(population.subtracted, population.threshold))
    if population.delayed_reset or own or population.reset is Reset.RESTORE:
        raise SpikeloomError(
            f"{where}: with several spikes per step each subtracts the threshold at once; "
            "leave out delayed_reset, subtrahend and Reset.RESTORE"
        )
