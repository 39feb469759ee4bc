"""The RTL of the mesh under load: against the golden model on every clock, and a scoreboard.

`SPIKELOOM_PACKETS` and `SPIKELOOM_SEED` choose how much and which traffic; `make soak` sets them.
"""

import os
import types
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from soaked import all_but

import spikeloom.hdl.common.arbiter
import spikeloom.hdl.mesh.mesh
import spikeloom.hdl.mesh.router
from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.routing import route_rows
from spikeloom.sim.traffic import rtl
from spikeloom.sim.traffic.bound import latency_bound
from spikeloom.sim.traffic.check import check
from spikeloom.sim.traffic.player import play
from spikeloom.sim.traffic.score import received, score
from spikeloom.sim.traffic.stimuli import Stimuli, draw

PACKETS = int(os.environ.get("SPIKELOOM_PACKETS", "20000"))
"""Minimum over all cases together."""
SEED = int(os.environ.get("SPIKELOOM_SEED", "1"))

SIZES = ("2x2", "3x2", "1x4", "4x4")
PAIR = "2x1"
"""The mesh that compiles fastest."""

Choices = Sequence[Sequence[int]]


def mesh(size: str, **sizes: int) -> FabricConfig:
    columns, rows = map(int, size.split("x"))
    return FabricConfig(columns=columns, rows=rows, **sizes)


def routes(config: FabricConfig, seed: int) -> list[frozenset[int]]:
    """A route to each tile, one to all, one to none, and random ones."""
    rng = np.random.default_rng(seed)
    tiles = range(config.tiles)
    chosen = rng.random((config.routes - config.tiles - 2, config.tiles)) < rng.random((1, 1))
    return [
        *(frozenset({tile}) for tile in tiles),
        frozenset(tiles),
        frozenset(),
        *(frozenset(int(tile) for tile in np.flatnonzero(row)) for row in chosen),
    ]


def everyone(config: FabricConfig, choice: Sequence[int]) -> Choices:
    return [choice] * (config.tiles + 1)


# The sources are the tiles and the host; for each the routes it draws from.
PATTERNS: dict[str, tuple[Callable[[FabricConfig], Choices], float, float]] = {
    "uniform": (lambda c: everyone(c, range(c.tiles)), 0.9, 0.9),
    "light, slow sinks": (lambda c: everyone(c, range(c.tiles)), 0.05, 0.2),
    "hot spot": (lambda c: everyone(c, [c.tiles - 1] * c.tiles + list(range(c.tiles))), 1.0, 0.7),
    "all to one": (lambda c: everyone(c, [1]), 0.5, 0.6),
    "one to all": (lambda c: [[c.tiles] if n == 2 else [] for n in range(c.tiles + 1)], 1.0, 0.8),
    "multicast": (lambda c: everyone(c, range(c.routes)), 0.7, 0.5),
    "multicast, open sinks": (lambda c: everyone(c, range(c.routes)), 1.0, 1.0),
}


def stimuli(size: str, pattern: str, packets: int, seed: int, **sizes: int) -> Stimuli:
    """At least `packets` of all sources together."""
    config = mesh(size, **sizes)
    choose, load, listening = PATTERNS[pattern]
    choices = choose(config)
    route_list = routes(config, seed)
    active = sum(bool(choice) for choice in choices)
    return draw(
        config,
        route_list,
        route_rows(config, route_list),
        choices,
        packets=-(-packets // active),
        load=load,
        listening=listening,
        seed=seed,
    )


@pytest.mark.load
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("size", all_but({"2x2", "3x2"}, SIZES))
def test_under_load(size: str, pattern: str) -> None:
    each = -(-PACKETS // (len(SIZES) * len(PATTERNS)))
    played = stimuli(size, pattern, each, SEED)
    outcome, difference = check(played)
    where = f"SPIKELOOM_SEED={SEED} SPIKELOOM_PACKETS={PACKETS}, {size}, {pattern}"
    assert difference is None, f"{difference} ({where})"
    result = score(played, outcome)
    bound = latency_bound(played.config, played.patience)
    print(f"{where}: {outcome.clocks} clocks, latency at most {bound}: {result}")
    assert result.packets >= each
    assert result.deliveries == played.destinations.sum()
    assert result.faults == 0, where
    assert result.latency <= bound, where


@pytest.mark.parametrize(("buffer", "slots"), [(3, 1), (16, 16)])
def test_other_buffers_under_load(buffer: int, slots: int) -> None:
    played = stimuli(PAIR, "multicast", 1000, SEED, buffer=buffer, slots=slots, counter_bits=16)
    outcome, difference = check(played)
    assert difference is None
    assert score(played, outcome).faults == 0


def test_any_table_leads_to_the_same() -> None:
    """Tables that no mapper would write: forbidden turns, ports at the edge, loose ends."""
    config = mesh("3x2")
    rng = np.random.default_rng(SEED)
    rows = rng.integers(0, 1 << config.route_row.width, (config.tiles, config.routes)).tolist()
    none = [frozenset[int]()] * config.routes
    choices = everyone(config, range(config.routes))
    played = draw(config, none, rows, choices, packets=300, load=0.8, listening=0.6, seed=SEED)
    outcome, difference = check(played)
    assert difference is None
    # The room for deliveries is as much as was expected, so only the clocks are compared.
    assert outcome.clocks > 300


def test_stimuli_come_again() -> None:
    one, two, other = (stimuli("2x2", "multicast", 200, seed) for seed in (7, 7, 8))
    for name in ("packets", "births", "starts", "listening", "destinations"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
    assert not np.array_equal(one.packets, other.packets)
    assert len(np.unique(one.packets)) == len(one.packets) == 200


def test_births_keep_to_the_load() -> None:
    played = stimuli("4x4", "light, slow sinks", 17 * 1000, 3)
    for start, stop in zip(played.starts[:-1], played.starts[1:], strict=True):
        births = played.births[int(start) : int(stop)].astype(np.int64)
        assert (np.diff(births) > 0).all()
        assert births[-1] == pytest.approx(1000 / 0.05, rel=0.15)
    assert played.patience > 10


# Latency and fairness.


@pytest.mark.parametrize("patience", [1, 5])
def test_latency_bound_by_hand(patience: int) -> None:
    # In 3x2 the longest path is from tile 2 through 1 and 0 to 3. Heads: N of 3 waits at L for E,
    # with two sources, and L: 4 p. E of 0 waits at S for W (the host) and L: 3 * 4 p = 12 p. E of 1
    # waits at W for L: 2 * 12 p = 24 p. L of 2 is alone at W: 24 p. Four of them in each router,
    # and from there to the next: 4 * 24 p + 24 p, 4 * 24 p + 12 p, 4 * 12 p + 4 p, 4 * 4 p + p.
    assert latency_bound(FabricConfig(columns=3, rows=2), patience) == 297 * patience


@pytest.mark.parametrize("spot", [0, 5])
@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("size", all_but({"3x2"}, ["3x2", "4x4"]))
def test_no_source_falls_behind_its_share(size: str, spot: int, others: int) -> None:
    """All sources send to one tile (with `others`, as much to all tiles) and get equal shares."""
    config = mesh(size)
    route_list = [frozenset({tile}) for tile in range(config.tiles)]
    choice = [spot] * config.tiles + list(range(config.tiles)) * others
    played = draw(
        config,
        route_list,
        route_rows(config, route_list),
        [choice] * config.tiles + [[]],
        packets=8000 if size == "4x4" else 16000,
        load=1.0,
        listening=1.0,
        seed=SEED,
    )
    counts = received(played, play(played, 42_000), spot, 2000)[: config.tiles]
    assert counts.sum() == 40_000
    assert counts.min() >= 0.8 * counts.mean()


# Faults planted in the RTL: the scoreboard or the golden model must find each.


def mutant(module: types.ModuleType, old: str, new: str) -> types.ModuleType:
    """A copy of the module with a fault."""
    assert module.__file__
    source = Path(module.__file__).read_text(encoding="utf-8")
    assert source.count(old) == 1, old
    result = types.ModuleType(module.__name__)
    exec(compile(source.replace(old, new), module.__file__, "exec"), result.__dict__)
    return result


FAULTS = {
    "a full queue is ready": (
        spikeloom.hdl.mesh.router,
        "level + l_valid < config.buffer)",
        "level < config.buffer)",
    ),
    "a branch is forgotten": (
        spikeloom.hdl.mesh.router,
        "popped.eq((level != 0) & ~left.any())",
        "popped.eq((level != 0) & self.granted.any())",
    ),
    "a packet is sent twice": (
        spikeloom.hdl.mesh.router,
        "self.wants & ~self.granted",
        "self.wants",
    ),
    "the grant does not go round": (
        spikeloom.hdl.common.arbiter,
        "self.grant.rotate_left(1)",
        "turn",
    ),
    "an input has one turn for all its sources": (
        spikeloom.hdl.mesh.router,
        "config.sources(self.tile, entry)",
        "1",
    ),
    "a payload changes in the queue": (
        spikeloom.hdl.mesh.router,
        "queue[number].packet.eq(l_packet)",
        "queue[number].packet.eq(Cat(l_packet.as_value()[:-1], 0))",
    ),
}
UNFAIR = {
    "the grant does not go round": PAIR,
    "an input has one turn for all its sources": "3x1",
}
"""Faults that lose nothing, only fairness, and the mesh that shows them."""


@pytest.mark.parametrize(
    "name", all_but({"a packet is sent twice", "the grant does not go round"}, FAULTS)
)
def test_planted_faults_are_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, old, new = FAULTS[name]
    bad = mutant(module, old, new)
    if module is spikeloom.hdl.common.arbiter:
        monkeypatch.setattr(spikeloom.hdl.mesh.router, "RoundRobin", bad.RoundRobin)
    else:
        monkeypatch.setattr(spikeloom.hdl.mesh.mesh, "Router", bad.Router)
    played = stimuli(UNFAIR.get(name, PAIR), "multicast", 500, SEED)
    text = rtl.generate(played.config)
    monkeypatch.undo()
    assert text != rtl.emit(played.config)
    _, difference = check(played, text=text)
    assert difference is not None
    assert difference.expected != difference.got
    assert str(difference).startswith(f"clock {difference.clock}: {difference.signal} is ")
    result = score(played, play(played, 5000, text=text))
    if name in UNFAIR:
        assert result.faults == 0
    else:
        assert result.faults > 0
