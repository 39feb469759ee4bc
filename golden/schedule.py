"""Parameters that change from step to step: variants of populations, and which holds when."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from spikeloom.golden.checks import check_integer
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.plain import PlainIntegers
from spikeloom.golden.spec import MAX_REPEAT, Reset
from spikeloom.golden.switches.switch import Switch

MAX_STEPS = 1 << 16
"""Maximum length of a schedule."""


@dataclass(frozen=True)
class Variant(PlainIntegers):
    """Parameters that a population has in some steps in place of its own; None leaves its own.

    They are shared by its neurons. What a switch keeps of a neuron is lost in a step in which the
    population does not have it.

    Parameters
    ----------
    decay, threshold, inclusive, reset, v_reset, subtrahend, v_min, switches
        As in `Population`.
    spiking
        False in steps in which a spiking population only integrates.
    """

    decay: int | None = None
    threshold: int | None = None
    inclusive: bool | None = None
    spiking: bool | None = None
    reset: Reset | None = None
    v_reset: int | None = None
    subtrahend: int | None = None
    v_min: int | None = None
    switches: tuple[Switch, ...] | None = None

    @property
    def fields(self) -> dict[str, object]:
        """The parameters that it replaces, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


class Scheduled(Protocol):
    """A population with variants."""

    @property
    def name(self) -> str: ...
    @property
    def spiking(self) -> bool: ...
    @property
    def variants(self) -> tuple[Variant, ...]: ...


def check_schedule(schedule: Sequence[int], populations: Sequence[Scheduled]) -> None:
    """Raise `SpikeloomError` if a schedule names a variant that no population has."""
    for population in populations:
        variants = population.variants
        if not isinstance(variants, tuple) or not all(isinstance(v, Variant) for v in variants):
            raise SpikeloomError(
                f"population {population.name!r}: variants must be a tuple of Variant, "
                f"not {variants!r}"
            )
    where = "network: schedule"
    most = max(len(population.variants) for population in populations)
    if not isinstance(schedule, tuple) or len(schedule) > MAX_STEPS:
        raise SpikeloomError(f"{where} must be a tuple of at most {MAX_STEPS} numbers of variants")
    for step, variant in enumerate(schedule):
        check_integer(f"{where}: step {step}", variant, 0, most)
    for population in populations:
        where = f"population {population.name!r}: variants"
        if not population.spiking and any(v.spiking for v in population.variants):
            raise SpikeloomError(
                f"{where}: a population that never spikes cannot spike in some steps; make it "
                "spiking, with spiking=False in the other variants"
            )
        if population.variants and not schedule:
            raise SpikeloomError(f"{where}: no schedule says when they hold; give the network one")


def row_sets(schedule: Sequence[int]) -> list[tuple[int, int]]:
    """The sets of rows that the hardware goes through: a variant, and the steps that it holds.

    At most `MAX_REPEAT` + 1 steps each. The last one holds for ever.
    """
    sets = []
    for variant, steps in groupby(schedule or (0,)):
        left = len(list(steps))
        while left:
            length = min(left, MAX_REPEAT + 1)
            sets.append((variant, length))
            left -= length
    return sets
