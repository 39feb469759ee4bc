"""Sparse and one-to-one connections on fabrics: how they are stored, and that results are equal."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Commands
from numpy.typing import NDArray

from spikeloom.compiler import compile
from spikeloom.devices.backends import open as open_device
from spikeloom.golden.convolution import Convolution
from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.host import decode_packets, host_words
from spikeloom.golden.network import AnyConnection, Connection, Input, Network, Population
from spikeloom.golden.sparse import OneToOne, SparseConnection
from spikeloom.golden.spec import FabricConfig
from spikeloom.golden.step.run import simulate
from spikeloom.mapping.storage import storage
from spikeloom.program import Program


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


def layer(matrix: NDArray[np.int64], weight_bits: int = 8) -> Network:
    """One matrix from an input into a population."""
    sources, targets = matrix.shape
    return Network(
        (Input("in", sources),),
        (Population("a", targets, np.zeros(targets, np.int64), threshold=60),),
        (Connection("in", "a", matrix),),
        weight_bits=weight_bits,
        sum_bits=24,
    )


def random_matrix(density: float, sources: int = 784, targets: int = 256) -> NDArray[np.int64]:
    rng = np.random.default_rng(3)
    return rng.integers(-30, 40, (sources, targets)) * (rng.random((sources, targets)) < density)


def check(program: Program, net: Network, rate: float = 0.1) -> int:
    """The cycle-level model does what the step-level model does of the network as it was given.

    Returns the clocks.
    """
    rng = np.random.default_rng(1)
    counts = {n.name: (rng.random((2, 4, n.size)) < rate).astype(np.uint8) for n in net.inputs}
    model = CycleModel(program.fabric)
    model.load(program.image)
    packets = model.run(np.concatenate(host_words(program.image, counts)).tolist())
    clocks, payloads = np.array(packets, np.uint64).reshape(-1, 2).T
    heard = decode_packets(program.image, clocks, payloads, 2, 4)
    expected = simulate(net, counts)
    for name, spikes in heard.spikes.items():
        np.testing.assert_array_equal(spikes, expected.spikes[name])
        np.testing.assert_array_equal(heard.states[name], expected.states[name])
    assert any(spikes.any() for spikes in heard.spikes.values())
    total = sum(count for name, count in model.counters.items() if name.startswith("synops"))
    assert total == simulate(program.network, counts).synops.sum()
    return int(clocks[-1])


@pytest.mark.parametrize("weight_bits", [4, 8, 12])
@pytest.mark.parametrize("sparse_words", [0, 63, 128, 512])
def test_a_fabric_stores_sparse_what_it_has_room_for(weight_bits: int, sparse_words: int) -> None:
    net = pruned(weight_bits)
    fields = {"lanes": 8, "sparse_words": sparse_words, "one_to_one": False}
    program = compile(net, fields)
    kinds = [type(connection) for connection in program.network.connections]
    assert (SparseConnection in kinds) == (sparse_words > 64)
    assert (Connection in kinds) == (sparse_words < 512)
    assert program.fabric.sparse_words == sparse_words
    check(program, net)
    counts = np.random.default_rng(1).random((3, 9, 40)) < 0.2
    with open_device(program, backend="golden") as device:
        run = device.run(counts)
    expected = simulate(net, counts)
    np.testing.assert_array_equal(run.spikes["a"], expected.spikes["a"])
    np.testing.assert_array_equal(run.states["a"], expected.states["a"])


@pytest.mark.parametrize("tiles", [(1, 1), (2, 1), (2, 2)])
def test_a_tenth_of_the_weights_takes_a_fifth_of_the_words_and_clocks(
    tiles: tuple[int, int],
) -> None:
    """784 x 256 at random, 8 lanes, the most that the issue allows; on one tile."""
    net = layer(random_matrix(0.1))
    mesh = {"lanes": 8, "columns": tiles[0], "rows": tiles[1]}
    sparse, dense = compile(net, mesh), compile(net, mesh | {"sparse_words": 0})
    (stored,) = storage(sparse.network, sparse.fabric)
    for tile, used in zip(sparse.image.tiles, sparse.plan.report.used, strict=True):
        assert used["sparse_words"] == used["weight_words"] == len(tile.weights)
        assert used["coordinates"] == 784
    words = [sum(len(tile.weights) for tile in p.image.tiles) for p in (sparse, dense)]
    assert words[1] == 784 * 32 == stored[2]
    if tiles == (1, 1):
        assert words[0] == stored[1] <= 0.2 * words[1]
        # A clock a word: 78 events a step, and as many clocks to fire 256 neurons as before.
        clocks = [check(program, net) - 8 * 256 for program in (sparse, dense)]
        assert clocks[0] <= 0.25 * clocks[1]
    else:
        assert words[0] <= 0.4 * words[1]
        check(sparse, net)


@pytest.mark.parametrize("tiles", [(1, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize("weight_bits", [4, 12])
def test_one_to_one_takes_a_word_for_each_group(tiles: tuple[int, int], weight_bits: int) -> None:
    net = pruned(weight_bits)
    mesh = {"lanes": 4, "columns": tiles[0], "rows": tiles[1], "sparse_words": 0}
    program = compile(net, mesh)
    assert program.fabric.one_to_one
    halves = 2 if weight_bits == 12 else 1
    assert [type(c) for c in program.network.connections[halves:]] == [OneToOne] * halves
    words = sum(len(tile.weights) for tile in program.image.tiles)
    assert words == halves * (40 * 16 + 16)
    check(program, net, 0.4)


def test_a_diagonal_matrix_is_one_to_one_where_that_saves_a_block_ram() -> None:
    diagonal = layer(np.diag(np.arange(-32, 32)))
    assert compile(diagonal, {"lanes": 8}).fabric.one_to_one
    check(compile(diagonal, {"lanes": 8}), diagonal, 0.5)
    small = layer(np.diag(np.arange(-9, 10)))
    assert not compile(small, {"lanes": 8}).fabric.one_to_one
    # Three lanes cannot: it is sparse, or a matrix.
    for net in (diagonal, pruned()):
        three = compile(net, {"lanes": 3})
        assert (three.fabric.one_to_one, three.fabric.sparse_words > 0) == (False, True)
        check(three, net, 0.5)
    with pytest.raises(SpikeloomError, match="one to one needs one_to_one=True; use"):
        Program(pruned(), FabricConfig(sum_bits=24, sparse_words=99), frozenset(), frozenset("a"))


def test_the_parts_of_wide_weights_stay_together() -> None:
    matrix = random_matrix(0.1, 60, 80) * 60 + random_matrix(0.1, 60, 80) % 60
    net = layer(matrix, 13)
    program = compile(net, {"lanes": 8})
    low, high = program.network.connections
    assert isinstance(low, SparseConnection)
    assert isinstance(high, SparseConnection)
    assert (low.high, high.high) == (False, True)
    np.testing.assert_array_equal(low.targets, high.targets)
    check(program, net, 0.4)
    with open_device(program, backend="golden") as device:
        assert list(device.weights) == ["in->a"]
        weights = device.weights["in->a"]
    np.testing.assert_array_equal(weights, matrix[low.sources(), low.targets])


def test_dense_is_dense_and_the_fabric_has_no_option() -> None:
    program = compile(layer(random_matrix(0.8, 40, 64)), {"lanes": 8})
    assert program.fabric.sparse_words == 0
    assert type(program.network.connections[0]) is Connection
    # Nor does a sparse connection help where most weights are there.
    full = SparseConnection.from_matrix("in", "a", random_matrix(0.8, 40, 64))
    net = dataclasses.replace(layer(random_matrix(0.8, 40, 64)), connections=(full,))
    assert compile(net, {"lanes": 8}).fabric.sparse_words == 0
    check(compile(net, {"lanes": 8}), net)


def test_positions_of_a_target_are_groups_and_those_of_a_source_are_not() -> None:
    """A matrix into maps that a convolution reads, and one out of them."""
    rng = np.random.default_rng(7)
    into = random_matrix(0.05, 60, 6 * 16)
    out = random_matrix(0.05, 6 * 16, 80)
    kernel = rng.integers(-9, 9, (6, 6, 3, 3))
    joined: tuple[AnyConnection, ...] = (
        Connection("in", "a", into),
        Convolution("a", "a", kernel, 1, padding=((1, 1), (1, 1))),
        Connection("a", "b", out),
    )
    net = Network(
        (Input("in", 60),),
        (
            Population("a", 96, np.zeros(96, np.int64), threshold=60, image=(6, 4, 4)),
            Population("b", 80, np.zeros(80, np.int64), 1, threshold=60),
        ),
        joined,
        sum_bits=20,
    )
    program = compile(net, {"lanes": 4})
    kinds = [type(connection) for connection in program.network.connections]
    assert kinds == [SparseConnection, Convolution, Connection]
    check(program, net, 0.4)
    check(compile(net, {"lanes": 4, "columns": 2}), net, 0.4)


def test_a_program_that_needs_it_is_refused_by_name() -> None:
    net = dataclasses.replace(pruned(), connections=pruned().connections[:1])
    plain = FabricConfig(sum_bits=24)
    with pytest.raises(SpikeloomError) as error:
        Program(net, plain, frozenset(), frozenset("a"))
    assert str(error.value) == (
        "the network does not fit the fabric: connection 'in' -> 'a': a sparse matrix needs "
        "sparse_words=88; use dataclasses.replace(fabric, sparse_words=88)"
    )
    Program(net, dataclasses.replace(plain, sparse_words=88), frozenset(), frozenset("a"))
    small = dataclasses.replace(plain, sparse_words=87)
    with pytest.raises(SpikeloomError, match=r"sparse_words 88 of 87 \(short by 1\)"):
        Program(net, small, frozenset(), frozenset("a"))


def test_a_program_with_sparse_matrices_is_saved(tmp_path: Any) -> None:
    program = compile(pruned(), {"lanes": 8})
    program.save(tmp_path / "pruned")
    loaded = Program.load(tmp_path / "pruned")
    assert loaded.digest == program.digest
    assert loaded.image == program.image


def test_info_says_what_is_stored_how(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compile(pruned(), {"lanes": 8}).save(tmp_path / "pruned.loom")
    monkeypatch.chdir(tmp_path)
    outcome = Commands(tmp_path, capsys, monkeypatch)("info", "pruned.loom", "--json", "info.json")
    assert outcome.status == 0
    lines = [" ".join(line.split()) for line in outcome.out.splitlines()]
    assert "in -> a sparse, 88 weight words; 320 as a matrix" in lines
    assert "a -> a one to one, 8 weight words; 512 as a matrix" in lines
    (first, second) = json.loads((tmp_path / "info.json").read_text())["stored"]
    assert first == {
        "source": "in",
        "target": "a",
        "kind": "sparse",
        "words": 88,
        "dense_words": 320,
    }
    assert (second["kind"], second["words"]) == ("one to one", 8)
