"""The kinds of inputs: how one is made from random numbers, used, and judged."""

import contextlib
import io
import json
import random
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import h5py
import nir
import numpy as np
import pytest

sys.path += [str(Path(__file__).parents[1] / place) for place in ("support", "spikeloom/importer")]

from board_model import BoardModel
from line_faults import differs
from plastic_network import network_with_plane
from small_network import two_layers
from test_nir_fuzz import whole_graph

from spikeloom import cli, compile, demo
from spikeloom.cli.commands import COMMANDS
from spikeloom.cli.options import read_events
from spikeloom.devices import serial_device, session
from spikeloom.devices.serial_device import SerialDevice
from spikeloom.devices.simulated import GoldenDevice
from spikeloom.events import event_counts
from spikeloom.golden.errors import FaultyDevice, SpikeloomError
from spikeloom.golden.link import LinkConfig
from spikeloom.golden.spec import FabricConfig
from spikeloom.golden.step.run import simulate
from spikeloom.importer.dialects import DIALECTS
from spikeloom.importer.load import load_nir
from spikeloom.program import Program, _digest
from spikeloom.sim import toolchain, verilog

Use = Callable[[random.Random], str]

SMALL = FabricConfig(
    lanes=2, neurons=16, weight_words=64, slots=2, axons=8, populations=2, connections=4,
    targets=8, queue=4,
)  # fmt: skip

NUMBERS: list[Any] = [
    0, 1, -1, 2, 255, 256, 1 << 15, 1 << 31, 1 << 63, 1 << 64, -(1 << 63), 10**30, 0.5, -0.0,
    float("nan"), float("inf"), 1e308, 5e-324, True, None, "", "x", "1", [], {}, [[]], "\0", "é\n",
]  # fmt: skip


def one_line(error: Exception) -> str:
    """The outcome of a refusal."""
    message = str(error)
    assert message
    assert "\n" not in message, message
    return "refused"


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, lost, doubled, moved or added."""
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        place = rng.randrange(len(out) + 1)
        size = rng.choice([1, 1, 2, 4, 8, 64])
        match rng.randrange(7):
            case 0:
                out[place : place + 1] = bytes([rng.randrange(256)])
            case 1:
                del out[place : place + size]
            case 2:
                out[place:place] = out[place : place + size]
            case 3:
                out[place:place] = rng.randbytes(size)
            case 4:
                out[place : place + size] = rng.choice([b"\0", b"\xff"]) * size
            case 5:
                del out[place:]
            case _:
                other = rng.randrange(len(out) + 1)
                out[place : place + size] = out[other : other + size]
    return bytes(out)


# Programs.


def plastic_programs(folder: Path) -> Use:
    """Files of Programs with learning rules, as `programs`."""
    return programs(folder, compile(network_with_plane()))


def programs(folder: Path, plain: Program | None = None) -> Use:
    """Files of Programs: loaded, run, and saved again, or refused."""
    plain = plain or two_layers(SMALL, 5, 6, 3)
    path = folder / "fuzzed.loom"
    plain.save(path)
    good = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}

    def use(rng: random.Random) -> str:
        path.write_bytes(damaged(good, rng) if rng.random() < 0.4 else altered(rng))
        try:
            program = Program.load(path)
        except SpikeloomError as error:
            return one_line(error)
        network = program.network
        counts = {node.name: np.ones((1, 2, node.size), np.uint8) for node in network.inputs}
        run = simulate(network, counts)
        program.save(path)
        again = Program.load(path)
        assert again.digest == program.digest
        other = simulate(again.network, counts)
        assert all(np.array_equal(run.spikes[name], other.spikes[name]) for name in run.spikes)
        return "used"

    def altered(rng: random.Random) -> bytes:
        """A well-formed archive whose contents are not; its digest is right, mostly."""
        parts = dict(members)
        name = rng.choice(sorted(parts))
        header = json.loads(np.load(io.BytesIO(parts["header.npy"])).tobytes())
        if rng.random() < 0.7:
            alter(header, rng)
        else:
            parts[name] = array_file(odd_array(rng))
        if rng.random() < 0.1:
            del parts[name]
        if rng.random() < 0.9:
            resign(header, parts)
        text = json.dumps(header).encode()
        parts["header.npy"] = array_file(np.frombuffer(text, np.uint8))
        return zipped(parts, rng)

    return use


def resign(header: Any, parts: dict[str, bytes]) -> None:
    """Make the digest right, if there can be one: else it refuses everything that is altered."""
    kept = {name: value for name, value in header.items() if name not in ("about", "digest")}
    with contextlib.suppress(ValueError, TypeError):
        arrays = {
            name.removesuffix(".npy"): np.load(io.BytesIO(data))
            for name, data in parts.items()
            if name != "header.npy"
        }
        header["digest"] = _digest(kept, arrays)


def alter(value: Any, rng: random.Random) -> None:
    """Change one thing somewhere inside a JSON value."""
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    if not items:
        return
    key, inner = rng.choice(items)
    if isinstance(inner, dict | list) and inner and rng.random() < 0.8:
        alter(inner, rng)
    elif rng.random() < 0.2:
        del value[key]
    elif rng.random() < 0.2 and isinstance(value, dict):
        value[rng.choice(["x", "", "name", "\0"])] = rng.choice(NUMBERS)
    elif isinstance(inner, int) and rng.random() < 0.5:
        value[key] = inner + rng.choice([-1, -1, 1, 1, 2, 1 << 8, 1 << 20])
    else:
        value[key] = rng.choice(NUMBERS)


def array_file(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def odd_array(rng: random.Random) -> Any:
    shape = tuple(rng.choice([0, 1, 2, 3, 5, 6, 7]) for _ in range(rng.choice([0, 1, 2, 3, 4])))
    kind = rng.choice(
        ["u1", "i1", ">i2", "i8", "u8", "f4", "f8", "f2", "?", "c8", "U2", "S1", "O", "M8[s]"]
    )
    if kind == "O":
        return np.full(shape, None, object)
    values = [rng.choice([0, 0, 1, 1, 2, 3, 200]) for _ in range(int(np.prod(shape)))]
    array = np.array(values).astype(kind).reshape(shape)
    if kind.startswith("f") and array.size and rng.random() < 0.3:
        array.flat[0] = rng.choice([np.nan, np.inf, -1, 0.5])
    return np.asfortranarray(array) if rng.random() < 0.2 else array


def zipped(parts: dict[str, bytes], rng: random.Random) -> bytes:
    file = io.BytesIO()
    method = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return file.getvalue()


# Events.


def events(folder: Path) -> Use:
    """Files of events: counted as NumPy counts them, or refused."""
    program = two_layers(SMALL, 5, 6, 3)

    def use(rng: random.Random) -> str:
        path = folder / rng.choice(["fuzzed.npy", "fuzzed.npz"])
        array = odd_array(rng)
        if rng.random() < 0.6:
            steps, samples = rng.randrange(1, 4), rng.choice([0, 1, 2])
            shape = (samples, steps, 5) if rng.random() < 0.7 else (steps, 5)
            array = np.array([rng.randrange(3) for _ in range(int(np.prod(shape)))]).reshape(shape)
            array = array.astype(rng.choice(["u1", "i8", "f4", ">i4", "?"]))
        data = array_file(array)
        if rng.random() < 0.5:
            data = damaged(data, rng)
        if rng.random() < 0.5:
            data = zipped({rng.choice(["in.npy", "in", "other.npy", "../in.npy"]): data}, rng)
            data = damaged(data, rng) if rng.random() < 0.3 else data
        path.write_bytes(data)
        try:
            counts = event_counts(program.network, read_events(path))
        except SpikeloomError as error:
            return one_line(error)
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            loaded = loaded["in"]
        assert np.array_equal(np.asarray(loaded).reshape(counts["in"].shape), counts["in"])
        simulate(program.network, counts) if counts["in"].size else None
        return "used"

    return use


# NIR files.


def nir_files(folder: Path) -> Use:
    """NIR files, imported and compiled, or refused."""
    path = folder / "fuzzed.nir"
    files = []
    for graph in (whole_graph(), one_neuron()):
        nir.write(path, graph)
        files.append(path.read_bytes())

    def use(rng: random.Random) -> str:
        good = rng.choice(files)
        if rng.random() < 0.4:
            path.write_bytes(damaged(good, rng))
        else:
            path.write_bytes(good)
            # What HDF5 itself refuses to write is not written.
            refusals = ValueError, KeyError, TypeError, OSError, RuntimeError
            with contextlib.suppress(*refusals), h5py.File(path, "a") as file:
                for _ in range(rng.choice([1, 1, 3])):
                    alter_file(file, rng)
        dialect = rng.choice(["nir", "nir", "nir", *DIALECTS])
        try:
            network = load_nir(path, dialect=dialect, dt=rng.choice([1.0, 1e-3, 1e-3]))
        except SpikeloomError as error:
            return one_line(error)
        with contextlib.suppress(SpikeloomError):
            compile(network)
        return "used"

    return use


def alter_file(file: h5py.File, rng: random.Random) -> None:
    """Change one thing in an HDF5 file."""
    places: list[str] = []
    file.visit(places.append)
    if not places:
        return
    place = rng.choice(sorted(places))
    match rng.randrange(8):
        case 0:
            del file[place]
        case 1:
            del file[place]
            file[place] = rng.choice([1.5, np.nan, "Affine", "NIRGraph", b"\xff", np.ones(3), -1])
        case 2:
            del file[place]
            array = odd_array(rng)
            if array.dtype.kind not in "OUM":
                file[place] = array
        case 3:
            del file[place]
            shape = tuple(rng.choice([1, 10**3, 10**6, 10**9]) for _ in range(rng.randrange(1, 4)))
            if np.prod([float(n) for n in shape]) < 1e17:
                file.create_dataset(place, shape, "f8", chunks=True)
        case 4:
            other = rng.choice(places)
            link = rng.choice(
                [h5py.SoftLink(f"/{other}"), h5py.ExternalLink("other", "/"), file[other]]
            )
            del file[place]
            file[place] = link
        case 5:
            file.create_group(
                f"node/nodes/{rng.choice(['x', 'é', ' ', 'input2'])}{rng.randrange(9)}"
            )
        case 6:
            node = file[place]
            # One that an earlier change made may be larger than memory.
            small = isinstance(node, h5py.Dataset) and 0 < node.size < 10**6
            if small and node.dtype.kind == "f":
                values = node[()] * rng.choice([0.0, -1.0, 1e30, 1e-30, np.nan])
                del file[place]
                file[place] = values
        case _:
            file[place].attrs[rng.choice(["type", "x"])] = rng.choice([1, "x", b"\xff"])


# Command lines.

VALUES = [
    *("0", "1", "-1", "1e-3", "nan", "inf", "-inf", "1e999", "x", "--", "-", "model.nir"),
    *("small.loom", "events.npy", "missing", ".", "/", "/dev/null", "/dev/full", "a" * 300, "é"),
    *("a\nb", "lanes=4", "lanes=0", "lanes=", "=4", "lanes=1e9", "x=1", "weight_bits=3", "golden"),
    *("netlist", "snntorch", "icebreaker", "hidden", "hidden=1.5", "hidden:0,1", "hidden:99"),
    *("9" * 30, "0x10", "labels.npy", "out.json", "serial:/dev/null", "virtual", "50%", "1K", "-5"),
    *("3", "8", "16"),
]  # fmt: skip


def command_lines(folder: Path) -> Use:
    """Command lines of every option, in a folder with a network, a Program and its events."""
    program = two_layers(SMALL, 5, 6, 3)
    context = click.Context(cli.cli)
    commands = {name: cli.cli.get_command(context, name) for name in COMMANDS}

    def refuse(*_: Any, **__: Any) -> Any:
        raise SpikeloomError("no tool is run")

    for name in ("execute", "run"):
        setattr(toolchain, name, refuse)
    verilog._yosys = refuse  # it needs more addresses than a worker has
    demo.digits = refuse  # 5,000 images, which take seconds to read

    def use(rng: random.Random) -> str:
        program.save("small.loom")
        np.save("events.npy", np.ones((2, 3, 5), np.uint8))
        np.save("labels.npy", np.zeros(2, np.int64))
        nir.write("model.nir", one_neuron())
        name = rng.choice(sorted(commands))
        command = commands[name]
        assert command is not None
        arguments = [name] if rng.random() < 0.98 else [rng.choice(VALUES)]
        for parameter in command.params:
            if isinstance(parameter, click.Argument):
                usual = {"program": "small.loom", "events": "events.npy", "model": "model.nir"}
                value = usual.get(parameter.name or "", rng.choice(VALUES))
                if rng.random() < 0.93:
                    arguments.append(value if rng.random() < 0.8 else rng.choice(VALUES))
        if "--backend" in {option for p in command.params for option in p.opts}:
            arguments += ["--backend", "golden"] if rng.random() < 0.7 else []
        options = [p for p in command.params if isinstance(p, click.Option)]
        for option in rng.sample(options, min(len(options), rng.choice([0, 1, 1, 2, 3]))):
            arguments.append(rng.choice([*option.opts, *option.secondary_opts]))
            if not option.is_flag and rng.random() < 0.97:
                arguments.append(value_of(option, rng))
        return ran(arguments)

    return use


def value_of(option: click.Option, rng: random.Random) -> str:
    """A value, which half of the time is one of the option's choices."""
    choices = getattr(option.type, "choices", None)
    return str(rng.choice([*choices] if choices and rng.random() < 0.5 else VALUES))


def one_neuron() -> nir.NIRGraph:
    ones = np.ones(3)
    neurons = nir.LIF(tau=ones * 2e-3, r=ones, v_leak=0 * ones, v_threshold=ones, v_reset=0 * ones)
    nodes = {"in": nir.Input(np.array([5])), "w": nir.Linear(np.ones((3, 5))), "n": neurons}
    edges = [("in", "w"), ("w", "n"), ("n", "out")]
    return nir.NIRGraph({**nodes, "out": nir.Output(np.array([3]))}, edges)


def ran(arguments: list[str]) -> str:
    """The outcome of a command: its exit status."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["spikeloom", *arguments])
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        try:
            cli.main()
        except SystemExit as stop:
            status = stop.code
    said = f"spikeloom {arguments}\nstatus {status}\n{err.getvalue()}"
    assert status in (0, 2), said
    assert "Traceback" not in err.getvalue(), said
    if status == 2:
        # After the reason only Click's list of choices, which is indented.
        lines = [line for line in err.getvalue().splitlines() if not line.startswith("\t")]
        reasons = [line for line in lines if line.lower().startswith("error: ")]
        assert len(reasons) == 1, said
        assert [line for line in lines if line][-1] == reasons[0], said
    return f"status {status}"


# Bytes of the link.


class Line:
    """A line to a board in software that damages bytes; its clock is that of its host."""

    def __init__(self, board: BoardModel, rng: random.Random) -> None:
        self.board, self.rng = board, rng
        self.waiting = b""
        self.now = 0.0
        self.damage = rng.choice([0, 1, 3, 20])
        self.often = rng.choice([0.02, 0.2, 1.0])

    @property
    def in_waiting(self) -> int:
        return len(self.waiting)

    def passed(self, data: bytes) -> bytes:
        if data and self.damage and self.rng.random() < self.often:
            self.damage -= 1
            return damaged(data, self.rng)
        return data

    def write(self, data: bytes) -> None:
        self.waiting += self.passed(self.board.play(self.passed(data)))

    def read(self, size: int = 1) -> bytes:
        if not self.waiting:
            self.waiting = self.passed(self.board.play(b""))
        self.now += 0.001 if self.waiting else 0.05
        data, self.waiting = self.waiting[:size], self.waiting[size:]
        return data

    def close(self) -> None:
        pass


def link_bytes(folder: Path) -> Use:
    """A board in software behind a line that damages bytes: the result is golden's, or none."""
    program = two_layers(SMALL, 5, 6, 3)
    golden = GoldenDevice(program)
    link = LinkConfig("fuzzed", 24_000_000, 24)

    def use(rng: random.Random) -> str:
        line = Line(BoardModel(SMALL, link), rng)
        serial_device.open_port = lambda *_: line
        session.time = SimpleNamespace(monotonic=lambda: line.now)
        counts = np.array([rng.randrange(3) for _ in range(2 * 3 * 5)], np.uint8).reshape(2, 3, 5)
        try:
            run = SerialDevice(program, "fuzzed").run(counts)
        except (SpikeloomError, FaultyDevice) as error:
            return one_line(error)
        assert not differs(run, golden.run(counts))
        return "used"

    return use


KINDS = {
    "programs": (4, programs),
    "programs that learn": (1, plastic_programs),
    "events": (6, events),
    "nir": (3, nir_files),
    "commands": (4, command_lines),
    "link": (2, link_bytes),
}
"""Of 20 inputs, how many are of which kind."""
