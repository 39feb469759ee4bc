"""Contents that a fabric is built with, instead of being loaded with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from spikeloom.golden.spec import LoadTarget

Rows = Mapping[LoadTarget, Sequence[int]]
"""Packed rows of memories of a tile, from row 0 on; rows beyond are 0."""

NO_ROWS: Rows = MappingProxyType({})
"""Those of a tile that is built without contents."""


@dataclass(frozen=True)
class Contents:
    """What memories and the control register of a fabric start with. See docs/hardware.md.

    Parameters
    ----------
    tiles
        For each tile the rows of each memory that has contents, the same memories in every tile;
        empty if the fabric is built without contents.
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
        """What has contents, in the order of its numbers, the control register included."""
        return tuple(sorted((*self.tiles[0], LoadTarget.CONTROL))) if self.tiles else ()


NOTHING = Contents()
"""A fabric that is built without contents."""
