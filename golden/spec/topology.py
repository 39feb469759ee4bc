"""The mesh: neighbours, the sources behind each input, and the depth of the trees."""

from spikeloom.golden.spec.numbers import TREE_FAN_IN, Port
from spikeloom.golden.spec.sizes import Sizes


class Topology(Sizes):
    """How the tiles of a fabric are joined."""

    @property
    def tree_depth(self) -> int:
        """Registers between the sequencer and each tile, in each direction; 0 in a single tile."""
        depth = 0
        while TREE_FAN_IN**depth < self.tiles:
            depth += 1
        return depth

    def neighbour(self, tile: int, port: Port) -> int | None:
        """The tile at the other end of `port` of `tile`; None at an edge and for LOCAL."""
        row, column = divmod(tile, self.columns)
        match port:
            case Port.EAST:
                return tile + 1 if column + 1 < self.columns else None
            case Port.WEST:
                return tile - 1 if column > 0 else None
            case Port.NORTH:
                return tile - self.columns if row > 0 else None
            case Port.SOUTH:
                return tile + self.columns if row + 1 < self.rows else None
            case Port.LOCAL:
                return None

    def sources(self, tile: int, port: Port) -> int:
        """The number of tiles whose packets enter the router of `tile` through `port`.

        WEST of tile 0 has one source, the host; ports at other edges have none.
        """
        row, column = divmod(tile, self.columns)
        match port:
            case Port.EAST:
                return self.columns - 1 - column
            case Port.WEST:
                return column if tile else 1
            case Port.NORTH:
                return row * self.columns
            case Port.SOUTH:
                return (self.rows - 1 - row) * self.columns
            case Port.LOCAL:
                return 1

    def links(self, tile: int) -> tuple[Port, ...]:
        """The inputs of `tile`'s router from neighbours or the host; none in a single tile."""
        if self.tiles == 1:
            return ()
        sides = (Port.EAST, Port.WEST, Port.NORTH, Port.SOUTH)
        return tuple(
            port
            for port in sides
            if self.neighbour(tile, port) is not None or (tile, port) == (0, Port.WEST)
        )

    @property
    def read_clocks(self) -> int:
        """Clocks from a word at the read port to its byte: to the tile, through it, and back."""
        return 2 * self.tree_depth + 3
