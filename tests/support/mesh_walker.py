"""Walks packets through route tables as docs/hardware.md says the routers do."""

from collections.abc import Sequence

from hypothesis import strategies as st

EAST, WEST, NORTH, SOUTH, LOCAL = range(5)
"""Ports, and bits of a row of a route table, in the order of the page."""
NAMES = ("EAST", "WEST", "NORTH", "SOUTH", "LOCAL")

Shape = tuple[int, int]
"""Columns and rows."""

MESHES: tuple[Shape, ...] = ((1, 1), (2, 1), (1, 3), (2, 2), (3, 5))


def meshes(least: int = 1) -> st.SearchStrategy[Shape]:
    """Meshes of at least `least` tiles."""
    return st.sampled_from([shape for shape in MESHES if shape[0] * shape[1] >= least])


def next_tile(shape: Shape, tile: int, port: int) -> int | None:
    columns, rows = shape
    column, row = tile % columns, tile // columns
    column += {EAST: 1, WEST: -1}.get(port, 0)
    row += {SOUTH: 1, NORTH: -1}.get(port, 0)
    inside = 0 <= column < columns and 0 <= row < rows
    return row * columns + column if inside and port != LOCAL else None


def may_turn(entry: int, port: int) -> bool:
    """Never back; from a column never into a row. The tile itself may be sent to by itself."""
    if entry == LOCAL:
        return True
    return port != entry and not (entry in (NORTH, SOUTH) and port in (EAST, WEST))


def walk(
    shape: Shape, tables: Sequence[Sequence[int]], tile: int, entry: int, route: int
) -> tuple[list[int], list[tuple[int, int]]]:
    """Tiles that a packet is delivered to, and the links (tile, port) that it takes.

    `tables` has the route table of each tile. Fails where a packet is dropped, or comes into a
    router twice.
    """
    delivered, links = [], []
    visited = set()
    here = [(tile, entry)]
    while here:
        tile, entry = here.pop()
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
                # No table may ask for more than the mesh has.
                assert following is not None
                links.append((tile, port))
                # East leads into the west side of the next router, and so on.
                here.append((following, port ^ 1))
            leaves = True
        assert leaves
    return delivered, links
