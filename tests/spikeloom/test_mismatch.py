"""Instances that differ from their design: what each factor changes, and how much."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.learning import random_backprop
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.sparse import OneToOne, SparseConnection
from spikeloom.mismatch import Mismatch

MANY = 4000


def network(size: int = MANY) -> Network:
    zeros = np.zeros(size, np.int64)
    neurons = Population("p", size, zeros, threshold=3000, decay=400, synaptic_decay=700)
    silent = Population("sum", size, zeros, 1, threshold=3000, spiking=False)
    return Network(
        (Input("in", 2),),
        (neurons, silent),
        (
            Connection("in", "p", np.full((2, size), 60)),
            OneToOne("p", "sum", np.full(size, 50)),
        ),
    )


def test_factors_have_their_deviations() -> None:
    planted = Mismatch(threshold=0.1, leak=0.15, gain=0.2, seed=3).planted(network())
    neurons = planted.populations[0]
    weights = [connection.weights for connection in planted.connections]
    expected = (
        (neurons.threshold, 3000, 0.1),
        (neurons.decay, 400, 0.15),
        (neurons.synaptic_decay, 700, 0.15),
        (weights[0][0], 60, 0.2),
        (weights[1], 50, 0.2),
    )
    for values, mean, deviation in expected:
        factors = np.asarray(values) / mean
        assert factors.mean() == pytest.approx(1, abs=0.02)
        assert factors.std() == pytest.approx(deviation, rel=0.05)
    for n, (values, _, _) in enumerate(expected):
        for others, _, _ in expected[n + 1 :]:
            assert abs(np.corrcoef(values, others)[0, 1]) < 0.06
    assert np.array_equal(weights[0][0], weights[0][1])  # a gain is the neuron's, not the synapse's
    assert planted.populations[1].threshold == 3000  # of neurons that have no threshold


def test_a_seed_is_an_instance() -> None:
    first, again, other = (Mismatch(0.1, 0.1, 0.1, seed).planted(network(50)) for seed in (1, 1, 2))
    for a, b, c in zip(first.connections, again.connections, other.connections, strict=True):
        assert np.array_equal(a.weights, b.weights)
        assert not np.array_equal(a.weights, c.weights)
    assert np.array_equal(first.populations[0].threshold, again.populations[0].threshold)


def test_a_factor_does_not_depend_on_the_others() -> None:
    alone = Mismatch(threshold=0.2, seed=5).planted(network(50))
    together = Mismatch(threshold=0.2, leak=0.3, gain=0.3, seed=5).planted(network(50))
    assert np.array_equal(alone.populations[0].threshold, together.populations[0].threshold)
    assert np.array_equal(alone.connections[0].weights, network(50).connections[0].weights)


def test_weights_have_their_gains() -> None:
    mismatch, design = Mismatch(gain=0.3, seed=2), network(50)
    gain = mismatch.gains(design)["p"]
    sparse = SparseConnection.from_matrix("in", "p", np.arange(-50, 50).reshape(2, 50) | 1)
    design = dataclasses.replace(design, connections=(*design.connections, sparse), weight_bits=7)
    planted = mismatch.planted(design).connections
    expected = np.clip(np.rint(60 * gain), -64, 63)
    assert (expected == 63).any()  # weights of 7 bits saturate
    assert np.array_equal(planted[0].weights[1], expected)
    assert np.array_equal(
        planted[2].weights, np.clip(np.rint(sparse.weights * np.tile(gain, 2)), -64, 63)
    )


def test_no_mismatch_is_the_design() -> None:
    design = network(50)
    planted = Mismatch().planted(design)
    assert np.array_equal(planted.connections[0].weights, design.connections[0].weights)
    assert (np.asarray(planted.populations[0].threshold) == 3000).all()
    assert (np.asarray(planted.populations[0].decay) == 400).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"gain": 0.6}, "Mismatch: gain is a standard deviation, 0..0.5, such as 0.15, not 0.6"),
        ({"leak": -0.1}, "Mismatch: leak is a standard deviation"),
        ({"threshold": "10 %"}, "Mismatch: threshold is a standard deviation"),
        ({"gain": float("nan")}, "Mismatch: gain is a standard deviation"),
        ({"seed": -1}, "Mismatch: seed must be 0.."),
    ],
)
def test_what_is_no_deviation_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SpikeloomError) as error:
        Mismatch(**given)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_only_networks_of_integers_are_planted() -> None:
    with pytest.raises(SpikeloomError, match="planted takes a network of integers, such as prog"):
        Mismatch(0.1).planted("network")


def test_shared_weights_are_refused() -> None:
    maps = Population("maps", 8, np.zeros(8, np.int64), image=(2, 2, 2))
    kernels = Convolution("in", "maps", np.ones((2, 1, 1, 1), np.int64))
    design = Network((Input("in", 4, image=(1, 2, 2)),), (maps,), (kernels,))
    with pytest.raises(SpikeloomError) as error:
        Mismatch(gain=0.1).planted(design)
    assert str(error.value).startswith("connection 'in' -> 'maps': neurons of a convolution share")
    assert "use Mismatch(gain=0)" in str(error.value)
    assert Mismatch(threshold=0.1).planted(design).connections == (kernels,)


def test_weights_that_learn_stay_within_their_bounds() -> None:
    design = network(50)
    rule = random_backprop("p", None, (0, 61), rate=1)
    learning = dataclasses.replace(design.connections[0], plasticity=rule)
    learning = dataclasses.replace(learning, weights=learning.weights.clip(0, 61))
    design = dataclasses.replace(design, connections=(learning,), seed=1)
    planted = Mismatch(gain=0.3, seed=2).planted(design).connections[0]
    assert planted.weights.max() == 61


def test_halves_of_weights_are_refused() -> None:
    design = network(5)
    high = dataclasses.replace(design.connections[0], weights=np.ones((2, 5), np.int64), high=True)
    wide = dataclasses.replace(design, connections=(high,), sum_bits=24)
    with pytest.raises(SpikeloomError, match="weights of two words are not supported"):
        Mismatch(gain=0.1).planted(wide)
