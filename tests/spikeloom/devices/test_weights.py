"""Weights between runs: read back, and replaced, in every kind of device."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from board_model import BoardModel
from line_faults import DIRECTIONS, KINDS, FaultyLine, Plan
from locking import one_at_a_time
from numpy.typing import NDArray
from small_program import SMALL, small_network

import spikeloom
from spikeloom.compare import compare_device
from spikeloom.devices.device import Device
from spikeloom.devices.distributed import DistributedDevice
from spikeloom.devices.prediction import golden_clocks
from spikeloom.devices.serial_device import SerialDevice
from spikeloom.devices.session import LinkLost, Session
from spikeloom.devices.simulated import GoldenDevice, VerilatorDevice
from spikeloom.golden.contents import NOTHING, Contents
from spikeloom.golden.convolution import Convolution
from spikeloom.golden.errors import FaultyDevice, SpikeloomError, SpikeloomWarning
from spikeloom.golden.link import Command, LinkConfig
from spikeloom.golden.network import AnyConnection, Connection, Input, Network, Population
from spikeloom.golden.sparse import SparseConnection
from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.program import Program
from spikeloom.quantise.wide import with_widths
from spikeloom.sim.runner import Simulation
from spikeloom.sim.terminal import Terminal
from spikeloom.sim.verilog import emit

LINK = LinkConfig("model", 24_000_000, 24)
READABLE = dataclasses.replace(SMALL, readable=True)
EVERYONE = frozenset({"first", "sum", "last"})

Events = NDArray[np.uint8]


def small_program(fabric: FabricConfig = READABLE) -> Program:
    return Program(small_network(), fabric, EVERYONE, EVERYONE, {"made": "by hand"})


def image_program(fabric: FabricConfig) -> Program:
    """A convolution and a matrix of pairs, both cut between the tiles of a mesh."""
    rng = np.random.default_rng(4)
    wide = Network(
        (Input("in", 32, image=(2, 4, 4)),),
        (
            Population(
                "maps", 96, np.zeros(96, np.int64), threshold=300, image=(6, 4, 4), max_spikes=1
            ),
            Population("out", 5, np.zeros(5, np.int64), phase=1, threshold=900, decay=500),
        ),
        (
            Convolution(
                "in", "maps", rng.integers(-400, 600, (6, 2, 3, 3)), padding=((1, 1), (1, 1))
            ),
            Connection("maps", "out", rng.integers(-400, 600, (96, 5))),
        ),
        12,
        20,
        24,
    )
    network = with_widths(wide, 8, 24)
    assert [connection.high for connection in network.connections] == [False, True] * 2
    return Program(network, fabric, frozenset({"maps", "out"}), frozenset({"maps", "out"}))


MESH = FabricConfig(
    columns=2,
    lanes=2,
    state_bits=20,
    sum_bits=24,
    neurons=80,
    weight_words=1024,
    slots=2,
    axons=16,
    populations=4,
    connections=6,
    targets=8,
    queue=4,
    routes=8,
    extent=4,
    coordinates=64,
    weight_pairs=True,
    readable=True,
)


def events_of(program: Program, samples: int = 4, steps: int = 6) -> dict[str, Events]:
    rng = np.random.default_rng(8)
    return {
        node.name: rng.integers(0, node.max_count + 1, (samples, steps, node.size)).astype(np.uint8)
        for node in program.network.inputs
    }


def changed(weights: NDArray[np.int64], count: int, seed: int = 2) -> NDArray[np.int64]:
    """With `count` of the weights less than they were, in magnitude, so that no sum overflows."""
    rng = np.random.default_rng(seed)
    flat = weights.reshape(-1).copy()
    chosen = rng.choice(np.flatnonzero(flat), count, replace=False)
    flat[chosen] = -flat[chosen] // 2
    return flat.reshape(weights.shape)


def check_runs(device: Device) -> None:
    """The device and the golden model of its program do the same."""
    result = compare_device(device.program, events_of(device.program), device)
    assert result.first is None
    assert all(spikes.any() for spikes in result.golden.spikes.values())


# Every kind of device.

PROGRAMS = {
    "tile": small_program,
    "pairs and kernels on a mesh": lambda: image_program(MESH),
}


@pytest.fixture(
    params=[
        f"{backend}, {name}" for backend in ("golden", "verilator", "board") for name in PROGRAMS
    ]
)
def device(request: pytest.FixtureRequest) -> Iterator[Device]:
    backend, _, name = request.param.partition(", ")
    program = PROGRAMS[name]()
    if backend == "board":
        board = BoardModel(program.fabric, LINK)
        with Terminal(board) as terminal, SerialDevice(program, terminal.port, patience=5) as made:
            yield made
    else:
        with one_at_a_time(f"weights {name}"), spikeloom.open(program, backend) as made:
            yield made


def test_weights_are_read_replaced_and_run(device: Device, tmp_path: Path) -> None:
    events = events_of(device.program)
    before = device.program
    first = device.run(events)
    read = dict(device.weights.items())
    for key, weights in read.items():
        assert weights.dtype == np.int64
        source, _, target = key.partition("->")
        total = sum(
            connection.weights << before.network.weight_bits * connection.high
            for connection in before.network.connections
            if (connection.source, connection.target) == (source, target)
        )
        assert np.array_equal(weights, total)
        device.weights[key] = changed(weights, 7)
        assert np.array_equal(device.weights[key], changed(weights, 7))
        check_runs(device)
    # The program has them, and a saved one gives the same device.
    device.program.save(tmp_path / "learned.loom")
    saved = Program.load(tmp_path / "learned.loom")
    assert saved.image == device.program.image
    assert saved.about == before.about
    assert dict(GoldenDevice(saved).weights).keys() == read.keys()
    second = device.run(events)
    assert any((first.spikes[name] != second.spikes[name]).any() for name in first.spikes)
    # And back.
    for key, weights in read.items():
        device.weights[key] = weights
    third = device.run(events)
    assert all(np.array_equal(first.states[n], third.states[n]) for n in first.states)
    assert device.program.image == before.image


def test_what_is_read_cannot_be_written_to(device: Device) -> None:
    key, *_ = device.weights
    weights = device.weights[key]
    with pytest.raises(ValueError, match="read-only"):
        weights[...] = 0
    with pytest.raises(ValueError, match="read-only"):
        device.weights[key][0] = 1
    assert np.array_equal(device.weights[key], weights)


# Simulated fabrics.


def test_a_run_takes_the_clocks_of_a_fresh_fabric_however_its_weights_came() -> None:
    program = small_program()
    events = events_of(program)
    with one_at_a_time("weights tile"), VerilatorDevice(program, workers=1) as device:
        device.run(events)
        device.weights["in->first"] = changed(device.weights["in->first"], 9)
        device.run(events)
        clocks = device.run(events).cycles
        replaced = device.program
    assert np.array_equal(clocks, golden_clocks(replaced.image, events, workers=1))
    with VerilatorDevice(replaced, workers=1) as fresh:
        assert np.array_equal(clocks, fresh.run(events).cycles)


def test_a_simulated_fabric_is_given_the_words_that_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each source and group of two targets with a changed weight; none for a run."""
    program = small_program()
    written: list[int] = []
    load = Simulation.load

    def counted(self: Simulation, image: Any, held: Any = None) -> None:
        written.append(len(list(image.load_words(held))))
        load(self, image, held)

    monkeypatch.setattr(Simulation, "load", counted)
    with one_at_a_time("weights tile"), VerilatorDevice(program) as device:
        weights = device.weights["first->first"].copy()
        for source, target in ((0, 0), (0, 1), (4, 3), (8, 8)):
            weights[source, target] ^= 1
        device.weights["first->first"] = weights
        device.run(events_of(program))
    of_run, of_chunk = 0, 0
    assert written == [len(list(program.image.load_words())), 3, of_run, of_chunk]


def test_a_wrong_word_is_read_back_and_found_by_compare() -> None:
    """RTL that writes one bit of row 3 inverted: that is source 3, targets 0 and 1."""
    program = small_program()
    text = emit(program.fabric)
    broken, count = re.subn(
        r"(\S*weights\S* ?)\[weight_write__addr\] <= (.*);",
        r"\1[weight_write__addr] <= \2 ^ {15'd0, weight_write__addr == 3};",
        text,
    )
    assert count == 1
    weights = program.network.connections[0].weights
    with one_at_a_time("weights broken"), VerilatorDevice(program, verilog=broken) as device:
        read = device.weights["in->first"]
        assert np.argwhere(read != weights).tolist() == [[3, 0]]
        assert read[3, 0] == weights[3, 0] ^ 1
        result = compare_device(program, events_of(program, 20), device)
    assert result.mismatches > 0
    assert str(result.first).partition(" of ")[2].startswith("first[0]")


def test_weights_of_a_fabric_without_read_port_are_replaced_but_not_read(small: Program) -> None:
    with one_at_a_time("small fabric"), VerilatorDevice(small) as device:
        weights = changed(small.network.connections[0].weights, 20)
        device.weights["in->first"] = weights
        check_runs(device)
        with pytest.raises(SpikeloomError) as error:
            device.weights["in->first"]
    assert str(error.value) == (
        "the memories of this fabric cannot be read; compile with "
        'fabric={"readable": True}, on the command line --set readable=true'
    )
    assert np.array_equal(device.program.network.connections[0].weights, weights)


def test_a_cluster_has_nothing_to_read(small: Program) -> None:
    device = DistributedDevice(small, "tcp://nowhere:1")
    weights = changed(small.network.connections[0].weights, 3)
    device.weights["in->first"] = weights
    assert np.array_equal(device.program.network.connections[0].weights, weights)
    with pytest.raises(SpikeloomError, match="weights: a cluster builds its fabrics for each run"):
        device.weights["in->first"]


# Boards.


def served(program: Program, contents: Contents = NOTHING) -> tuple[BoardModel, FaultyLine]:
    board = BoardModel(program.fabric, LINK, contents)
    return board, FaultyLine(board, 3)


def weight_rows(board: BoardModel) -> dict[tuple[int, int, int], int]:
    return {at: row for at, row in board.memory.items() if at[0] == LoadTarget.WEIGHT}


@pytest.mark.parametrize("count", [1, 10, 81])
def test_a_board_is_sent_the_words_that_change(count: int) -> None:
    program = small_program()
    board, _ = served(program)
    with Terminal(board) as terminal, SerialDevice(program, terminal.port, patience=5) as device:
        old = program.network.connections[1].weights
        new = old.reshape(-1).copy()
        new[np.random.default_rng(count).permutation(81)[:count]] ^= 1
        new = new.reshape(9, 9)
        rows, loads = weight_rows(board), board.loads
        device.weights["first->first"] = new
        words = {(source, target // 2) for source, target in np.argwhere(new != old)}
        assert board.loads - loads == len(words)
        differ = {at for at, row in weight_rows(board).items() if row != rows[at]}
        assert len(differ) == len(words)
        loads = board.loads
        device.weights["first->first"] = new.tolist()  # as they are
        device.run(events_of(program))
        assert np.array_equal(device.weights["first->first"], new)
        assert (board.loads, device.session.sessions) == (loads, 1)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_faults_while_weights_are_replaced_and_read(kind: str, direction: str) -> None:
    """The board has all new weights in the end, or the device says that it is lost."""
    program = small_program()
    _, line = served(program)
    with Terminal(line) as terminal, SerialDevice(program, terminal.port, patience=0.1) as device:
        for frames in range(3):
            weights = changed(program.network.connections[0].weights, 40, frames)
            line.plans.append(Plan(kind, direction, frames))
            device.weights["in->first"] = weights
            line.plans.append(Plan(kind, direction, frames))
            assert np.array_equal(device.weights["in->first"], weights)
            line.plans.clear()
            check_runs(device)


def test_a_board_that_is_lost_leaves_the_program_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    program = small_program()
    board, _ = served(program)
    with Terminal(board) as terminal, SerialDevice(program, terminal.port, patience=5) as device:
        send = Session.send

        def lost(self: Session, command: Command, body: bytes = b"") -> None:
            if command == Command.LOAD:
                raise LinkLost("no answer")
            send(self, command, body)

        with monkeypatch.context() as patch:
            patch.setattr(Session, "send", lost)
            with pytest.raises(SpikeloomError, match="no board keeps up the link"):
                device.weights["in->first"] = changed(program.network.connections[0].weights, 9)
        assert device.program is program
        check_runs(device)
        assert np.array_equal(device.weights["in->first"], program.network.connections[0].weights)


def test_weights_that_were_built_in_are_replaced_with_a_warning() -> None:
    program = small_program()
    board, _ = served(program, program.image.contents(frozenset(LoadTarget)))
    with Terminal(board) as terminal:
        with SerialDevice(program, terminal.port, patience=5) as device:
            assert board.loads == 0
            with pytest.warns(SpikeloomWarning, match="weights or thresholds that were built into"):
                device.weights["in->first"] = changed(program.network.connections[0].weights, 9)
            assert 0 < board.loads <= 9
            check_runs(device)
            replaced = device.program
        with SerialDevice(replaced, terminal.port, patience=5) as device:
            check_runs(device)


def test_a_board_with_a_wrong_word_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It flips the lowest bit of each row that it is sent for address 7."""
    program = small_program()
    board, _ = served(program)
    write = BoardModel._write

    def wrong(self: BoardModel, target: int, tile: int, address: int, row: int) -> None:
        flipped = target == LoadTarget.WEIGHT and address == 7
        write(self, target, tile, address, row ^ flipped)

    monkeypatch.setattr(BoardModel, "_write", wrong)
    with Terminal(board) as terminal, SerialDevice(program, terminal.port, patience=5) as device:
        read = device.weights["in->first"]
        assert np.argwhere(read != program.network.connections[0].weights).tolist() == [[1, 2]]
        with pytest.raises(FaultyDevice, match="weight row 7 of tile 0 is 0x"):
            compare_device(program, events_of(program), device, verify=True)


# What a key stands for.


def joined(*connections: AnyConnection, **options: Any) -> GoldenDevice:
    network = Network(
        (Input("in", 2), Input("a->b", 1), Input("a", 1)),
        (
            Population("out", 3, np.zeros(3, np.int64)),
            Population("c", 1, np.zeros(1, np.int64)),
            Population("b->c", 1, np.zeros(1, np.int64)),
        ),
        connections,
        **{"sum_bits": 24} | options,
    )
    fabric = FabricConfig(weight_pairs=True, sum_bits=24, weight_bits=network.weight_bits)
    return GoldenDevice(Program(network, fabric, frozenset({"out"}), frozenset()))


def matrix(value: int = 1) -> NDArray[np.int64]:
    return np.full((2, 3), value)


def test_the_delay_tells_connections_of_the_same_pair_apart() -> None:
    device = joined(
        Connection("in", "out", matrix(1), 0),
        Connection("in", "out", matrix(2), 2),
        Connection("in", "out", matrix(3), 2),
        Connection("in", "c", np.ones((2, 1), np.int64)),
    )
    assert list(device.weights) == ["in->out@0", "in->out@2", "in->c"]
    assert len(device.weights) == 3
    assert "in->c" in device.weights
    assert "in->out" not in device.weights
    assert (device.weights["in->out@2"] == 5).all()
    device.weights["in->out@2"] = matrix(200)
    assert [c.weights[0, 0] for c in device.program.network.connections] == [1, 127, 73, 1]
    assert repr(device.weights) == (
        "Weights('in->out@0': (2, 3), 'in->out@2': (2, 3), 'in->c': (2, 1))"
    )
    with pytest.raises(SpikeloomError) as error:
        device.weights["in->out"]
    assert str(error.value) == (
        "weights: there is no 'in->out'; there are in->out@0, in->out@2, in->c"
    )


def test_names_with_arrows_are_told_apart_by_the_number() -> None:
    one = np.ones((1, 1), np.int64)
    device = joined(Connection("a->b", "c", one), Connection("a", "b->c", 2 * one))
    assert list(device.weights) == ["a->b->c@0#0", "a->b->c@0#1"]
    assert device.weights["a->b->c@0#1"] == 2


@pytest.mark.parametrize("highs", [(0, 1), (1, 0), (0, 1, 1), (0, 0), (0, 0, 1)])
def test_connections_that_add_up_hold_every_weight_in_their_range(highs: tuple[int, ...]) -> None:
    """Of 4 bits; and no half changes where the weight does not."""
    rng = np.random.default_rng(6)
    parts = [
        Connection("in", "out", rng.integers(-8, 8, (2, 3)), high=bool(high)) for high in highs
    ]
    device = joined(*parts, weight_bits=4)
    total = sum(part.weights << 4 * part.high for part in parts)
    assert list(device.weights) == ["in->out"]
    assert np.array_equal(device.weights["in->out"], total)
    low, high = -8 * 17, 7 * 17
    if sum(highs) != 1:
        low, high = (-16, 14) if sum(highs) == 0 else (-8 * 33, 7 * 33)
    for value in range(low, high + 1):
        weights = total.copy()
        weights[1, 2] = value
        device.weights["in->out"] = weights
        assert np.array_equal(device.weights["in->out"], weights)
        now = device.program.network.connections
        for part, connection in zip(parts, now, strict=True):
            differs = part.weights != connection.weights
            assert not differs.any() or np.argwhere(differs).tolist() == [[1, 2]]
    weights[0, 0] = high + 1
    with pytest.raises(SpikeloomError, match=rf"must be {low}..{high}, not "):
        device.weights["in->out"] = weights


def test_a_sparse_matrix_has_a_weight_for_each_synapse() -> None:
    network = Network(
        (Input("in", 40),),
        (Population("out", 30, np.zeros(30, np.int64)),),
        (Connection("in", "out", 7 * np.eye(40, 30, dtype=np.int64)),),
    )
    device = GoldenDevice(spikeloom.compile(network, {"lanes": 2}))
    (connection,) = device.program.network.connections
    assert isinstance(connection, SparseConnection)
    assert device.weights["in->out"].tolist() == [7] * 30
    device.weights["in->out"] = np.arange(30)
    run = device.run(np.ones((1, 3, 40), np.uint8))
    assert np.array_equal(device.program.network.connections[0].dense(30).diagonal(), range(30))
    assert run.synops == 90
    with pytest.raises(SpikeloomError) as error:
        device.weights["in->out"] = np.eye(40, 30, dtype=np.int64)
    assert str(error.value) == (
        "weights of 'in->out' must have shape (30,), not (40, 30), one for each synapse: they are "
        'stored sparse; compile with {"sparse_words": 0}'
    )
    dense = GoldenDevice(spikeloom.compile(network, {"lanes": 2, "sparse_words": 0}))
    dense.weights["in->out"] = np.ones((40, 30), np.int64)
    assert (dense.weights["in->out"] == 1).all()


def test_an_upper_half_alone_takes_multiples() -> None:
    device = joined(Connection("in", "out", matrix(), high=True))
    assert (device.weights["in->out"] == 256).all()
    device.weights["in->out"] = matrix(-512)
    assert (device.weights["in->out"] == -512).all()
    with pytest.raises(SpikeloomError, match="are upper halves: use multiples of 256"):
        device.weights["in->out"] = matrix(255)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros((9, 6), np.int64), "must have shape (6, 9), not (9, 6)"),
        (3, "must have shape (6, 9), not ()"),
        (np.zeros((6, 9)), "must be integers, not float64; round floats as the network was quan"),
        (np.zeros((6, 9), np.bool_), "must be integers, not bool"),
        (np.full((6, 9), "x"), "must be integers, not <U1"),
        ([[1, 2], [3]], "must be integers, not object"),
        (None, "must be integers, not object"),
        (np.full((6, 9), 128), "must be -128..127, not 128..128"),
        (np.full((6, 9), 1 << 63, np.uint64), f"must be -128..127, not {1 << 63}..{1 << 63}"),
        (np.full((6, 9), -129, np.int16), "must be -128..127, not -129..-129"),
    ],
)
def test_weights_that_do_not_fit_change_nothing(small: Program, weights: Any, message: str) -> None:
    device = GoldenDevice(small)
    with pytest.raises(SpikeloomError) as error:
        device.weights["in->first"] = weights
    assert str(error.value).startswith(f"weights of 'in->first' {message}")
    assert "\n" not in str(error.value)
    assert device.program is small


def test_weights_whose_sum_could_overflow_are_refused() -> None:
    network = dataclasses.replace(small_network(), sum_bits=10)
    fabric = dataclasses.replace(SMALL, sum_bits=10)
    program = Program(network, fabric, EVERYONE, EVERYONE)
    device = GoldenDevice(program)
    with pytest.raises(SpikeloomError, match="neuron 2 can sum to .* use sum_bits=12"):
        device.weights["in->first"] = np.full((6, 9), 100)
    assert device.program is program


def test_weights_are_the_callers_own_to_change() -> None:
    device = GoldenDevice(small_program())
    weights = changed(device.weights["in->first"], 3)
    device.weights["in->first"] = weights
    weights[...] = 0
    assert device.weights["in->first"].any()
