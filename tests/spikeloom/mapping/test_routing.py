"""Route tables and paths against a walk by the rules of the page."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mesh_walker import LOCAL, MESHES, NAMES, WEST, Shape, may_turn, meshes, next_tile, walk

from spikeloom.golden.spec import TURNS, FabricConfig, Port
from spikeloom.mapping.routing import links, output_port, paths, route_rows


def mesh(shape: Shape) -> FabricConfig:
    return FabricConfig(columns=shape[0], rows=shape[1])


@st.composite
def routes(draw: st.DrawFn, shape: Shape) -> list[frozenset[int]]:
    """Sets of destinations."""
    tiles = st.integers(0, shape[0] * shape[1] - 1)
    return draw(st.lists(st.frozensets(tiles, min_size=1), min_size=1, max_size=5))


def test_the_rules_are_those_of_the_hardware() -> None:
    for name, port in zip(NAMES, range(5), strict=True):
        assert Port[name] == port
        allowed = {other for other in range(5) if may_turn(port, other)}
        assert set(TURNS[Port(port)]) == allowed
    for shape in MESHES:
        for tile in range(shape[0] * shape[1]):
            for port in Port:
                assert mesh(shape).neighbour(tile, port) == next_tile(shape, tile, port)


@given(meshes(), st.data())
def test_a_route_reaches_exactly_its_tiles_from_everywhere(
    shape: Shape, data: st.DataObject
) -> None:
    config = mesh(shape)
    wanted = data.draw(routes(shape))
    tables = route_rows(config, wanted)
    assert len(tables) == config.tiles
    taken = paths(config)
    numbers = {link: n for n, link in enumerate(links(config))}
    sources = [(tile, LOCAL) for tile in range(config.tiles)]
    for route, destinations in enumerate(wanted):
        for tile, entry in [*sources, (0, WEST)]:
            delivered, tree = walk(shape, tables, tile, entry, route)
            assert sorted(delivered) == sorted(destinations)
            # Each link of the paths to the destinations exactly once.
            assert len(set(tree)) == len(tree)
            of_paths = taken[tile, sorted(destinations)].any(axis=0)
            assert {numbers[a, Port(b)] for a, b in tree} == set(np.flatnonzero(of_paths).tolist())


@given(meshes(), st.data())
def test_a_way_goes_along_the_row_and_then_along_the_column(
    shape: Shape, data: st.DataObject
) -> None:
    config = mesh(shape)
    tiles = st.integers(0, config.tiles - 1)
    source, destination = data.draw(tiles), data.draw(tiles)
    every = links(config)
    way = [every[n] for n in np.flatnonzero(paths(config)[source, destination])]
    row, column = divmod(source, config.columns)
    to_row, to_column = divmod(destination, config.columns)
    assert len(way) == abs(row - to_row) + abs(column - to_column)
    for tile, port in way:
        if port in (Port.EAST, Port.WEST):
            assert tile // config.columns == row
        else:
            assert tile % config.columns == to_column


def test_the_tables_of_a_small_mesh() -> None:
    config = FabricConfig(columns=3, rows=2)
    # 0 1 2
    # 3 4 5
    tables = route_rows(config, [frozenset({1, 5})])
    # Bits: east, west, north, south, local.
    assert [table[0] for table in tables] == [
        0b00001,
        0b10001,
        0b01010,
        0b00001,
        0b00101,
        0b10010,
    ]


@pytest.mark.parametrize("shape", MESHES)
def test_links_are_all_pairs_of_neighbours(shape: Shape) -> None:
    columns, rows = shape
    every = links(mesh(shape))
    assert len(set(every)) == len(every) == 2 * ((columns - 1) * rows + columns * (rows - 1))


def test_the_output_port_at_its_own_tile() -> None:
    config = FabricConfig(columns=2, rows=2)
    assert output_port(config, 3, 3) is Port.LOCAL
    assert output_port(config, 3, 0) is Port.WEST
    assert output_port(config, 3, 1) is Port.NORTH
