"""NeuroBench's metrics, against counts made synapse by synapse."""

import itertools

import numpy as np
from small_program import SMALL, small_network

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.step.run import simulate
from spikeloom.program import Program
from spikeloom.report.metrics import static_metrics, workload_metrics


def run(network: Network, events: np.ndarray) -> dict[str, np.ndarray]:
    return {network.inputs[0].name: events} | simulate(network, events).spikes


def test_dense_layers_are_counted_synapse_by_synapse() -> None:
    network = small_network()
    events = np.random.default_rng(3).integers(0, 2, (2, 5, 6)).astype(np.uint8)
    activity = run(network, events)
    effective = dense = 0
    for connection in network.connections:
        for sample, step, axon in np.ndindex(activity[connection.source].shape):
            active = activity[connection.source][sample, step, axon]
            effective += np.count_nonzero(connection.weights[axon]) if active else 0
            dense += connection.weights.shape[1]
    metrics = workload_metrics(network, activity)
    operations = {"Effective_MACs": 0, "Effective_ACs": effective / 2, "Dense": dense / 2}
    assert metrics["synaptic_operations"] == operations
    silent = sum(np.count_nonzero(activity[name] == 0) for name in ("first", "last"))
    assert metrics["activation_sparsity"] == silent / (2 * 5 * (9 + 4))


def test_counts_above_one_are_multiplied() -> None:
    network = small_network()
    events = np.full((1, 1, 6), 2, np.uint8)
    operations = workload_metrics(network, run(network, events))["synaptic_operations"]
    assert operations["Effective_MACs"] == np.count_nonzero(network.connections[0].weights)


def test_a_convolution_with_pooling_padding_and_zero_weights() -> None:
    rng = np.random.default_rng(6)
    weights = rng.integers(-1, 2, (3, 2, 3, 3))
    shape, pooled = (2, 8, 8), 2
    layer = Convolution("in", "out", weights, padding=((1, 1), (1, 1)), pool=(pooled, pooled))
    network = Network(
        (Input("in", 128, image=shape),),
        (Population("out", 48, np.zeros(48, np.int64), threshold=5, image=(3, 4, 4)),),
        (layer,),
    )
    events = (rng.random((2, 3, 128)) < 0.3).astype(np.uint8)
    expected = 0
    for sample, step in np.ndindex(2, 3):
        image = events[sample, step].reshape(shape)
        for o, c, k, m, i, j in itertools.product(*map(range, (3, 2, 3, 3, 4, 4))):
            y, x = i + k - 1, j + m - 1
            if weights[o, c, k, m] and 0 <= y < 4 and 0 <= x < 4:
                expected += image[c, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].sum()
    operations = workload_metrics(network, run(network, events))["synaptic_operations"]
    assert operations["Effective_ACs"] == expected / 2
    many = workload_metrics(network, run(network, np.tile(events, (200, 1, 1))))
    assert many["synaptic_operations"] == operations  # per sample, of totals above 255


def test_footprint_and_connection_sparsity() -> None:
    weights = np.array([[1, 0, 2], [0, 0, 3]])
    network = Network(
        (Input("in", 2),),
        (Population("n", 3, np.zeros(3, np.int64), threshold=9),),
        (Connection("in", "n", weights),),
    )
    program = Program(network, SMALL, frozenset({"n"}), frozenset())
    metrics = static_metrics(program)
    assert metrics["connection_sparsity"] == 0.5
    by_memory = metrics["footprint_by_memory"]
    # Two axons, groups of two lanes of 8 bits: 2 x 2 words of 2 bytes. Three potentials of 16 bits;
    # two groups of three slots with two sums of 16 bits.
    assert (by_memory["weight"], by_memory["state"], by_memory["sum"]) == (8, 6, 24)
    assert metrics["footprint"] == sum(by_memory.values())


def test_halves_of_wide_weights_count_once() -> None:
    low, high = np.array([[0, 0, 5]]), np.array([[1, 0, 0]])
    network = Network(
        (Input("in", 1),),
        (Population("n", 3, np.zeros(3, np.int64), threshold=900),),
        (Connection("in", "n", low), Connection("in", "n", high, high=True)),
    )
    operations = workload_metrics(network, run(network, np.ones((1, 4, 1), np.uint8)))
    assert operations["synaptic_operations"]["Effective_ACs"] == 2 * 4
    assert operations["synaptic_operations"]["Dense"] == 3 * 4
