"""The step-level model learns as plain loops from the text of `docs/hardware.md` do."""

import dataclasses
import types

import numpy as np
import pytest
from plain_learning import plainly
from random_learning import WITH_LEARNING, random_rule, with_plane

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig
from spikeloom.golden.step import ends, learn
from spikeloom.golden.step.run import simulate

FABRIC = FabricConfig(**WITH_LEARNING, state_bits=12)


def learning_network(rng: np.random.Generator, planes: bool = False) -> Network:
    """An input, and three populations in two phases; most connections learn, half of them with
    `planes` of eligibilities.

    Some are recurrent, some have delays, and several end in one population.
    """
    axons, hidden, out = (int(n) for n in rng.integers(1, (7, 20, 6)))
    sizes = {"in": axons, "h": hidden, "o": out, "e": out}
    leaks = rng.integers(0, 1500, 2).tolist()
    populations = (
        Population("h", hidden, rng.integers(-9, 30, hidden), 0, leaks[0], 60),
        Population("o", out, rng.integers(-9, 30, out), 1, leaks[1], 40),
        Population("e", out, rng.integers(-9, 30, out), 1, 900, spiking=bool(rng.integers(2))),
    )
    pairs = [("in", "h"), ("h", "o"), ("h", "h"), ("in", "o"), ("o", "h"), ("h", "e"), ("e", "o")]
    connections = []
    for source, target in pairs:
        earlier = source == "in" or (source == "h" and target != "h")
        delay = int(rng.integers(0 if earlier else 1, 4))
        weights = rng.integers(-40, 60, (sizes[source], sizes[target]))
        connections.append(Connection(source, target, weights, delay))
    seed = int(rng.integers(1 << 32))
    inputs = (Input("in", axons, max_count=3),)
    network = Network(inputs, populations, (), state_bits=12, sum_bits=24, seed=seed)
    for connection in connections:
        size = network.size(connection.target)
        thirds = [p.name for p in populations if p.size == size]
        with_rule = connection
        if rng.random() < 0.8:
            draw = with_plane if planes and rng.random() < 0.5 else random_rule
            rule = draw(rng, FABRIC, thirds)
            weights = connection.weights.clip(*rule.bounds)
            with_rule = dataclasses.replace(connection, weights=weights, plasticity=rule)
        before = network.connections
        try:
            network = dataclasses.replace(network, connections=(*before, with_rule))
        except SpikeloomError:  # two rules with traces of one population
            network = dataclasses.replace(network, connections=(*before, connection))
    return network


def random_events(rng: np.random.Generator, samples: int, steps: int, size: int) -> Integers:
    shape = samples, steps, size
    return rng.integers(0, 4, shape) * (rng.random(shape) < 0.3)


def compare(seed: int, planes: bool = False) -> dict[int, Integers]:
    """A random network, learning from random events, against plain loops; its eligibilities."""
    rng = np.random.default_rng(seed)
    network = learning_network(rng, planes)
    events = random_events(rng, 2, int(rng.choice([1, 9, 12])), network.size("in"))
    expected = plainly(network, {"in": events}, first=seed)
    run = simulate(network, events, first=seed, learn=True)
    for name, spikes in run.spikes.items():
        assert np.array_equal(spikes, expected.spikes[name])
    assert run.updates == expected.updates
    assert {number: w.tolist() for number, w in run.weights.items()} == expected.weights
    assert {number: e.tolist() for number, e in run.planes.items()} == expected.planes
    return run.planes


@pytest.mark.parametrize("seed", range(60))
def test_weights_are_those_of_plain_loops(seed: int) -> None:
    compare(seed)


@pytest.mark.parametrize("seeds", [range(n, n + 10) for n in range(0, 60, 10)])
def test_eligibilities_are_those_of_plain_loops(seeds: range) -> None:
    planes = [plane for seed in seeds for plane in compare(seed, planes=True).values()]
    assert sum(bool(plane.any()) for plane in planes) > 4


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (ends, "MAX_AGE", 62),
        (ends, "MAX_TRACE", 200),
        (ends, "NEVER", -1),
        (learn, "KEY_GROUP", 8),
        (learn, "THIRD_RANGE", (-100, 100)),
        (ends, "TRACE_BITS", 7),
    ],
)
def test_a_planted_fault_is_found(
    module: types.ModuleType, name: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, value)
    with pytest.raises((AssertionError, IndexError)):
        tuple(map(compare, range(60)))


def test_ages_end_at_63() -> None:
    """Over 150 steps with few spikes, so that every age occurs, and never."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        network = learning_network(rng)
        events = (rng.random((1, 150, network.size("in"))) < 0.015).astype(np.int64)
        expected = plainly(network, {"in": events})
        run = simulate(network, events, learn=True)
        assert {number: w.tolist() for number, w in run.weights.items()} == expected.weights
