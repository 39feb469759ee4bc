"""Which neurons come together in a tile."""

import dataclasses
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh_walker import Shape, meshes

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.partition import partition
from spikeloom.mapping.parts import Part, destinations, firing_order, outgoing
from spikeloom.mapping.sizes import check_fits

ROOMY: dict[str, Any] = {"lanes": 4, "neurons": 512, "weight_words": 1 << 16}


def population(name: str, size: int, phase: int = 0, spiking: bool = True) -> Population:
    return Population(name, size, np.zeros(size, np.int64), phase=phase, spiking=spiking)


def connection(source: str, sources: int, target: str, size: int, delay: int = 0) -> Connection:
    return Connection(source, target, np.ones((sources, size), np.int64), delay)


def split(
    net: Network, config: FabricConfig, activity: dict[str, float] | None = None
) -> tuple[Part, ...]:
    """Everything is recorded, and active unless said otherwise."""
    names = [node.name for node in (*net.inputs, *net.populations)]
    record = frozenset(p.name for p in net.populations)
    check_fits(net, config, record)
    return partition(net, config, record, dict.fromkeys(names, 1.0) | (activity or {}))


def parts_of(parts: tuple[Part, ...], name: str) -> list[Part]:
    return [part for part in parts if part.population == name]


def layers(*sizes: int) -> Network:
    """A chain of layers, each with a phase of its own; the first is the input."""
    names = ["in", *(f"p{n}" for n in range(1, len(sizes)))]
    return Network(
        (Input("in", sizes[0]),),
        tuple(population(names[n], sizes[n], n - 1) for n in range(1, len(sizes))),
        tuple(
            connection(names[n - 1], sizes[n - 1], names[n], sizes[n]) for n in range(1, len(sizes))
        ),
    )


@st.composite
def networks(draw: st.DrawFn) -> Network:
    number = draw(st.integers(1, 5))
    phases = draw(st.integers(1, number))
    populations = tuple(
        population(f"p{n}", draw(st.integers(1, 60)), n % phases, draw(st.booleans()))
        for n in range(number)
    )
    nodes = [Input("in", draw(st.integers(1, 9))), *populations]
    pairs = st.tuples(st.sampled_from(nodes), st.sampled_from(populations))
    return Network(
        (nodes[0],),
        populations,
        tuple(
            connection(source.name, source.size, target.name, target.size, 1)
            for source, target in draw(st.lists(pairs, max_size=6))
        ),
    )


@settings(deadline=None)
@given(networks(), meshes(), st.integers(1, 9))
def test_parts_are_whole_groups_of_every_neuron_once(
    net: Network, shape: Shape, lanes: int
) -> None:
    config = FabricConfig(columns=shape[0], rows=shape[1], **{**ROOMY, "lanes": lanes})
    parts = split(net, config)
    order = [p.name for p in firing_order(net)]
    assert [order.index(part.population) for part in parts] == sorted(
        order.index(part.population) for part in parts
    )
    for node in net.populations:
        mine = parts_of(parts, node.name)
        assert [n for part in mine for n in range(part.start, part.start + part.size)] == list(
            range(node.size)
        )
        assert all(part.size % lanes == 0 for part in mine[:-1])
        assert len({part.tile for part in mine}) == len(mine)
        assert all(0 <= part.tile < config.tiles for part in mine)
    assert split(net, config) == parts


@settings(deadline=None)
@given(networks(), meshes(), st.integers(1, 9))
def test_a_population_is_spread_evenly_where_there_is_room(
    net: Network, shape: Shape, lanes: int
) -> None:
    """One that is alone in its phase: parts of the same number of groups, or one more."""
    config = FabricConfig(columns=shape[0], rows=shape[1], **{**ROOMY, "lanes": lanes})
    parts = split(net, config)
    for node in net.populations:
        groups = [-(-part.size // lanes) for part in parts_of(parts, node.name)]
        if Counter(p.phase for p in net.populations)[node.phase] == 1:
            assert len(groups) == min(config.tiles, sum(groups))
            assert max(groups) - min(groups) <= 1


def test_the_least_busy_tiles_take_what_is_left() -> None:
    # 5 groups over 3 tiles leave room for the 1 group of the other population in the phase.
    net = Network((Input("in", 3),), (population("a", 20), population("b", 3)), ())
    parts = split(net, FabricConfig(columns=3, **ROOMY))
    groups = Counter[int]()
    for part in parts:
        groups[part.tile] += -(-part.size // 4)
    assert sorted(groups.values()) == [2, 2, 2]


def test_expected_events_decide_what_is_busy() -> None:
    net = Network(
        (Input("loud", 50), Input("quiet", 50)),
        (population("a", 4), population("b", 4), population("c", 4), population("d", 4)),
        tuple(
            connection(source, 50, target, 4)
            for source, target in (("loud", "a"), ("quiet", "b"), ("quiet", "c"), ("quiet", "d"))
        ),
    )
    config = FabricConfig(columns=2, **ROOMY)
    [alone] = parts_of(split(net, config, {"quiet": 0.1}), "a")
    others = [p.tile for p in split(net, config, {"quiet": 0.1}) if p.population != "a"]
    assert others == [1 - alone.tile] * 3
    assert Counter(part.tile for part in split(net, config)) == {0: 2, 1: 2}


def test_less_spread_where_tables_are_short() -> None:
    net = Network((Input("in", 3),), tuple(population(f"p{n}", 40) for n in range(8)), ())
    roomy = FabricConfig(columns=2, rows=2, **ROOMY)
    assert len(split(net, roomy)) == 32
    tight = dataclasses.replace(roomy, populations=2)
    parts = split(net, tight)
    assert Counter(part.tile for part in parts) == dict.fromkeys(range(4), 2)
    assert len(parts) == 8


def test_full_memory_makes_a_population_go_on() -> None:
    # 3 rows a tile keep the small ones to a tile each; the large one needs all of both.
    net = Network(
        (Input("in", 3),),
        (population("large", 48), *(population(f"p{n}", 8) for n in range(4))),
        (),
    )
    config = FabricConfig(columns=2, **{**ROOMY, "neurons": 40, "populations": 3})
    parts = split(net, config)
    assert sorted(part.size for part in parts_of(parts, "large")) == [24, 24]
    assert Counter(part.tile for part in parts) == {0: 3, 1: 3}


def test_fewer_sets_of_tiles_where_routes_are_short() -> None:
    sizes = {"a": 4, "b": 4, "c": 8}
    net = Network(
        (Input("in", 1),),
        tuple(population(name, size) for name, size in sizes.items()),
        tuple(connection("in", 1, name, size) for name, size in sizes.items()),
    )
    config = FabricConfig(columns=2, **ROOMY)
    assert len(set(destinations(net, split(net, config)))) == 3
    parts = split(net, dataclasses.replace(config, routes=2))
    assert len(set(destinations(net, parts))) == 2


@settings(deadline=None)
@given(networks(), meshes(2), st.integers(1, 9))
def test_a_group_more_than_the_average_always_fits(net: Network, shape: Shape, lanes: int) -> None:
    tiles = shape[0] * shape[1]
    groups = {p.name: -(-p.size // lanes) for p in net.populations}
    words = {p.name: sum(len(c.weights) for c in net.into(p.name)) for p in net.populations}
    total = sum(groups[name] * words[name] for name in groups)
    config = FabricConfig(
        columns=shape[0],
        rows=shape[1],
        lanes=lanes,
        neurons=lanes * (1 + -(-sum(groups.values()) // tiles)),
        weight_words=max(1, -(-total // tiles) + max(words.values())),
    )
    split(net, config)


# Two tiles that are exactly full: of a, each has 2 groups of 4; of b, one.
EXACT = layers(6, 16, 8)
NEEDS = {
    "neurons": 12,
    "weight_words": 2 * 6 + 1 * 16,
    "populations": 2,
    "connections": 2,
    "targets": 3,
    "axons": 16,
}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("neurons", "neurons 24 of 2 x 11 (short by 2)"),
        ("weight_words", "weight_words 56 of 2 x 27 (short by 2)"),
        (
            "populations",
            "no tile has room for 4 more neurons of 'p2'; in the closest, populations 2 of 1 "
            "(short by 1)",
        ),
        ("connections", "connections 2 of 1 (short by 1)"),
        (
            "targets",
            "no tile has room for 4 more neurons of 'p1'; in the closest, targets 3 of 2 "
            "(short by 1)",
        ),
        ("axons", "axons 16 of 15 (short by 1)"),
    ],
)
def test_exact_fit_is_accepted_and_one_less_refused(name: str, message: str) -> None:
    config = FabricConfig(columns=2, lanes=4, slots=1, routes=1, **NEEDS)
    assert [part.size for part in split(EXACT, config)] == [8, 8, 4, 4]
    smaller = dataclasses.replace(config, **{name: NEEDS[name] - 1})
    with pytest.raises(SpikeloomError) as error:
        split(EXACT, smaller)
    assert str(error.value).startswith(f"the network does not fit the fabric: {message}; use ")


def test_a_delay_needs_its_slots_and_two_sets_of_tiles_two_routes() -> None:
    config = FabricConfig(columns=2, **ROOMY)
    looped = Network((), (population("a", 4),), (connection("a", 4, "a", 4, 4),))
    with pytest.raises(SpikeloomError, match=r"fabric: slots 5 of 4 \(short by 1\); use"):
        split(looped, config)
    two = layers(1, 4, 4)
    [one, other] = split(two, config)
    assert one.tile != other.tile
    with pytest.raises(SpikeloomError, match=r"fabric: routes 2 of 1 \(short by 1\); use"):
        split(two, dataclasses.replace(config, routes=1))


def test_a_population_too_large_to_number_its_neurons() -> None:
    net = Network((Input("in", 1),), (population("a", 40),), ())
    config = FabricConfig(columns=4, lanes=4, neurons=12, axons=16)
    with pytest.raises(SpikeloomError, match=r"fabric: axons 40 of 16 \(short by 24\); use"):
        split(net, config)
    split(net, dataclasses.replace(config, axons=40))


def test_only_what_spikes_sends() -> None:
    net = Network(
        (Input("in", 1),),
        (population("a", 1), population("li", 1, spiking=False)),
        (
            connection("in", 1, "a", 1),
            connection("li", 1, "a", 1, 1),
            connection("a", 1, "a", 1, 1),
        ),
    )
    numbers = {
        node.name: [number for number, _ in outgoing(net, node)]
        for node in (*net.inputs, *net.populations)
    }
    assert numbers == {"in": [0], "a": [2], "li": []}
