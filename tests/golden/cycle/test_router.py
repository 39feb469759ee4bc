"""A mesh without tiles: clocks derived by hand from docs/hardware.md, and random load."""

import itertools
import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeloom.golden.cycle.mesh import MeshModel, mesh_probe
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import TURNS, FabricConfig, Port

HOST = -1
"""The source at the WEST port of tile 0."""

Tree = tuple[int, frozenset[int]]
"""A source, and the tiles it sends to."""

FACING = {
    Port.EAST: Port.WEST,
    Port.WEST: Port.EAST,
    Port.NORTH: Port.SOUTH,
    Port.SOUTH: Port.NORTH,
}


def mesh(columns: int, rows: int, **sizes: Any) -> FabricConfig:
    return FabricConfig(columns=columns, rows=rows, **sizes)


def path(config: FabricConfig, source: int, target: int) -> list[tuple[int, Port]]:
    """Tiles and outputs from `source` to `target`: along the row, then along the column."""
    steps = []
    tile = max(source, 0)
    while tile != target:
        across = target % config.columns - tile % config.columns
        if across:
            port = Port.EAST if across > 0 else Port.WEST
        else:
            port = Port.SOUTH if target > tile else Port.NORTH
        steps.append((tile, port))
        following = config.neighbour(tile, port)
        assert following is not None
        tile = following
    return [*steps, (target, Port.LOCAL)]


def write(model: MeshModel, tile: int, route: int, ports: Iterable[Port]) -> None:
    row = {port.name.lower(): 1 for port in ports}
    model.write(tile, route, model.config.route_row.pack(row))


def planted(config: FabricConfig, trees: Sequence[Tree], trace: bool = False) -> MeshModel:
    """A mesh in which route n is the tree n."""
    model = MeshModel(config, trace)
    for route, (source, targets) in enumerate(trees):
        rows: defaultdict[int, set[Port]] = defaultdict(set)
        for target in targets:
            for tile, port in path(config, source, target):
                rows[tile].add(port)
        for tile, ports in rows.items():
            write(model, tile, route, ports)
    return model


def packet(config: FabricConfig, route: int, number: int = 0, slot: int = 0) -> int:
    """A packet; `number` is spread over connection and index."""
    connection, index = divmod(number, 1 << config.index_width)
    return config.event.pack(
        {"route": route, "connection": connection, "index": index, "slot": slot}
    )


@dataclass
class Played:
    """A run of a mesh: (clock, packet) for each source and each sink, and the probes."""

    taken: defaultdict[int, list[tuple[int, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    delivered: defaultdict[int, list[tuple[int, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    probes: list[dict[str, int]] = field(default_factory=list)

    def clocks(self, tile: int) -> list[int]:
        return [clock for clock, _ in self.delivered[tile]]


def play(
    model: MeshModel,
    packets: Mapping[int, Iterable[int]],
    clocks: int,
    offer: float = 1.0,
    ready: Mapping[int, float] | None = None,
    rng: random.Random | None = None,
) -> Played:
    """Offer `packets` of each source in turn.

    A packet is first offered with probability `offer` in a clock; sink t is ready with probability
    `ready[t]`, 1 where not given.
    """
    config, rng, ready = model.config, rng or random.Random(0), ready or {}
    sources = [HOST, *range(config.tiles)]
    waiting = {source: deque(packets.get(source, ())) for source in sources}
    offered: dict[int, int | None] = dict.fromkeys(sources)
    layout = mesh_probe(config)
    played = Played()
    for clock in range(clocks):
        for source in sources:
            if offered[source] is None and waiting[source] and rng.random() < offer:
                offered[source] = waiting[source][0]
        probe = model.clock(
            [offered[tile] for tile in range(config.tiles)],
            [rng.random() < ready.get(tile, 1.0) for tile in range(config.tiles)],
            offered[HOST],
        )
        for source, taken in zip(sources, [model.host_taken, *model.taken], strict=True):
            if taken:
                played.taken[source].append((clock, waiting[source].popleft()))
                offered[source] = None
        for tile, arrived in enumerate(model.delivered):
            if arrived is not None:
                played.delivered[tile].append((clock, arrived))
        if model.trace:
            played.probes.append(layout.unpack(probe))
        if model.empty and not any(waiting.values()):
            break
    return played


# Clock by clock, derived from docs/hardware.md.


def test_three_clocks_a_hop() -> None:
    # Accepted in 0: L in 1, head in 2, output in 3, which is accepted by the next router in 3.
    config = mesh(4, 1)
    for source, targets in ((0, range(4)), (HOST, range(4)), (3, range(4))):
        for target in targets:
            model = planted(config, [(source, frozenset({target}))])
            played = play(model, {source: [packet(config, 0, 9)]}, 50)
            hops = len(path(config, source, target))
            assert played.delivered == {target: [(3 * hops, packet(config, 0, 9))]}
    config = mesh(2, 3)
    model = planted(config, [(0, frozenset({5}))])
    # East, south, south, local.
    assert play(model, {0: [packet(config, 0)]}, 50).clocks(5) == [12]


def test_streams_of_one_packet() -> None:
    config = mesh(2, 1)
    model = planted(config, [(0, frozenset({1}))], trace=True)
    played = play(model, {0: [packet(config, 0, 5)]}, 50)
    seen = {
        name: [clock for clock, probe in enumerate(played.probes) if probe[f"{name}.valid"]]
        for name in ("0.emit_event", "1.west", "1.event", "0.event", "0.east", "0.west")
    }
    assert seen == {
        "0.emit_event": [0],
        "1.west": [3],
        "1.event": [6],
        "0.event": [],
        "0.east": [],
        "0.west": [],
    }
    assert played.probes[3]["1.west.payload"] == packet(config, 0, 5)
    assert all(probe["1.west.ready"] and probe["0.west.ready"] for probe in played.probes)


def test_all_branches_are_granted_in_one_clock() -> None:
    # From the middle to all neighbours and itself: the head goes to all five outputs in clock 3.
    config = mesh(3, 3)
    model = planted(config, [(4, frozenset({1, 3, 4, 5, 7}))])
    played = play(model, {4: [packet(config, 0)]}, 50)
    assert {tile: played.clocks(tile) for tile in range(9)} == {
        **{tile: [] for tile in (0, 2, 6, 8)},
        **{tile: [6] for tile in (1, 3, 5, 7)},
        4: [3],
    }
    # To all tiles: one hop, then three from the corner columns.
    model = planted(config, [(4, frozenset(range(9)))])
    played = play(model, {4: [packet(config, 0)]}, 50)
    assert {tile: played.clocks(tile) for tile in range(9)} == {
        **{tile: [9] for tile in (0, 2, 6, 8)},
        **{tile: [6] for tile in (1, 3, 5, 7)},
        4: [3],
    }


def test_a_branch_that_waits_does_not_hold_the_other() -> None:
    # Tile 0 sends two packets to itself, which takes none, and to tile 1. The first is in the local
    # output from 3, the second stays the head for it; but both go east, in 3 and 4. The third
    # stays behind the second.
    config = mesh(2, 1)
    model = planted(config, [(0, frozenset({0, 1}))])
    words = [packet(config, 0, n) for n in range(3)]
    played = play(model, {0: words}, 30, ready={0: 0.0})
    assert played.delivered == {1: [(6, words[0]), (7, words[1])]}
    played = play(model, {}, 30)
    assert played.delivered[0] == [(0, words[0]), (1, words[1]), (2, words[2])]
    # The third is the head in 1, in the output to the east in 2, and there in 5.
    assert played.delivered[1] == [(5, words[2])]


def test_a_full_queue_is_not_ready() -> None:
    # Nothing leaves: one packet in the output, `buffer` in queue and L.
    config = mesh(2, 1, buffer=3)
    model = planted(config, [(0, frozenset({0}))], trace=True)
    played = play(model, {0: [packet(config, 0, n) for n in range(9)]}, 20, ready={0: 0.0})
    # The first is the head in 2, and leaves the queue for the output. So level + l_valid is 0,
    # 0 + 1, 1 + 1, 1 + 1, 2 + 1, and from 5 on 3 + 0.
    assert [clock for clock, _ in played.taken[0]] == [0, 1, 2, 3]
    assert [probe["0.emit_event.ready"] for probe in played.probes] == [1] * 4 + [0] * 16
    assert len(model.mesh.routers[0].queues[Port.LOCAL]) == 3


def test_one_packet_in_every_clock() -> None:
    # Around a corner, with the smallest queue.
    config = mesh(4, 3, buffer=3)
    model = planted(config, [(0, frozenset({11}))])
    words = [packet(config, 0, n) for n in range(100)]
    played = play(model, {0: words}, 300)
    assert played.taken[0] == list(enumerate(words))
    assert played.delivered == {11: [(18 + n, word) for n, word in enumerate(words)]}


def test_grants_rotate() -> None:
    # All neighbours of the middle and itself, always offering, to the middle.
    config = mesh(3, 3)
    order = [5, 3, 1, 7, 4]  # E, W, N, S, L
    model = planted(config, [(source, frozenset({4})) for source in order])
    packets = {tile: [packet(config, n)] * 200 for n, tile in enumerate(order)}
    played = play(model, packets, 203)
    # The local ones are at the head in 2. Those of the neighbours in 5: they left in 3.
    sources = [order[config.event.unpack(word)["route"]] for _, word in played.delivered[4]]
    assert played.clocks(4) == list(range(3, 203))
    # Three tiles are behind N and S, and one behind each of the others.
    rounds = [5, 3, 1, 1, 1, 7, 7, 7, 4]
    assert sources == [4, 4, 4, *itertools.islice(itertools.cycle(rounds), 197)]


def test_a_turn_ends_when_its_input_has_nothing() -> None:
    # N of the middle has three sources. It offers two packets, and S takes over before the third.
    config = mesh(3, 3)
    model = planted(config, [(source, frozenset({4})) for source in (1, 7)])
    played = play(model, {1: [packet(config, 0)] * 2, 7: [packet(config, 1)] * 4}, 30)
    routes = [config.event.unpack(word)["route"] for _, word in played.delivered[4]]
    assert routes == [0, 0, 1, 1, 1, 1]
    # The turn is at S, with one grant used; so S has two more before N.
    played = play(model, {1: [packet(config, 0)] * 4, 7: [packet(config, 1)] * 4}, 30)
    routes = [config.event.unpack(word)["route"] for _, word in played.delivered[4]]
    assert routes == [1, 1, 0, 0, 0, 1, 1, 0]


def test_turn_stays_where_the_last_grant_left_it() -> None:
    # A packet of tile 3 (W) in the middle leaves `turn` at N; then N and E ask in one clock.
    config = mesh(3, 3)
    model = planted(config, [(source, frozenset({4})) for source in (3, 5, 1)])
    play(model, {3: [packet(config, 0)]}, 20)
    played = play(model, {5: [packet(config, 1)], 1: [packet(config, 2)]}, 20)
    assert played.delivered[4] == [(6, packet(config, 2)), (7, packet(config, 1))]


def test_outputs_of_the_spec_and_no_others() -> None:
    """Every input and output of every router of 3x3, alone."""
    config = mesh(3, 3)
    for tile, came, output in itertools.product(range(9), Port, Port):
        if came is Port.LOCAL:
            source: int | None = tile
        elif (tile, came) == (0, Port.WEST):
            source = HOST
        else:
            source = config.neighbour(tile, came)
        if source is None:
            continue
        leads = tile if output is Port.LOCAL else config.neighbour(tile, output)
        model = MeshModel(config)
        if came is not Port.LOCAL and source != HOST:
            write(model, source, 7, [FACING[came]])
        write(model, tile, 7, [output])
        word = packet(config, 7, 3)
        # Not further than the next tile: there the row has the local port only. Back at the
        # source, that can only be by a turn which is not allowed.
        allowed = output in TURNS[came] and leads is not None
        if allowed and output is not Port.LOCAL:
            assert leads is not None
            write(model, leads, 7, [Port.LOCAL])
        played = play(model, {source: [word]}, 30)
        if allowed:
            assert {t: [w for _, w in got] for t, got in played.delivered.items()} == {
                leads: [word]
            }
        else:
            assert not played.delivered
        assert model.errors == [int(t == tile and not allowed) for t in range(9)]
        assert model.empty


def test_packets_of_unknown_routes_are_dropped() -> None:
    # Of two inputs in one clock, and of a route beyond the table. Others pass.
    config = mesh(2, 1, routes=5, counter_bits=16)
    model = planted(config, [(0, frozenset({0}))], trace=True)
    stray = [packet(config, route) for route in (1, 7)]
    played = play(model, {HOST: stray, 0: [*stray, packet(config, 0)]}, 20)
    # In L in 1 and 2; the good one is accepted in 2.
    assert [probe["counters.errors.0"] for probe in played.probes] == [0, 0, 2, 4, 4, 4]
    assert played.delivered == {0: [(5, packet(config, 0))]}
    assert model.errors == [4, 0]


def test_a_forbidden_port_beside_an_allowed_one_is_left_out() -> None:
    config = mesh(2, 2)
    model = planted(config, [(0, frozenset({1}))])
    write(model, 1, 0, Port)  # came in at W: not back to W, and there is neither N nor E
    write(model, 3, 0, [Port.LOCAL])
    played = play(model, {0: [packet(config, 0)]}, 20)
    assert {tile: len(got) for tile, got in played.delivered.items()} == {1: 1, 3: 1}
    assert model.errors == [0] * 4


def test_the_table_is_read_when_a_packet_is_accepted() -> None:
    config = mesh(2, 1)
    model = planted(config, [(0, frozenset({0}))])
    model.clock([packet(config, 0), None], [True, True])
    write(model, 0, 0, [Port.EAST])
    played = play(model, {}, 20)
    assert played.clocks(0) == [2]


def test_a_single_tile_has_no_router() -> None:
    with pytest.raises(SpikeloomError, match="a single tile has no router"):
        MeshModel(FabricConfig())


# Delivery, order, bounds and fairness under load.


@st.composite
def meshes(draw: st.DrawFn) -> FabricConfig:
    columns, rows = draw(
        st.tuples(st.integers(1, 5), st.integers(1, 5)).filter(lambda size: size != (1, 1))
    )
    return mesh(columns, rows, buffer=draw(st.integers(3, 6)), slots=draw(st.integers(1, 5)))


def load(
    config: FabricConfig, trees: Sequence[Tree], count: int, rng: random.Random
) -> dict[int, list[int]]:
    """`count` packets with different numbers, each along one of `trees`."""
    packets: defaultdict[int, list[int]] = defaultdict(list)
    for number in range(count):
        route = rng.randrange(len(trees))
        slot = rng.randrange(config.slots)
        packets[trees[route][0]].append(packet(config, route, number, slot))
    return dict(packets)


def assert_all_arrived(
    config: FabricConfig, trees: Sequence[Tree], packets: Mapping[int, list[int]], played: Played
) -> None:
    """Every packet is at every tile of its tree once, unchanged, in the order of its source."""
    expected: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for source, words in packets.items():
        assert [word for _, word in played.taken[source]] == words
        for word in words:
            for target in trees[config.event.unpack(word)["route"]][1]:
                expected[source, target].append(word)
    got: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for target, arrived in played.delivered.items():
        for _, word in arrived:
            got[trees[config.event.unpack(word)["route"]][0], target].append(word)
    assert got == expected


@given(config=meshes(), seed=st.integers(0, 1 << 32), data=st.data())
@settings(deadline=None, max_examples=60)
def test_everything_arrives_once_and_in_order(
    config: FabricConfig, seed: int, data: st.DataObject
) -> None:
    rng = random.Random(seed)
    tiles = range(config.tiles)
    trees = [
        (
            rng.choice([HOST, *tiles]),
            frozenset(rng.sample(tiles, rng.choice([1, 1, rng.randint(1, config.tiles)]))),
        )
        for _ in range(config.routes)
    ]
    packets = load(config, trees, 300, rng)
    offer = data.draw(st.sampled_from((0.05, 0.5, 1.0)), "offer")
    slow = data.draw(st.sampled_from((0.2, 0.9, 1.0)), "ready")
    model = planted(config, trees)
    played = play(model, packets, 100_000, offer, dict.fromkeys(tiles, slow), rng)
    assert_all_arrived(config, trees, packets, played)
    assert model.empty
    assert not any(model.errors)


PATTERNS: dict[str, Callable[[FabricConfig], list[Tree]]] = {
    "uniform": lambda config: [
        (source, frozenset({target}))
        for source in range(config.tiles)
        for target in range(config.tiles)
    ],
    "hot spot": lambda config: [
        (source, frozenset({target}))
        for source in range(config.tiles)
        for target in (5, 5, 5, (source + 3) % config.tiles)
    ],
    "all to one": lambda config: [
        (source, frozenset({6})) for source in [HOST, *range(config.tiles)]
    ],
    "one to all": lambda config: [(5, frozenset(range(config.tiles)))],
    "all to all": lambda config: [
        (source, frozenset(range(config.tiles))) for source in [HOST, *range(config.tiles)]
    ],
}


@pytest.mark.parametrize("busy", [0.3, 1.0])
@pytest.mark.parametrize("name", PATTERNS)
def test_registers_under_load(name: str, busy: float) -> None:
    """Queues, grants, pending slots and streams in every clock of heavy traffic."""
    config = mesh(4, 3, buffer=3, slots=3, routes=64 * 4)
    trees = PATTERNS[name](config)
    rng = random.Random(1)
    packets = load(config, trees, 300, rng)
    model = planted(config, trees, trace=True)
    watch = Watch(model)
    played = play(watch, packets, 20_000, 1.0, dict.fromkeys(range(config.tiles), busy), rng)
    assert_all_arrived(config, trees, packets, played)
    assert_streams_hold(config, played)
    # A single source never waits for sinks that are always ready.
    assert watch.fullest == (1 if (name, busy) == ("one to all", 1.0) else config.buffer)
    assert watch.longest < 5

    # The probe shows what was taken and delivered.
    for tile in range(config.tiles):
        for stream, events in (("emit_event", played.taken), ("event", played.delivered)):
            shown = [
                (clock, probe[f"{tile}.{stream}.payload"])
                for clock, probe in enumerate(played.probes)
                if probe[f"{tile}.{stream}.valid"] and probe[f"{tile}.{stream}.ready"]
            ]
            assert shown == events[tile]


class Watch(MeshModel):
    """A mesh whose registers are checked in every clock.

    `fullest`: maximum packets in a queue. `longest`: maximum grants of an output to other inputs
    while an input requested it.
    """

    def __init__(self, model: MeshModel) -> None:
        super().__init__(model.config, model.trace)
        self.mesh = model.mesh
        self.fullest = self.longest = 0
        self.passed: Counter[tuple[int, int, int]] = Counter()

    def clock(
        self, offered: Sequence[int | None], ready: Sequence[bool], host: int | None = None
    ) -> int:
        routers = self.mesh.routers
        heads = [list(router.heads) for router in routers]
        first = [[next(iter(queue), None) for queue in router.queues] for router in routers]
        probe = super().clock(offered, ready, host)
        pending: Counter[int] = Counter()
        for tile, router in enumerate(routers):
            packets = [router.l_packet[port] for port in Port if router.l_valid >> port & 1]
            packets += [router.o_packet[port] for port in Port if router.o_valid >> port & 1]
            for queue in router.queues:
                packets += [packet for packet, _ in queue]
                assert len(queue) <= router.buffer
                self.fullest = max(self.fullest, len(queue))
            pending.update(self.config.event.unpack(packet)["slot"] for packet in packets)
            for output in Port:
                waiting = [port for port in Port if heads[tile][port] >> output & 1]
                granted = [
                    port
                    for port in waiting
                    if next(iter(router.queues[port]), None) is not first[tile][port]
                    or not router.heads[port] >> output & 1
                ]
                assert len(granted) <= 1
                for port in waiting:
                    self.passed[tile, output, port] += len(granted)
                for port in granted:
                    del self.passed[tile, output, port]
        assert {n: count for n, count in enumerate(self.mesh.flying) if count} == pending
        return probe


def assert_streams_hold(config: FabricConfig, played: Played) -> None:
    """`valid` and `payload` hold until the transfer; `payload` is 0 without valid."""
    names = [
        field.name.removesuffix(".valid")
        for field in mesh_probe(config).fields
        if field.name.endswith(".valid")
    ]
    for before, after in itertools.pairwise(played.probes):
        for name in names:
            if not before[f"{name}.valid"]:
                assert before[f"{name}.payload"] == 0
            elif not before[f"{name}.ready"]:
                assert after[f"{name}.valid"], name
                assert after[f"{name}.payload"] == before[f"{name}.payload"], name


def test_sources_get_equal_shares() -> None:
    """All tiles send to the middle, which is ready only at times."""
    config = mesh(3, 3)
    tiles = range(config.tiles)
    model = planted(config, [(source, frozenset({4})) for source in tiles])
    packets = {tile: [packet(config, tile)] * 1000 for tile in tiles}
    played = play(model, packets, 2500, ready={4: 0.4})
    shares = Counter(config.event.unpack(word)["route"] for _, word in played.delivered[4])
    assert len(shares) == config.tiles
    assert max(shares.values()) - min(shares.values()) <= 4
