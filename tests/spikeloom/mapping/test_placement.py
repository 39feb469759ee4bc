"""The cost of a placement, and a search that lowers it."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh_walker import LOCAL, WEST, Shape, meshes, walk

from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping import placement
from spikeloom.mapping.placement import Flow, cost, place, traffic
from spikeloom.mapping.routing import links, route_rows


def mesh(shape: Shape) -> FabricConfig:
    return FabricConfig(columns=shape[0], rows=shape[1])


@st.composite
def flows(draw: st.DrawFn, shape: Shape) -> list[Flow]:
    shares = st.integers(0, shape[0] * shape[1] - 1)
    return draw(
        st.lists(
            st.builds(
                Flow,
                st.one_of(st.none(), shares),
                st.frozensets(shares, min_size=1),
                st.integers(0, 400).map(lambda quarters: quarters / 4),
            ),
            max_size=12,
        )
    )


def price(config: FabricConfig, given_flows: list[Flow], tiles: tuple[int, ...]) -> float:
    return cost(traffic(config, given_flows, tiles))


@given(meshes(), st.data())
def test_traffic_is_that_of_the_trees(shape: Shape, data: st.DataObject) -> None:
    config = mesh(shape)
    some = data.draw(flows(shape))
    tiles = data.draw(st.permutations(range(config.tiles)))
    expected = dict.fromkeys(links(config), 0.0)
    for flow in some:
        tables = route_rows(config, [frozenset(tiles[share] for share in flow.destinations)])
        start = (0, WEST) if flow.source is None else (tiles[flow.source], LOCAL)
        for link in walk(shape, tables, *start, 0)[1]:
            expected[link] += flow.packets
    loads = traffic(config, some, tiles)
    assert loads.tolist() == list(expected.values())
    if expected:
        average = sum(expected.values()) / len(expected)
        assert cost(loads) == pytest.approx(max(expected.values()) + average)


@settings(deadline=None)
@given(meshes(), st.data(), st.integers(0, 3))
def test_never_above_reading_order_and_no_swap_is_better(
    shape: Shape, data: st.DataObject, seed: int
) -> None:
    config = mesh(shape)
    some = data.draw(flows(shape))
    tiles = place(config, some, seed)
    assert sorted(tiles) == list(range(config.tiles))
    assert tiles == place(config, some, seed)
    lowest = price(config, some, tiles)
    assert lowest <= price(config, some, tuple(range(config.tiles)))
    for one, other in itertools.combinations(range(config.tiles), 2):
        swapped = list(tiles)
        swapped[one], swapped[other] = swapped[other], swapped[one]
        assert lowest <= price(config, some, tuple(swapped))


def test_better_than_reading_order_where_it_can_be() -> None:
    config = FabricConfig(columns=4, rows=4)
    # In reading order, pairs that send to each other lie in opposite corners.
    pairs = [Flow(n, frozenset({15 - n}), 10.0) for n in range(16)]
    reading_order = price(config, pairs, tuple(range(16)))
    found = price(config, pairs, place(config, pairs))
    assert found < reading_order / 2


def test_what_the_host_feeds_comes_to_tile_0() -> None:
    config = FabricConfig(columns=3, rows=3)
    some = [Flow(None, frozenset({7}), 100.0), Flow(7, frozenset({2}), 1.0)]
    assert place(config, some)[7] == 0


def test_a_single_tile_costs_nothing() -> None:
    some = [Flow(None, frozenset({0}), 100.0), Flow(0, frozenset({0}), 1.0)]
    assert place(FabricConfig(), some) == (0,)
    assert price(FabricConfig(), some, (0,)) == 0.0


def test_the_search_ends_when_its_moves_are_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    config = FabricConfig(columns=4, rows=4)
    pairs = [Flow(n, frozenset({15 - n}), 10.0) for n in range(16)]
    unlimited = price(config, pairs, place(config, pairs))
    monkeypatch.setattr(placement, "MOVES", 5)
    few = price(config, pairs, place(config, pairs))
    assert unlimited < few <= price(config, pairs, tuple(range(16)))
