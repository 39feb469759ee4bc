"""Files that declare more than they hold, or reach outside: refused before their data is read."""

import io
import os
import resource
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest
from nir_graphs import chain, make
from small_program import SMALL, small_network

from spikeloom.bounded import MAX_BYTES, VARIABLE, check_hdf5, max_bytes, read_arrays
from spikeloom.cli.options import read_events
from spikeloom.files import write_bytes
from spikeloom.golden.errors import SpikeloomError
from spikeloom.importer.load import load_nir
from spikeloom.program import Program

WEIGHT = "node/nodes/n0/weight"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.nir"
    nir.write(path, chain(nir.Linear(np.ones((3, 6))), make(nir.LIF, 3), size=6, out=3))
    return path


def changed(path: Path, change: Callable[[h5py.File], None]) -> Path:
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(SpikeloomError) as error:
        load_nir(path, dt=1)
    text = str(error.value)
    assert text.startswith(str(path)), text
    assert "\n" not in text
    return text


def huge(file: h5py.File, name: str = WEIGHT, **options: object) -> None:
    file.pop(name, None)
    file.create_dataset(name, shape=(250_000_000,), dtype="f8", **options)


def test_a_whole_file_passes(model: Path) -> None:
    check_hdf5(model)
    assert load_nir(model, dt=1).populations


@pytest.mark.parametrize("compression", ["gzip", "lzf", None])
def test_files_of_every_compression_that_nir_writes_pass(
    tmp_path: Path, compression: str | None
) -> None:
    path = tmp_path / "model.nir"
    rng = np.random.default_rng(1)
    graph = chain(nir.Linear(rng.normal(size=(3, 900))), make(nir.LIF, 3), size=900, out=3)
    nir.write(path, graph, compression=compression)
    check_hdf5(path)


@pytest.mark.parametrize("name", [WEIGHT, "node/nodes/n0/unused", "elsewhere"])
def test_a_declared_size_is_refused_unread(model: Path, name: str) -> None:
    text = refusal(changed(model, lambda file: huge(file, name, chunks=(1000,))))
    assert f"more than {MAX_BYTES} bytes of data with '/{name}'" in text
    assert VARIABLE in text


def test_sizes_add_up(model: Path) -> None:
    def add(file: h5py.File) -> None:
        for n in range(9):
            file.create_dataset(f"part{n}", shape=(MAX_BYTES // 8,), chunks=(1000,), dtype="u1")

    assert "more than" in refusal(changed(model, add))


def test_a_dataset_under_many_names_counts_each_time(model: Path) -> None:
    def add(file: h5py.File) -> None:
        part = file.create_dataset("part", shape=(MAX_BYTES // 8,), chunks=(1000,), dtype="u1")
        for n in range(8):
            file[f"part{n}"] = part

    assert "more than" in refusal(changed(model, add))


def test_a_large_chunk_is_refused(model: Path) -> None:
    def add(file: h5py.File) -> None:
        rows = 2 * MAX_BYTES
        file.create_dataset("one", shape=(1,), maxshape=(None,), chunks=(rows,), dtype="u1")

    assert "with '/one'" in refusal(changed(model, add))


def test_a_chunk_that_inflates_beyond_its_size_is_refused(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(file: h5py.File) -> None:
        one = file.create_dataset("one", shape=(1000,), chunks=(1000,), dtype="u1")
        del file["one"]
        one = file.create_dataset(
            "one", shape=(1000,), chunks=(1000,), dtype="u1", compression="gzip"
        )
        one.id.write_direct_chunk((0,), zlib.compress(bytes(1 << 24)))

    changed(model, add)
    check_hdf5(model)  # 16 MiB at most, which is below the limit
    monkeypatch.setenv(VARIABLE, str(1 << 22))
    assert "with '/one'" in refusal(model)


def test_strings_count_with_their_text(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def add(file: h5py.File) -> None:
        file.create_dataset("text", data=["x" * 10_000] * 100, dtype=h5py.string_dtype())

    changed(model, add)
    check_hdf5(model)
    monkeypatch.setenv(VARIABLE, "900000")
    assert "with '/text'" in refusal(model)


@pytest.mark.parametrize(("number", "size"), [(0, 0), (1, 2**64 - 16), (1, 2**64 - 20)])
def test_a_heap_without_end_is_refused(model: Path, number: int, size: int) -> None:
    """The HDF5 library would read it forever."""
    data = bytearray(model.read_bytes())
    at = data.index(b"GCOL") + 16
    data[at : at + 2] = number.to_bytes(2, "little")
    data[at + 8 : at + 16] = size.to_bytes(8, "little")
    model.write_bytes(data)
    assert refusal(model) == f"{model} is damaged: a heap of strings has no end"


def test_many_strings_are_refused(model: Path) -> None:
    def add(file: h5py.File) -> None:
        file.create_dataset("text", shape=(200_000,), chunks=(1000,), dtype=h5py.string_dtype())

    assert "strings" in refusal(changed(model, add))


@pytest.mark.parametrize(
    "link",
    [
        h5py.SoftLink("/node"),
        h5py.ExternalLink("other.nir", "/node"),
        h5py.ExternalLink("pipe", "/node"),
    ],
)
def test_links_are_refused(model: Path, tmp_path: Path, link: object) -> None:
    def add(file: h5py.File) -> None:
        file["node/nodes/more"] = link

    changed(model, add)
    os.mkfifo(tmp_path / "pipe")
    assert "'/node/nodes/more' is a link" in refusal(model)


def test_external_and_virtual_storage_are_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(144))

    def external(file: h5py.File) -> None:
        del file[WEIGHT]
        file.create_dataset(
            WEIGHT, shape=(3, 6), dtype="f8", external=[(tmp_path / "secret", 0, 144)]
        )

    def virtual(file: h5py.File) -> None:
        del file[WEIGHT]
        layout = h5py.VirtualLayout((3, 6), "f8")
        layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "data", shape=(3, 6))
        file.create_virtual_dataset(WEIGHT, layout)

    for change in (external, virtual):
        assert "is in another file" in refusal(changed(model, change))


def test_groups_on_two_paths_are_refused(model: Path) -> None:
    def fan(file: h5py.File) -> None:
        group = file.create_group("fan")
        for _ in range(40):
            below = group.create_group("a")
            group["b"] = below
            group = below

    assert "two paths" in refusal(changed(model, fan))


def test_a_cycle_is_refused(model: Path) -> None:
    def turn(file: h5py.File) -> None:
        file["node/nodes/again"] = file["node"]

    assert "two paths" in refusal(changed(model, turn))


def test_deep_nesting_is_refused(model: Path) -> None:
    assert "deep" in refusal(changed(model, lambda file: file.create_group("/".join("x" * 200))))


def test_data_that_is_neither_number_nor_text_is_refused(model: Path) -> None:
    def add(file: h5py.File) -> None:
        kind = h5py.vlen_dtype(np.float64)
        file.create_dataset("node/ragged", shape=(2,), dtype=kind)

    assert "neither numbers nor text" in refusal(changed(model, add))


@pytest.mark.parametrize(
    "read", [Program.load, read_events, read_arrays, check_hdf5, lambda path: load_nir(path, dt=1)]
)
def test_pipes_and_devices_are_refused_without_waiting(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(SpikeloomError, match=f"^cannot read {path}: it is not a regular file$"):
            read(path)


def test_the_limit_is_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "events.npy"
    np.save(path, np.zeros((10, 100), np.uint8))
    assert max_bytes() == MAX_BYTES
    monkeypatch.setenv(VARIABLE, "1000")
    assert np.array_equal(read_events(path), np.zeros((10, 100), np.uint8))
    monkeypatch.setenv(VARIABLE, "999")
    with pytest.raises(SpikeloomError, match=f"more than 999 bytes .*{VARIABLE}"):
        read_events(path)
    for text in ("0", "-1", "1 GB"):
        monkeypatch.setenv(VARIABLE, text)
        with pytest.raises(SpikeloomError, match=f"^{VARIABLE} must be a positive"):
            read_events(path)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4), (4, 0, 2)])
def test_arrays_are_those_of_numpy(tmp_path: Path, shape: tuple[int, ...], order: str) -> None:
    rng = np.random.default_rng(2)
    array = np.asarray(rng.integers(0, 9, shape), order=order)
    np.save(tmp_path / "one.npy", array)
    np.savez(tmp_path / "stored.npz", a=array, b=array > 4)
    np.savez_compressed(tmp_path / "packed.npz", a=array, b=array > 4)
    single = read_arrays(tmp_path / "one.npy")
    assert isinstance(single, np.ndarray)
    assert (single.dtype, single.shape) == (array.dtype, array.shape)
    assert np.array_equal(single, array)
    for name in ("stored.npz", "packed.npz"):
        arrays = read_arrays(tmp_path / name)
        assert isinstance(arrays, dict)
        assert np.array_equal(arrays["a"], array)
        assert np.array_equal(arrays["b"], array > 4)


def npy(shape: str, descr: str = "<i8") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        npy("(-1,)"),
        npy("(3,)"),
        npy("(1,)", "|O") + bytes(8),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
        b"",
        b"\x93NUMPY",
    ],
)
def test_damaged_arrays_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "events.npy"
    path.write_bytes(content)
    with pytest.raises(SpikeloomError, match="is not a complete"):
        read_events(path)


PEAK = """
import resource, sys
import spikeloom
from spikeloom.cli.options import read_events
from spikeloom.golden.errors import SpikeloomError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    {"load": spikeloom.Program.load, "events": read_events,
     "nir": lambda path: spikeloom.load_nir(path, dt=1)}[sys.argv[1]](sys.argv[2])
except SpikeloomError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def peak(kind: str, path: Path) -> tuple[str, int]:
    """The refusal, and the KiB that a load takes at its peak, in a process of its own."""
    result = subprocess.run(
        [sys.executable, "-c", PEAK, kind, str(path)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30)),
    )
    text, _, grown = result.stdout.strip().rpartition("\n")
    return text, int(grown)


def bomb(path: Path, name: str) -> None:
    """A zip of some 200 kB whose member declares and holds 200 MB of zeros."""
    whole = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
    with whole as archive, archive.open(name, "w") as member:
        member.write(npy("(25000000,)"))
        for _ in range(200):
            member.write(bytes(1_000_000))


# JAX, where a framework brought it into this process, warns of every child process.
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")
@pytest.mark.parametrize("kind", ["load", "events", "nir"])
def test_a_refused_file_takes_no_memory(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = changed(model, lambda file: huge(file, chunks=(1000,)))
    if kind != "nir":
        path = tmp_path / "bomb.npz"
        bomb(path, "weights0.npy")
    monkeypatch.setenv(VARIABLE, str(100 << 20))
    text, grown = peak(kind, path)
    assert "declares more than" in text
    assert grown < 50 << 10


def test_a_large_header_is_refused(tmp_path: Path) -> None:
    program = Program(small_network(), SMALL, frozenset({"last"}), frozenset())
    program = Program(
        program.network, SMALL, program.record, program.readout, {"text": "x" * (9 << 20)}
    )
    program.save(tmp_path / "large.loom")
    with pytest.raises(SpikeloomError, match=r"has a header of more than 8388608 bytes$"):
        Program.load(tmp_path / "large.loom")


def test_a_large_directory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.npz"
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(1))
    with zipfile.ZipFile(path, "w") as archive:
        for n in range(200):
            archive.writestr("x" * 30_000 + str(n), buffer.getvalue())
    with pytest.raises(SpikeloomError, match="is not a complete"):
        read_events(path)


# Written files.


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_written_files_honour_the_umask(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        write_bytes(tmp_path / "file", b"data")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_an_overwritten_file_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o600)
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600


def test_names_of_the_maximum_length_are_written(tmp_path: Path) -> None:
    write_bytes(tmp_path / ("x" * 255), b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["x" * 255]
    with pytest.raises(SpikeloomError, match="File name too long$"):
        write_bytes(tmp_path / ("x" * 256), b"data")
