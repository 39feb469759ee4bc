"""Sparse and one-to-one connections: where they come from, what is refused, and what they cost."""

import dataclasses
import tracemalloc
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import AnyConnection, Connection, Input, Network, Population
from spikeloom.golden.sparse import OneToOne, SparseConnection
from spikeloom.golden.step.run import simulate

MATRIX = np.array([[0, 3, 0, -5], [0, 0, 0, 0], [7, 0, 0, 1]])


def network(joined: AnyConnection, **options: Any) -> Network:
    return Network(
        (Input("in", 3),), (Population("a", 4, np.zeros(4, np.int64)),), (joined,), **options
    )


def refusal(joined: AnyConnection, **options: Any) -> str:
    with pytest.raises(SpikeloomError) as error:
        network(joined, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


FORMATS = (
    *(scipy.sparse.csr_array, scipy.sparse.csc_matrix, scipy.sparse.coo_array),
    *(scipy.sparse.lil_matrix, scipy.sparse.dok_array, np.array),
)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_the_same_connection(kind: Any) -> None:
    joined = SparseConnection.from_matrix("in", "a", kind(MATRIX.astype(np.int8)), 2, True)
    assert joined.weights.tolist() == [3, -5, 7, 1]
    assert joined.targets.tolist() == [1, 3, 0, 3]
    assert joined.starts.tolist() == [0, 2, 2, 4]
    assert (joined.delay, joined.high) == (2, True)
    np.testing.assert_array_equal(joined.dense(4), MATRIX)
    # 4 synapses, and as many for each axon as its row has.
    assert network(joined).synapses == 4
    assert network(joined).fan_out(joined).tolist() == [2, 0, 2]


def test_duplicates_are_added_and_explicit_zeros_are_synapses() -> None:
    matrix = scipy.sparse.coo_array(([2, 3, 0, 1], ([0, 0, 1, 2], [3, 3, 1, 0])), shape=(3, 4))
    joined = SparseConnection.from_matrix("in", "a", matrix)
    assert joined.weights.tolist() == [5, 0, 1]
    assert joined.targets.tolist() == [3, 1, 0]
    assert matrix.nnz == 4, "the user's matrix is as it was"


def test_what_is_no_integer_matrix_is_refused() -> None:
    for matrix, said in (
        (scipy.sparse.csr_array(MATRIX.astype(float)), "not 2 dimensions of float64"),
        (np.ones(3, np.int64), "not 1 dimensions of int64"),
        ([[1]], "not list"),
    ):
        with pytest.raises(SpikeloomError, match=said):
            SparseConnection.from_matrix("in", "a", matrix)


def test_a_sparse_matrix_as_dense_weights_names_the_remedy() -> None:
    matrix: Any = scipy.sparse.csr_array(MATRIX)
    assert refusal(Connection("in", "a", matrix)).endswith(
        "not csr_array; use SparseConnection.from_matrix for a sparse matrix"
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"starts": np.array([0, 2, 4])}, r"starts must have shape \(4,\), not \(3,\)"),
        ({"starts": np.array([1, 2, 2, 4])}, "starts must ascend from 0"),
        ({"starts": np.array([0, 2, 2, 3])}, "starts must ascend from 0"),
        ({"starts": np.array([0, 3, 2, 4])}, "starts must ascend from 0"),
        ({"targets": np.array([1, 4, 0, 3])}, r"targets must be 0\.\.3, not 0\.\.4"),
        ({"targets": np.array([3, 1, 0, 3])}, "targets of a source must ascend"),
        ({"targets": np.array([1, 1, 0, 3])}, "targets of a source must ascend"),
        ({"targets": np.array([1, 3, 0])}, r"targets must have shape \(4,\)"),
        ({"weights": np.array([3, -5, 7, 128])}, r"weights must be -128\.\.127"),
        ({"weights": np.array([[3, -5, 7, 1]])}, "weights must have one dimension"),
        ({"weights": np.array([3.0, -5, 7, 1])}, "weights must be of type int64"),
        ({"delay": 16}, r"delay must be 0\.\.15"),
    ],
)
def test_arrays_that_are_no_matrix_are_refused(changed: dict[str, Any], said: str) -> None:
    joined = SparseConnection.from_matrix("in", "a", MATRIX)
    with pytest.raises(SpikeloomError, match=said):
        network(dataclasses.replace(joined, **changed))


def test_one_to_one_needs_as_many_neurons_as_sources() -> None:
    said = refusal(OneToOne("in", "a", np.ones(3, np.int64)))
    assert said.endswith("one to one needs as many neurons as sources, not 4 for 3")
    joined = OneToOne("a", "a", np.array([1, 2, 3]), 1)
    assert "weights must have shape (4,), not (3,)" in refusal(joined)


def test_sums_that_could_overflow_are_refused() -> None:
    matrix = np.array([[127, 0, 0, 0], [127, 0, 0, 0], [-128, 1, 0, 0]])
    joined = SparseConnection.from_matrix("in", "a", matrix)
    network(joined, sum_bits=9)
    assert "neuron 0 can sum to -128..254, outside -128..127" in refusal(joined, sum_bits=8)
    loop = OneToOne("a", "a", np.array([1, 127, 1, 1]), 1)
    network(loop, sum_bits=8)
    high = dataclasses.replace(loop, high=True)
    assert "neuron 1 can sum to 0..32512" in refusal(high, sum_bits=12)


@given(st.integers(0, 1 << 30), st.sampled_from([0.05, 0.5, 1]))
def test_the_same_as_dense(seed: int, density: float) -> None:
    """Every format of a state, several events an axon, more moments than a block."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(-128, 128, (30, 7)) * (rng.random((30, 7)) < density)
    bits = int(rng.choice([8, 16, 24]))
    counts = rng.integers(0, 4, (3, 5, 30))
    runs = []
    for joined in (
        Connection("in", "a", weights),
        SparseConnection.from_matrix("in", "a", weights),
    ):
        net = Network(
            (Input("in", 30, 3),),
            (Population("a", 7, np.arange(7), decay=100, threshold=50),),
            (joined, OneToOne("a", "a", np.arange(-3, 4) * 9, 1)),
            state_bits=bits,
            sum_bits=20,
        )
        runs.append(simulate(net, counts))
    np.testing.assert_array_equal(runs[0].spikes["a"], runs[1].spikes["a"])
    np.testing.assert_array_equal(runs[0].states["a"], runs[1].states["a"])
    # Synaptic operations are those of the synapses that exist.
    own = runs[0].spikes["a"].sum(axis=(1, 2))
    events = counts.sum(axis=1)
    assert (runs[0].synops == events.sum(axis=1) * 7 + own - _late(runs[0])).all()
    fan_out = (weights != 0).sum(axis=1)
    assert (runs[1].synops == events @ fan_out + own - _late(runs[1])).all()


def _late(run: Any) -> Any:
    """Spikes of the last step, which arrive after it."""
    return run.spikes["a"][:, -1].sum(axis=1)


def test_memory_grows_with_the_synapses() -> None:
    """30,000 neurons with 10 synapses each: dense, the weights alone would take 7.2 GB."""
    rng = np.random.default_rng(1)
    size = 30_000
    places = np.repeat(np.arange(size), 10), rng.integers(0, size, 10 * size)
    matrix = scipy.sparse.coo_array((np.ones(10 * size, np.int64), places), shape=(size, size))
    tracemalloc.start()
    try:
        net = Network(
            (Input("in", size),),
            (Population("a", size, np.zeros(size, np.int64), threshold=3),),
            (
                SparseConnection.from_matrix("in", "a", matrix),
                OneToOne("a", "a", places[1][:size] % 3, 1),
            ),
        )
        run = simulate(net, rng.random((1, 3, size)) < 0.3)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert run.spikes["a"].any()
    assert most < 100e6
