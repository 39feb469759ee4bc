"""The host of the link against a board in software: what is said, and what becomes of faults."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from board_model import BoardModel
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st
from line_faults import (
    KINDS,
    DyingLine,
    FaultyLine,
    HostDied,
    Plan,
    campaign,
    differs,
)
from numpy.typing import NDArray
from random_networks import IMAGES, image_programs
from random_networks import events as random_events
from small_program import SMALL

import spikeloom
from spikeloom.compare import compare_device
from spikeloom.devices import serial_device, session
from spikeloom.devices.serial_device import SerialDevice
from spikeloom.devices.session import Frames, LinkLost, Session, decoded, encoded
from spikeloom.devices.simulated import GoldenDevice
from spikeloom.golden import link as numbers
from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.errors import FaultyDevice, SpikeloomError
from spikeloom.golden.link import LinkConfig
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig, LoadTarget, ReadTarget, Reset
from spikeloom.golden.step.run import simulate
from spikeloom.golden.switches.adaptive_threshold import AdaptiveThreshold
from spikeloom.program import Program
from spikeloom.sim.terminal import Terminal

PATIENCE = 0.1
LINK = LinkConfig("model", 24_000_000, 24)

Events = NDArray[np.uint8]


class Served:
    """A board in software behind a terminal, with a line that can have faults."""

    def __init__(self, config: FabricConfig, checked: bool = True, buffer: int = 512) -> None:
        board = dataclasses.replace(LINK, buffer=buffer)
        self.board = BoardModel(config, board, checked=checked)
        self.line = FaultyLine(self.board, 1)
        self.terminal = Terminal(self.line)

    def device(self, program: Program, patience: float = PATIENCE, **options: Any) -> SerialDevice:
        return SerialDevice(program, self.terminal.port, patience=patience, **options)


@pytest.fixture
def served() -> Iterator[Any]:
    """Makes boards, and closes them."""
    made: list[Served] = []

    def make(config: FabricConfig = SMALL, **options: Any) -> Served:
        made.append(Served(config, **options))
        return made[-1]

    yield make
    for board in made:
        board.terminal.close()


def some_events(seed: int, *sizes: int) -> list[Events]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 3, (n, 6, 6)).astype(np.uint8) for n in sizes]


# Frames.


def test_a_frame_is_cobs_of_content_and_crc() -> None:
    content = bytes([9, 0, 0])
    frame = encoded(content)
    assert frame.endswith(b"\0")
    assert 0 not in frame[:-1]
    assert len(frame) == len(content) + 6
    # CRC-32/ISO-HDLC of "123456789" is cbf43926.
    assert cobs.decode(encoded(b"123456789")[:-1])[-4:] == bytes.fromhex("26 39 f4 cb")
    assert decoded(frame[:-1]) == content


def test_every_flipped_bit_of_a_frame_is_noticed() -> None:
    frame = encoded(bytes(range(40)))[:-1]
    for bit in range(8 * len(frame)):
        data = bytearray(frame)
        data[bit // 8] ^= 1 << bit % 8
        assert decoded(bytes(data)) is None


def test_frames_are_found_however_the_stream_is_cut() -> None:
    rng = np.random.default_rng(3)
    contents = [rng.bytes(int(n)) for n in rng.integers(1, 250, 50)]
    stream = b"".join(b"\0" * int(rng.integers(0, 3)) + encoded(c) for c in contents)
    for longest in (1, 7, 1000):
        frames, found, rest = Frames(), list[bytes](), stream
        while rest:
            size = int(rng.integers(1, longest + 1))
            found += frames.feed(rest[:size])
            rest = rest[size:]
        assert found == contents


def test_noise_without_end_takes_no_memory() -> None:
    frames = Frames()
    for _ in range(1000):
        assert list(frames.feed(b"\1" * 1000)) == []
    assert len(frames._partial) < 1000
    assert list(frames.feed(b"\0" + encoded(b"content"))) == [b"content"]


def wait_for(host: Session, frames: int) -> None:
    while len(host.received) < frames:
        host.wait()


@pytest.mark.parametrize("lost", [1, 100, 127, 128, 200, 255, 256, 257, 384, 512])
@pytest.mark.parametrize("before", [0, 3, 200, 300])
def test_any_number_of_lost_frames_is_noticed(lost: int, before: int) -> None:
    """Also those after which the number in the header is the expected one."""

    class Silent:
        in_waiting = 0

        def read(self, size: int = 1) -> bytes:
            return b"".join(frames.pop(0) for _ in frames[:7])

        def write(self, data: bytes) -> int:
            return len(data)

    frames: list[bytes] = []
    host = Session(Silent(), PATIENCE, LINK.baud)
    board = BoardModel(SMALL, LINK)
    board.session = host._session % 255 + 1
    board._send(1, b"\0")
    numbers = range(1, 1 + before + lost + 20)
    for _ in numbers:
        board._send(4, b"")
    sent, board.answers = board.answers, []
    frames += [*sent[: 1 + before], *sent[1 + before + lost :]]

    def listen() -> None:
        host.begin()
        wait_for(host, before + 1)

    with pytest.raises(LinkLost):
        listen()
    assert len(host.received) == before


class Clock:
    """Stands for the module `time` in the session: the test says how late it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(session, "time", self)

    def monotonic(self) -> float:
        return self.now


class Timed:
    """A line that delivers each frame at its time, and answers frames with `answer`."""

    def __init__(self, clock: Clock, frames: list[tuple[float, bytes]]) -> None:
        self.clock, self.frames = clock, frames
        self.timeout = 0.05
        self.answer: Any = None

    @property
    def in_waiting(self) -> int:
        return sum(len(frame) for arrives, frame in self.frames if arrives <= self.clock.now)

    def read(self, size: int = 1) -> bytes:
        if not self.in_waiting:
            self.clock.now += self.timeout
        here = b"".join(frame for arrives, frame in self.frames if arrives <= self.clock.now)
        self.frames = [(arrives, frame) for arrives, frame in self.frames if frame not in here]
        return here

    def write(self, data: bytes) -> int:
        if self.answer:
            self.answer()
        return len(data)


FRAME_BITS = 10 * 11
"""Of the shortest frame of a board: 5 bytes of header, 4 of CRC, 1 of COBS, and the delimiter."""


def sent(board: BoardModel, kind: int, body: bytes = b"") -> bytes:
    board._send(kind, body)
    return board.answers.pop()


@pytest.mark.parametrize(("baud", "patience"), [(1_000_000, 1), (1_000_000, 5), (12_000_000, 1)])
@pytest.mark.parametrize("sleeps", [False, True])
def test_65536_lost_frames_are_noticed(
    monkeypatch: pytest.MonkeyPatch, baud: int, patience: float, sleeps: bool
) -> None:
    """The frame after them has the expected number."""
    clock = Clock(monkeypatch)
    line = Timed(clock, [])
    host = Session(line, patience, baud)
    board = BoardModel(SMALL, LINK)
    board.session = host._session % 255 + 1
    lost = 65_536 * FRAME_BITS / baud
    line.frames = [(0.1, sent(board, 1, b"\0")), (0.2, sent(board, 4))]
    line.frames += [(0.2 + lost, sent(board, 4))]
    host.begin()
    wait_for(host, 1)
    if sleeps:  # what it does not read meanwhile is lost
        clock.now += lost
    with pytest.raises(LinkLost):
        wait_for(host, 2)
    assert len(host.received) == 1


@pytest.mark.parametrize("baud", [1_000_000, 12_000_000])
def test_a_board_that_works_long_is_asked_often_enough(
    monkeypatch: pytest.MonkeyPatch, baud: int
) -> None:
    """Its answers show that no frame is missing, for as long as the host waits."""
    clock = Clock(monkeypatch)
    line = Timed(clock, [])
    host = Session(line, 1, baud)
    board = BoardModel(SMALL, LINK)
    board.session = host._session % 255 + 1
    line.frames = [(0.1, sent(board, 1, b"\0"))]
    host.begin()
    board.expected = 2  # it accepts the POLL, and executes it when it has done its work

    def answer() -> None:
        line.frames.append((clock.now + 0.01, sent(board, 0)))

    line.answer = answer
    while clock.now < 3.5:
        host.wait()
    line.frames.append((clock.now, sent(board, 4)))
    wait_for(host, 1)


# Runs.


def test_a_board_runs_what_the_model_runs(served: Any, small: Program) -> None:
    device = served().device(small)
    for events in some_events(8, 5, 1, 3):
        done: list[int] = []
        run = device.run(events, done.append)
        assert differs(run, GoldenDevice(small).run(events)) == ""
        assert done[-1] == len(events)
        assert run.cycles is not None
        assert run.cycles.shape == (len(events),)
        assert (run.cycles > 6).all()
    assert (device.session.sessions, device.session.resent) == (1, 0)


def test_a_rest_is_no_loss(served: Any, small: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two runs the board has nothing to send, however long that takes."""
    (events,) = some_events(8, 2)
    clock = Clock(monkeypatch)
    device = served().device(small)
    for _ in range(2):
        assert differs(device.run(events), GoldenDevice(small).run(events)) == ""
        clock.now += 1000
    assert (device.session.sessions, device.session.resent) == (1, 0)


def test_a_program_is_loaded_once(served: Any, small: Program) -> None:
    board = served()
    device = board.device(small)
    loads = board.line.frames["to board"]
    device.run(some_events(8, 1)[0])
    assert board.line.frames["to board"] - loads < 5


@pytest.mark.parametrize("size", [1, 40, 200, 1 << 16])
def test_batches_change_nothing(
    served: Any, small: Program, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(serial_device, "BATCH", size)
    events = some_events(8, 7)[0]
    run = served().device(small).run(events)
    assert differs(run, GoldenDevice(small).run(events)) == ""


@pytest.mark.parametrize("buffer", [512, 4096])
def test_no_more_is_on_the_way_than_the_board_has_room_for(
    served: Any, small: Program, buffer: int
) -> None:
    board = served(buffer=buffer)
    # On a fast line the host would ask again after milliseconds, as if a busy machine were a loss.
    device = board.device(small, patience=30.0, baud=9600)
    device.run(some_events(8, 100)[0])
    # The board would have refused the frame, and the host resent it.
    assert (device.session.refused, device.session.resent) == (0, 0)


def test_counters_wrap(served: Any, small: Program) -> None:
    program = dataclasses.replace(small, fabric=dataclasses.replace(SMALL, counter_bits=16))
    device = served(program.fabric).device(program)
    events = some_events(8, 40)[0]
    for _ in range(3):
        run = device.run(events)
        assert run.synops == GoldenDevice(program).run(events).synops
        assert run.synops * 3 > 1 << 16


def test_several_entries_with_delays(served: Any, small: Program) -> None:
    rng = np.random.default_rng(5)
    net = Network(
        (Input("left", 30), Input("right", 3, max_count=3)),
        (Population("a", 20, np.zeros(20, np.int64), threshold=5),),
        (
            Connection("left", "a", rng.integers(-9, 10, (30, 20))),
            Connection("right", "a", rng.integers(-9, 10, (3, 20)), 2),
            Connection("left", "a", rng.integers(-9, 10, (30, 20)), 1),
        ),
    )
    # Tables of 66 rows of weights for each group of two neurons.
    program = Program(
        net, dataclasses.replace(SMALL, weight_words=1024), frozenset("a"), frozenset("a")
    )
    events = {
        "left": rng.random((4, 5, 30)) < 0.3,
        "right": rng.integers(0, 4, (4, 5, 3)),
    }
    run = served(program.fabric).device(program).run(events)
    assert differs(run, GoldenDevice(program).run(events)) == ""


def test_a_larger_program_before_leaves_nothing(served: Any, small: Program) -> None:
    board = served()
    events = some_events(8, 3)[0]
    with board.device(small) as device:
        device.run(events)
    net = Network(
        (Input("in", 6, max_count=2),),
        (Population("p", 2, np.array([1, -1]), threshold=3),),
        (Connection("in", "p", np.array([[1, 2]] * 6)),),
    )
    program = Program(net, SMALL, frozenset("p"), frozenset("p"))
    run = board.device(program).run(events)
    assert differs(run, GoldenDevice(program).run(events)) == ""


@pytest.mark.parametrize("graded_bits", [0, 3])
def test_what_events_count_goes_both_ways(served: Any, graded_bits: int) -> None:
    several = {"threshold": 9, "max_spikes": 7, "reset": Reset.SUBTRACT}
    network = Network(
        (Input("in", 6, 7, signed=True),),
        (
            Population("signed", 5, np.arange(5) - 2, signed=True, **several),
            Population("p", 3, np.arange(3), 1, **several),
        ),
        (
            Connection("in", "signed", np.arange(30).reshape(6, 5) % 11 - 5),
            Connection("signed", "p", np.arange(15).reshape(5, 3) % 7 - 3),
        ),
    )
    program = spikeloom.compile(network, {"graded_bits": graded_bits})
    events = np.random.default_rng(2).integers(-7, 8, (4, 6, 6))
    with served(program.fabric).device(program) as device:
        run = device.run(events)
    golden = GoldenDevice(program).run(events)
    assert not differs(golden, run)
    assert golden.spikes["signed"].min() < -1 < 1 < golden.spikes["signed"].max()


def test_adaptations_are_kept_over_the_samples_of_a_run(served: Any) -> None:
    """Of each run alone, whatever the board did before, and after bytes are lost."""
    config = dataclasses.replace(SMALL, adaptive_threshold=True)
    rises = AdaptiveThreshold(2, 0, keep=True)
    net = Network(
        (Input("in", 6, max_count=2),),
        # A neuron that spikes without input, so that what clears the board is not silence.
        (Population("p", 2, np.array([1, 9]), threshold=3, switches=(rises,)),),
        (Connection("in", "p", np.array([[1, 2]] * 6)),),
        weight_bits=SMALL.weight_bits,
        state_bits=SMALL.state_bits,
        sum_bits=SMALL.sum_bits,
    )
    program = Program(net, config, frozenset("p"), frozenset("p"))
    (events,) = some_events(6, 7)
    expected = GoldenDevice(program).run(events)
    spikes = expected.spikes["p"].sum(axis=(1, 2))
    assert spikes[0] > spikes[-1]
    board = served(config)
    device = board.device(program)
    for _ in range(2):
        assert differs(device.run(events), expected) == ""
    board.line.plans = [Plan("dropped", "to board", n) for n in (4, 9)]
    assert differs(device.run(events), expected) == ""


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_any_network_of_images(data: st.DataObject) -> None:
    program = data.draw(image_programs(IMAGES))
    events = data.draw(random_events(program.network, 3))
    with (
        Terminal(BoardModel(IMAGES, LINK)) as terminal,
        SerialDevice(program, terminal.port, patience=5) as device,
    ):
        assert differs(device.run(events), GoldenDevice(program).run(events)) == ""


# Memories.

READABLE = dataclasses.replace(SMALL, readable=True)


def readable(program: Program) -> Program:
    """The program for a fabric whose memories can be read; none of its states are read out."""
    return dataclasses.replace(program, fabric=READABLE, readout=frozenset())


def test_a_board_is_verified(served: Any, small: Program) -> None:
    program = readable(small)
    (events,) = some_events(8, 3)
    device = served(READABLE).device(program)
    found = compare_device(program, events, device, verify=True)
    assert found.first is None
    tables = program.image.tiles[0].tables
    assert found.rows == sum(len(rows) for rows in tables.values()) > 100
    expected = simulate(program.network, {"in": events}).states
    states = device.final_states(events)
    assert states.keys() == expected.keys() == {"first", "sum", "last"}
    for name, potentials in expected.items():
        np.testing.assert_array_equal(states[name], potentials[-1])


@settings(max_examples=6, deadline=None)
@given(st.data())
def test_any_network_of_images_is_verified(data: st.DataObject) -> None:
    fabric = dataclasses.replace(IMAGES, readable=True)
    program = data.draw(image_programs(fabric))
    events = data.draw(random_events(program.network, 3))
    with (
        Terminal(BoardModel(fabric, LINK)) as terminal,
        SerialDevice(program, terminal.port, patience=5) as device,
    ):
        assert compare_device(program, events, device, verify=True).first is None


def test_a_mesh_is_verified(served: Any, small: Program) -> None:
    fabric = dataclasses.replace(READABLE, columns=2, rows=2, neurons=8)
    program = dataclasses.replace(small, fabric=fabric)
    assert sum(bool(tile.weights) for tile in program.image.tiles) > 2
    (events,) = some_events(8, 2)
    found = compare_device(program, events, served(fabric).device(program), verify=True)
    assert found.first is None
    assert found.rows


@pytest.mark.parametrize("target", ["WEIGHT", "BIAS", "POPULATION", "CONNECTION", "TARGET"])
def test_a_flipped_bit_is_named(served: Any, small: Program, target: str) -> None:
    program = readable(small)
    board = served(READABLE)
    write = board.board._write

    def flipping(where: int, tile: int, address: int, row: int) -> None:
        write(where, tile, address, row ^ ((where, address) == (LoadTarget[target], 2)))

    board.board._write = flipping
    device = board.device(program)
    with pytest.raises(FaultyDevice, match=rf"model: {target.lower()} row 2 of tile 0 is 0x") as it:
        compare_device(program, some_events(8, 1)[0], device, verify=True)
    assert "(1 of " in str(it.value)


def test_a_potential_that_is_not_sent_is_compared(served: Any, small: Program) -> None:
    program = readable(small)
    board = served(READABLE)
    row = CycleModel.row

    def other(self: CycleModel, target: ReadTarget, tile: int, address: int) -> int:
        return row(self, target, tile, address) ^ ((target, address) == (ReadTarget.STATE, 4))

    device = board.device(program)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CycleModel, "row", other)
        found = compare_device(program, some_events(8, 2)[0], device, verify=True)
    assert found.mismatches == 1
    assert str(found.first).startswith("sample 1: potential of first[4] is")


@pytest.mark.parametrize("direction", ["to board", "to host"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_fault_while_memories_are_read(
    served: Any, small: Program, kind: str, direction: str
) -> None:
    """A session that is lost begins again; what it read is read again."""
    program = readable(small)
    board = served(READABLE)
    device = board.device(program)
    (events,) = some_events(8, 1)
    expected = device.final_states(events)
    rows = list(program.image.tiles[0].weights)
    for place in range(8):
        for action, wanted in (
            (lambda: device.read(ReadTarget.WEIGHT, 0, 0, len(rows)), rows),
            (lambda: device.final_states(events), expected),
        ):
            board.line.plans.append(Plan(kind, direction, place))
            np.testing.assert_equal(action(), wanted)
            board.line.plans.clear()


def test_a_board_that_cannot_be_read_says_so(served: Any, small: Program) -> None:
    """The program says that it can; to a program that does not matter."""
    program = readable(small)
    (events,) = some_events(8, 1)
    device = served(SMALL).device(program)
    assert differs(device.run(events), GoldenDevice(program).run(events)) == ""
    with pytest.raises(SpikeloomError, match="memories of model on /dev/") as error:
        compare_device(program, events, device, verify=True)
    assert "--set readable=true" in str(error.value)
    assert "\n" not in str(error.value)
    # If asked anyway, the board refuses.
    device.readable = True
    with pytest.raises(SpikeloomError, match=r"could not execute a frame \(command\)"):
        device.read(ReadTarget.BIAS, 0, 0, 1)


# What is refused.


def test_a_board_of_other_sizes_is_refused_with_both_sides_named(
    served: Any, small: Program
) -> None:
    board = served(dataclasses.replace(SMALL, lanes=4, slots=2))
    with pytest.raises(SpikeloomError, match=r"model on /dev/\S+ differ: lanes 2 and 4, slots 3 a"):
        board.device(small)


def test_another_version_is_refused(
    served: Any, small: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = served()
    monkeypatch.setattr("board_model.identity", lambda *_: b"\x07" + bytes(100))
    with pytest.raises(SpikeloomError, match="version 7 of the link, this Spikeloom version"):
        board.device(small)


def test_silence_is_an_error_in_one_line(served: Any, small: Program) -> None:
    board = served()
    board.board.play = lambda data: b""
    with pytest.raises(SpikeloomError, match=r"baud \(no answer\): is it connected") as error:
        board.device(small)
    assert "\n" not in str(error.value)


def test_a_board_that_goes_away_is_an_error(served: Any, small: Program) -> None:
    board = served()
    device = board.device(small)

    def gone(data: bytes) -> bytes:
        raise RuntimeError("unplugged")

    board.board.play = gone
    with pytest.raises(SpikeloomError, match="is gone"):
        device.run(some_events(8, 1)[0])
    with pytest.raises(RuntimeError, match="unplugged"):
        board.terminal.close()


def test_pyserial_is_asked_for(small: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "serial", None)
    with pytest.raises(SpikeloomError, match=r"pip install 'spikeloom\[boards\]'"):
        SerialDevice(small, "/dev/null")


# Faults.


@pytest.mark.parametrize("direction", ["to board", "to host"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_fault_at_each_place(served: Any, small: Program, kind: str, direction: str) -> None:
    board = served()
    device = board.device(small)
    events = some_events(8, 2)[0]
    expected = GoldenDevice(small).run(events)
    before = board.line.frames[direction]
    device.run(events)
    for place in range(board.line.frames[direction] - before):
        board.line.plans.append(Plan(kind, direction, place))
        assert differs(device.run(events), expected) == ""
        assert not board.line.plans


def test_a_campaign_of_faults(served: Any, small: Program) -> None:
    board = served()
    device = board.device(small)
    tally = campaign(board.line, device, some_events(8, 1, 2, 3), 75)
    print(tally)
    assert tally.wrong == []
    assert tally.reported == []


def test_the_campaign_finds_a_board_that_does_not_check(served: Any, small: Program) -> None:
    board = served(checked=False)
    device = board.device(small)
    assert any(
        campaign(board.line, device, some_events(8, 1, 2, 3), 20, ["flipped"]).wrong
        for _ in range(20)
    )


def test_the_campaign_finds_a_host_that_does_not_check(
    served: Any, small: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unchecked(frame: bytes, expected: int) -> bytes | None:
        try:
            return bytes(cobs.decode(frame))[: -numbers.CRC_BYTES]
        except cobs.DecodeError:
            return None

    monkeypatch.setattr(session, "decoded", unchecked)
    board = served()
    device = board.device(small)
    assert any(
        campaign(board.line, device, some_events(8, 1, 2, 3), 20, ["flipped"]).wrong
        for _ in range(20)
    )


def test_a_host_that_dies_while_loading_leaves_a_board_for_the_next(
    served: Any, small: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = served()
    events = some_events(8, 2)[0]
    expected = GoldenDevice(small).run(events)
    rng = np.random.default_rng(4)
    opened = serial_device.open_port
    lines: list[DyingLine] = []

    def dying_after(left: int) -> None:
        def opening(*arguments: Any) -> Any:
            lines.append(DyingLine(opened(*arguments), left))
            return lines[-1]

        monkeypatch.setattr(serial_device, "open_port", opening)

    dying_after(1 << 20)
    board.device(small).close()
    written = (1 << 20) - lines[-1].left
    for left in rng.integers(1, written, 12).tolist():
        dying_after(left)
        with pytest.raises(HostDied):
            board.device(small)
        monkeypatch.setattr(serial_device, "open_port", opened)
        with board.device(small) as device:
            assert differs(device.run(events), expected) == ""


def test_a_stuck_board_is_reported(served: Any, small: Program) -> None:
    """It answers, but its fabric takes nothing."""
    board = served()
    device = board.device(small)
    board.board._clock = lambda: None
    with pytest.raises(SpikeloomError, match="no progress"):
        device.run(some_events(8, 1)[0])
