"""Follows packets through route tables by the rules of docs/hardware.md."""

from collections.abc import Sequence

from hypothesis import strategies as st

EAST, WEST, NORTH, SOUTH, LOCAL = range(5)
"""Ports, and bits of a row of a route table, in the order of the page."""
NAMES = ("EAST", "WEST", "NORTH", "SOUTH", "LOCAL")

Shape = tuple[int, int]
"""Columns and rows."""

MESHES: tuple[Shape, ...] = ((1, 1), (2, 1), (1, 3), (2, 2), (3, 5))


def meshes(minimum: int = 1) -> st.SearchStrategy[Shape]:
    """Meshes of at least `minimum` tiles."""
    return st.sampled_from([shape for shape in MESHES if shape[0] * shape[1] >= minimum])


def next_tile(shape: Shape, tile: int, port: int) -> int | None:
    columns, rows = shape
    column, row = tile % columns, tile // columns
    column += {EAST: 1, WEST: -1}.get(port, 0)
    row += {SOUTH: 1, NORTH: -1}.get(port, 0)
    inside = 0 <= column < columns and 0 <= row < rows
    return row * columns + column if inside and port != LOCAL else None


def may_turn(entry: int, port: int) -> bool:
    """Never back, and never from a column into a row. A tile may send to itself."""
    if entry == LOCAL:
        return True
    return port != entry and not (entry in (NORTH, SOUTH) and port in (EAST, WEST))


def walk(
    shape: Shape, tables: Sequence[Sequence[int]], tile: int, entry: int, route: int
) -> tuple[list[int], list[tuple[int, int]]]:
    """Tiles that receive a packet, and the links (tile, port) that it takes.

    `tables` has the route table of each tile. Fails if a packet is dropped, or enters a router
    twice.
    """
    delivered, links = [], []
    visited = set()
    pending = [(tile, entry)]
    while pending:
        tile, entry = pending.pop()
        assert tile not in visited
        visited.add(tile)
        leaves = False
        for port in range(5):
            following = next_tile(shape, tile, port)
            if not tables[tile][route] >> port & 1 or not may_turn(entry, port):
                continue
            if port == LOCAL:
                delivered.append(tile)
            else:
                # No table may point out of the mesh.
                assert following is not None
                links.append((tile, port))
                # East faces west, and north faces south.
                pending.append((following, port ^ 1))
            leaves = True
        assert leaves
    return delivered, links
