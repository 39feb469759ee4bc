"""Baked contents: rows that memories of a fabric start with, without being loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from spikeloom.golden.spec import LoadTarget

Rows = Mapping[LoadTarget, Sequence[int]]
"""Packed rows of each memory of a tile, from row 0 on; further rows are 0."""

NO_ROWS: Rows = MappingProxyType({})
"""The rows of a tile without baked contents."""


@dataclass(frozen=True)
class Contents:
    """Initial contents of memories and control register; see `docs/hardware.md`, Load port.

    Parameters
    ----------
    tiles
        For each tile, the rows of each memory with contents, the same memories in every tile;
        empty if the fabric has no baked contents.
    control
        The reset value of the control register, packed with `FabricConfig.control_row`.
    """

    tiles: tuple[Rows, ...] = ()
    control: int = 0

    def of(self, tile: int) -> Rows:
        """The rows of a tile."""
        return self.tiles[tile] if self.tiles else NO_ROWS

    @property
    def targets(self) -> tuple[LoadTarget, ...]:
        """The targets with contents, CONTROL included, in ascending order."""
        return tuple(sorted((*self.tiles[0], LoadTarget.CONTROL))) if self.tiles else ()


NOTHING = Contents()
"""No baked contents."""
