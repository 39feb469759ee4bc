"""Sparse and one-to-one connections on fabrics: how they are stored, and that results are equal."""

import numpy as np
import pytest

from spikeloom.compiler import compile
from spikeloom.devices.backends import open as open_device
from spikeloom.golden.network import Input, Network, Population
from spikeloom.golden.sparse import OneToOne, SparseConnection
from spikeloom.golden.step.run import simulate


def pruned(weight_bits: int = 8) -> Network:
    """A tenth of a matrix, and a loop of one to one."""
    rng = np.random.default_rng(5)
    top = 1 << (weight_bits - 1)
    matrix = rng.integers(-top, top, (40, 64)) * (rng.random((40, 64)) < 0.1)
    return Network(
        (Input("in", 40),),
        (Population("a", 64, np.zeros(64, np.int64), decay=300, threshold=3 * top // 2),),
        (
            SparseConnection.from_matrix("in", "a", matrix),
            OneToOne("a", "a", rng.integers(-top, top, 64), 1),
        ),
        weight_bits=weight_bits,
        sum_bits=24,
    )


@pytest.mark.parametrize("weight_bits", [4, 8, 12])
def test_what_a_fabric_lacks_is_stored_as_a_matrix(weight_bits: int) -> None:
    net = pruned(weight_bits)
    program = compile(net, {"lanes": 8})
    counts = np.random.default_rng(1).random((3, 9, 40)) < 0.2
    with open_device(program, backend="golden") as device:
        run = device.run(counts)
    expected = simulate(net, counts)
    np.testing.assert_array_equal(run.spikes["a"], expected.spikes["a"])
    np.testing.assert_array_equal(run.states["a"], expected.states["a"])
    assert expected.spikes["a"].any()
