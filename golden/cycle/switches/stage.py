"""What a switch does to one neuron at each point of fire's pipeline."""

import importlib
from collections.abc import Callable, Mapping
from typing import Protocol

from spikeloom.golden.spec import FabricConfig

Fields = Mapping[str, int]
"""Values by the full names of their fields."""


class Constants(Protocol):
    """What switches read of a row of the bias memory."""

    @property
    def gain(self) -> int: ...


class Stage:
    """A switch that is on in a row of the population table; by default it does nothing.

    Parameters
    ----------
    row
        The row's fields.
    """

    def __init__(self, row: Fields, config: FabricConfig) -> None:
        self.row = row
        self.highest = (1 << (config.state_bits - 1)) - 1

    def carries(self, kept: Fields) -> dict[str, int]:
        """Its kept fields that the first step of a sample does not read as 0."""
        return {}

    def scale(self, x: int, total: int, bias: int, constants: Constants) -> int:
        """The neuron's input, from its shifted sum and its row of the bias memory."""
        return x

    def leak(self, decayed: int) -> int:
        """The decayed potential."""
        return decayed

    def after_sum(self, u: int, v: int, v_reset: int, kept: Fields) -> int:
        """The potential after m + 6; `v` is that before the step."""
        return u

    def before_comparison(self, u: int, v_reset: int) -> int:
        """The potential after m + 7."""
        return u

    def raised(self, kept: Fields) -> int:
        """What m + 8 adds to the threshold."""
        return 0

    def lowered(self, draw: Callable[[int], int]) -> int:
        """What m + 8 takes from the threshold; `draw` gives n from a table."""
        return 0

    def bars(self, kept: Fields) -> bool:
        """Whether it keeps the neuron from spiking."""
        return False

    def keeps(self, spiked: bool, kept: Fields, u: int) -> dict[str, int]:
        """Its kept fields as m + 9 writes them; `u` is the potential of m + 8."""
        return {}


def stages(config: FabricConfig, row: Fields) -> list[Stage]:
    """The switches that are on in a row of the population table, in their order."""
    modules = (
        importlib.import_module(f"spikeloom.golden.cycle.switches.{name}")
        for name in config.switches
        if row.get(name, True)
    )
    return [module.STAGE(row, config) for module in modules]
