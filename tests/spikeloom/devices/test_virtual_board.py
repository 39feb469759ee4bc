"""Boards in simulation: the host's program at the pins of the RTL, without and with faults."""

import dataclasses
import json
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from cobs import cobs
from line_faults import DIRECTIONS, KINDS, FaultyLine, Plan, Tally, campaign, differs
from locking import one_at_a_time
from numpy.typing import NDArray
from small_program import SMALL

import spikeloom
from spikeloom.boards.registry import board
from spikeloom.cli import cli
from spikeloom.compare import compare_device
from spikeloom.demo import digits, mnist_program
from spikeloom.devices import requests, session
from spikeloom.devices.backends import open_board
from spikeloom.devices.serial_device import SerialDevice
from spikeloom.devices.simulated import GoldenDevice
from spikeloom.examples.mnist import encode
from spikeloom.golden.errors import FaultyDevice, SpikeloomError
from spikeloom.golden.link import CRC_BYTES, LinkConfig
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.spec import LoadTarget, ReadTarget
from spikeloom.program import Program
from spikeloom.sim.terminal import Terminal
from spikeloom.sim.virtual_board import TOP, Pins, VirtualBoard, emit

LINK = LinkConfig("virtual", 24_000_000, 4)
BAUD = 7_500_000
PATIENCE = 0.1

Events = NDArray[np.uint8]


@pytest.fixture(scope="module")
def built() -> None:
    """The RTL of the small board is in the cache."""
    with one_at_a_time("small board"):
        Pins(emit(SMALL, LINK), TOP, LINK.clocks_per_bit).close()


@pytest.fixture
def virtual(built: None) -> Iterator[VirtualBoard]:
    with VirtualBoard(SMALL, LINK) as made:
        yield made


def faulty() -> FaultyLine:
    seed = int(os.environ.get("SPIKELOOM_SEED", random.randrange(1 << 31)))
    print(f"SPIKELOOM_SEED={seed}")
    return FaultyLine(Pins(emit(SMALL, LINK), TOP, LINK.clocks_per_bit), seed)


def some_events(*sizes: int) -> list[Events]:
    rng = np.random.default_rng(8)
    return [rng.integers(0, 3, (n, 6, 6)).astype(np.uint8) for n in sizes]


# The pins.

ECHO = """
module echo(input clk, input rx, output reg tx);
  reg [8:0] line = 9'h1ff;
  initial tx = 1;
  always @(posedge clk) {tx, line} <= {line, rx};
endmodule
"""


@pytest.mark.parametrize("clocks_per_bit", [4, 5, 12])
def test_bytes_pass_the_pins(clocks_per_bit: int) -> None:
    pins = Pins(ECHO, "echo", clocks_per_bit)
    data = np.random.default_rng(1).bytes(1000)
    heard = pins.play(data)
    assert not pins.at_rest
    while not pins.at_rest:
        heard += pins.play(b"")
    assert heard == data
    assert (pins.taken, pins.given, pins.broken) == (1000, 1000, 0)
    pins.close()


def test_a_byte_without_stop_bit_is_counted() -> None:
    pins = Pins(ECHO.replace("{line, rx}", "{line, 1'b0}"), "echo", 4)
    assert pins.play(b"") == b""
    assert pins.broken > 0
    pins.close()


# Runs.


def test_the_rtl_behind_its_pins_is_the_model(virtual: VirtualBoard, small: Program) -> None:
    with SerialDevice(small, virtual.port, patience=virtual.patience) as device:
        for events in some_events(5, 1, 60):
            run = device.run(events)
            assert differs(run, GoldenDevice(small).run(events)) == ""
        assert device.board == LINK
        assert (device.session.sessions, device.session.refused) == (1, 0)
    assert virtual.pins.broken == 0


def test_a_second_host_finds_the_board_as_a_first_one(
    virtual: VirtualBoard, small: Program
) -> None:
    (events,) = some_events(2)
    for _ in range(3):
        with SerialDevice(small, virtual.port, patience=virtual.patience) as device:
            assert differs(device.run(events), GoldenDevice(small).run(events)) == ""


def test_another_fabric_is_refused_with_both_sides_named(
    virtual: VirtualBoard, small: Program
) -> None:
    program = dataclasses.replace(small, fabric=dataclasses.replace(SMALL, targets=14))
    with pytest.raises(SpikeloomError, match=r"virtual on /dev/\S+ differ: targets 14 and 12"):
        SerialDevice(program, virtual.port, patience=virtual.patience)


def test_another_board_on_the_port_is_refused(virtual: VirtualBoard, small: Program) -> None:
    with pytest.raises(SpikeloomError, match=r"is virtual, not icebreaker"):
        open_board(small, "icebreaker", virtual.port)


@pytest.mark.soak
def test_digits_on_a_virtual_icebreaker() -> None:
    program = mnist_program(board("icebreaker").fabric)
    pictures, _ = digits(5)
    with spikeloom.open(program, f"virtual:icebreaker@{BAUD}") as device:
        result = compare_device(program, encode(pictures), device)
    assert (result.mismatches, result.samples, result.first) == (0, 5, None)
    assert result.golden.spikes["hidden"].any()


# The command line.


@pytest.fixture
def files(small: Program, tmp_path: Path) -> tuple[str, str]:
    small.save(tmp_path / "small.loom")
    np.save(tmp_path / "events.npy", some_events(4)[0])
    return str(tmp_path / "small.loom"), str(tmp_path / "events.npy")


def test_compare_and_run_on_a_virtual_board(files: tuple[str, str], tmp_path: Path) -> None:
    options = ["--board", "icebreaker", "--baud", str(BAUD), "--json", str(tmp_path / "out.json")]
    done = CliRunner().invoke(cli, ["compare", *files, *options])
    assert done.exit_code == 0, done.output
    summary = json.loads((tmp_path / "out.json").read_text())
    assert (summary["samples"], summary["steps_compared"], summary["mismatches"]) == (4, 24, 0)
    result = tmp_path / "result.npz"
    done = CliRunner().invoke(cli, ["run", *files, *options, "-o", str(result)])
    assert done.exit_code == 0, done.output
    expected = GoldenDevice(Program.load(files[0])).run(some_events(4)[0])
    with np.load(result) as arrays:
        assert np.array_equal(arrays["spikes.last"], expected.spikes["last"])
        assert np.array_equal(arrays["states.sum"], expected.states["sum"])


def test_compare_says_where_a_board_differs(
    files: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A result that changes after the check of the link, in the second sample."""
    run = SerialDevice.run

    def other(self: SerialDevice, *arguments: Any, **options: Any) -> Any:
        done = run(self, *arguments, **options)
        done.spikes["last"][1, 3, 2] ^= True
        return done

    monkeypatch.setattr(SerialDevice, "run", other)
    options = ["--board", "icebreaker", "--baud", str(BAUD)]
    done = CliRunner().invoke(cli, ["compare", *files, *options])
    assert done.exit_code == 1
    assert "sample 1, step 3: spike of last[2] is" in done.output


# Memories.

READABLE = dataclasses.replace(SMALL, readable=True)


@pytest.fixture
def readable_files(small: Program, tmp_path: Path) -> tuple[str, str]:
    program = dataclasses.replace(small, fabric=READABLE, readout=frozenset())
    program.save(tmp_path / "small.loom")
    np.save(tmp_path / "events.npy", some_events(4)[0])
    return str(tmp_path / "small.loom"), str(tmp_path / "events.npy")


def test_a_virtual_board_is_verified(
    readable_files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was loaded; then with one weight that was loaded with a flipped bit."""
    out = tmp_path / "out.json"
    options = ["--board", "icebreaker", "--baud", str(BAUD), "--verify", "--json", str(out)]
    done = CliRunner().invoke(cli, ["compare", *readable_files, *options])
    assert done.exit_code == 0, done.output
    summary = json.loads(out.read_text())
    assert summary["mismatches"] == 0
    assert summary["rows_verified"] > 100

    bodies = requests.load_bodies

    def flipped(image: MemoryImage, room: int, *held: Any) -> Iterator[bytes]:
        first, *others = bodies(image, room, *held)
        assert first[:5] == bytes([LoadTarget.WEIGHT, 0, 0, 0, 0])
        # The second byte of the fourth row.
        at = 5 + 3 * 2 + 1
        yield first[:at] + bytes([first[at] ^ 0x10]) + first[at + 1 :]
        yield from others

    monkeypatch.setattr(requests, "load_bodies", flipped)
    done = CliRunner().invoke(cli, ["compare", *readable_files, *options])
    assert isinstance(done.exception, FaultyDevice)  # status 1 in `main`
    assert "icebreaker: weight row 3 of tile 0 is 0x" in str(done.exception)
    assert "(1 of " in str(done.exception)


def test_weights_of_a_virtual_board_are_read_and_replaced(small: Program) -> None:
    program = dataclasses.replace(small, fabric=READABLE)
    (events,) = some_events(5)
    with (
        VirtualBoard(READABLE, LINK) as virtual,
        SerialDevice(program, virtual.port, patience=virtual.patience) as device,
    ):
        for key, weights in device.weights.items():
            device.weights[key] = -weights // 2
            assert np.array_equal(device.weights[key], -weights // 2)
            result = compare_device(device.program, events, device, verify=True)
            assert (result.mismatches, device.session.sessions) == (0, 1)
        assert compare_device(program, events, device).mismatches > 0


def test_memories_are_read_through_faults(small: Program) -> None:
    """What comes back is right, whatever happens to the line, or the reading is given up."""
    program = dataclasses.replace(small, fabric=READABLE)
    seed = int(os.environ.get("SPIKELOOM_SEED", random.randrange(1 << 31)))
    print(f"SPIKELOOM_SEED={seed}")
    line = FaultyLine(Pins(emit(READABLE, LINK), TOP, LINK.clocks_per_bit), seed)
    rng = np.random.default_rng(seed)
    rows = list(program.image.tiles[0].weights)
    (events,) = some_events(1)
    with (
        Terminal(line) as terminal,
        SerialDevice(program, terminal.port, patience=PATIENCE) as device,
    ):
        states = device.final_states(events)
        for kind in KINDS * 5:
            direction = str(rng.choice(DIRECTIONS))
            line.plans.append(Plan(kind, direction, int(rng.integers(0, 6))))
            assert device.read(ReadTarget.WEIGHT, 0, 0, len(rows)) == rows
            np.testing.assert_equal(device.final_states(events), states)
            line.plans.clear()
    np.testing.assert_equal(
        states,
        {name: v[-1] for name, v in GoldenDevice(program).run(events).states.items()},
    )


# Faults.


def spoil(small: Program, faults: int, kinds: Sequence[str] = KINDS) -> Tally:
    line = faulty()
    with (
        Terminal(line) as terminal,
        SerialDevice(small, terminal.port, patience=PATIENCE) as device,
    ):
        tally = campaign(line, device, some_events(1, 2, 3), faults, kinds)
    print(tally)
    return tally


@pytest.mark.usefixtures("built")
def test_faults_are_noticed_or_harmless(small: Program) -> None:
    tally = spoil(small, 100)
    assert tally.wrong == []
    assert tally.reported == []


@pytest.mark.soak
@pytest.mark.usefixtures("built")
def test_ten_thousand_faults_are_noticed_or_harmless(small: Program) -> None:
    tally = spoil(small, int(os.environ.get("SPIKELOOM_FAULTS", "10000")))
    assert tally.wrong == []
    assert tally.reported == []


@pytest.mark.usefixtures("built")
def test_the_campaign_finds_a_host_that_does_not_check(
    small: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unchecked(frame: bytes, _: int = 0) -> bytes | None:
        try:
            return bytes(cobs.decode(frame))[:-CRC_BYTES]
        except cobs.DecodeError:
            return None

    monkeypatch.setattr(session, "decoded", unchecked)
    assert any(spoil(small, 20, ["flipped"]).wrong for _ in range(20))
