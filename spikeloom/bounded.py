"""Bounded reading: a file's headers are checked before its data, and all memory it can claim.

A small file can declare large arrays: sparse or highly compressed data, and links that multiply or
leave the file. So every loader first adds up what the headers declare and refuses a file that
declares more than `max_bytes()`, reads other files, or is not a regular file.
"""

import io
import math
import mmap
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.errors import SpikeloomError

MAX_BYTES = 1 << 29
"""Default of `max_bytes()`: 512 MiB, which is 64 M weights in float64."""

VARIABLE = "SPIKELOOM_MAX_BYTES"
"""Environment variable that replaces `MAX_BYTES`."""

MAX_OBJECTS = 1 << 16
"""Maximum number of groups and datasets in an HDF5 file."""

MAX_STRINGS = 1 << 15
"""Maximum number of strings in an HDF5 file; an edge is two."""

MAX_DEPTH = 100
"""Maximum nesting depth of groups in an HDF5 file."""

MAX_DIRECTORY = 1 << 22
"""Maximum size of a zip file's directory, in bytes: some 50,000 members."""

_DEFLATE_RATIO, _LZF_RATIO = 1032, 132
"""Maximum compression ratios of the formats."""
_HEAP = b"GCOL\x01\0\0\0"
"""How the heap of a file's strings begins."""
_OBJECT = ((0, 2), (8, 16))
"""Where an object of a heap has its number and its size."""
_FILTERS = {h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
_PIECE = 1 << 16


def max_bytes() -> int:
    """Maximum number of bytes that the arrays of one file may take: `MAX_BYTES`, or `VARIABLE`.

    Raises `SpikeloomError` if the variable is no positive integer.
    """
    text = os.environ.get(VARIABLE)
    if not text:
        return MAX_BYTES
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise SpikeloomError(f"{VARIABLE} must be a positive number of bytes, not {text!r}")
    return value


def open_regular(path: str | os.PathLike[str]) -> io.FileIO:
    """A regular file, opened for reading; pipes, devices and directories are refused.

    Raises `SpikeloomError` if the file is none or cannot be read.
    """
    try:
        # Opening a pipe without O_NONBLOCK waits for a writer.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SpikeloomError(f"cannot read {path}: {error.strerror}") from None
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        cause = "Is a directory" if stat.S_ISDIR(mode) else "it is not a regular file"
        raise SpikeloomError(f"cannot read {path}: {cause}")
    return _File(handle)


class _File(io.FileIO):
    """A file that refuses a single read of more than `MAX_DIRECTORY` bytes.

    The only such read of the loaders below is a zip file's directory of that size.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        rest = os.fstat(self.fileno()).st_size - self.tell()
        count = rest if size is None or size < 0 else min(size, rest)
        if count > MAX_DIRECTORY:
            raise ValueError(f"a directory of more than {MAX_DIRECTORY} bytes")
        return super().read(max(0, count))


def read_arrays(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]] | NDArray[Any]:
    """The arrays of a .npz file by name, or the one of a .npy file. No pickled objects.

    Raises
    ------
    SpikeloomError
        The file is no regular file, cannot be read, or declares more than `max_bytes()`.
    Exception
        Anything else that the readers raise on a file that is damaged or no such file.
    """
    with open_regular(path) as file:
        budget = _Budget(path)
        zipped = file.read(2) == b"PK"
        file.seek(0)
        if not zipped:
            return _read_array(file, budget)
        with zipfile.ZipFile(file) as archive:
            arrays = {}
            for member in archive.infolist():
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise ValueError("another compression than those of NumPy")
                with archive.open(member) as stream:
                    arrays[member.filename.removesuffix(".npy")] = _read_array(stream, budget)
                    if stream.read(1):  # at its end the member's checksum is verified
                        raise ValueError("bytes after the array")
            return arrays


class _Budget:
    """Adds up the bytes that a file declares."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        self.limit = max_bytes()
        self.total = 0
        self.strings = 0

    def take(self, size: int, name: str = "") -> None:
        """Count `size` more bytes; raises `SpikeloomError` above the limit."""
        self.total += size
        if self.total > self.limit:
            raise self.error(name)

    def take_strings(self, count: int, name: str) -> None:
        """Count `count` more strings, without their text."""
        self.strings += count
        if self.strings > MAX_STRINGS:
            raise SpikeloomError(f"{self.path} has more than {MAX_STRINGS} strings")

    def error(self, name: str) -> SpikeloomError:
        """The refusal, with the name of the array that exceeds the limit."""
        where = f" with {name!r}" if name else ""
        return SpikeloomError(
            f"{self.path} declares more than {self.limit} bytes of data{where}; if that is meant, "
            f"set {VARIABLE} to a greater number"
        )


def _read_array(stream: Any, budget: _Budget) -> NDArray[Any]:
    """The array of a .npy stream."""
    if np.lib.format.read_magic(stream) != (1, 0):  # headers of later versions may have gigabytes
        raise ValueError("a version for tables of very many columns")
    shape, column_major, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject or any(length < 0 for length in shape):
        raise ValueError("objects, or a negative length")
    size = math.prod(shape, start=dtype.itemsize)
    budget.take(size)
    array = np.empty(size // max(1, dtype.itemsize), dtype)
    rest = array.view(np.uint8).data if size else memoryview(b"")
    while rest:
        data = stream.read(min(len(rest), _PIECE))
        if not data:
            raise ValueError("truncated")
        rest[: len(data)] = data
        rest = rest[len(data) :]
    return array.reshape(shape[::-1]).T if column_major else array.reshape(shape)


def check_hdf5(path: str | os.PathLike[str]) -> None:
    """Check that an HDF5 file can be read completely, within `max_bytes()`, from itself alone.

    Only headers are read; of strings and of large compressed chunks also the contents, a piece at a
    time.

    Raises
    ------
    SpikeloomError
        The file is no regular file; it contains soft or external links, external or virtual
        storage, or other filters than gzip, lzf, shuffle and fletcher32; a group is reached on two
        paths; a heap of strings has no end; or the file declares more objects, levels or bytes than
        the limits.
    Exception
        Anything else that h5py raises on a damaged file.
    """
    with open_regular(path) as file:
        _check_heaps(path, file)
    budget = _Budget(path)
    with h5py.File(path, "r") as file:
        for name, dataset in _datasets(path, file):
            _check_dataset(path, name, dataset, budget)


def _check_heaps(path: str | os.PathLike[str], file: io.FileIO) -> None:
    """Refuse a heap of strings on which the HDF5 library never ends.

    A heap is a header of 16 bytes and objects, one after the other. Each begins with 16 bytes, of
    which the first two are its number, and the last eight its size: of the free space, number 0,
    with these 16 bytes; of another without them, to be rounded up to 8. The library adds up sizes
    in 64 bits, so with some sizes it stays where it is.
    """
    if not os.fstat(file.fileno()).st_size:
        return
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(_HEAP)
        while start >= 0:
            at, end = start + 16, start + int.from_bytes(data[start + 8 : start + 16], "little")
            while at + 16 <= min(end, len(data)):
                number, size = (int.from_bytes(data[at + n : at + m], "little") for n, m in _OBJECT)
                step = size if number == 0 else 16 + -(-size // 8) * 8
                if step % (1 << 64) == 0:
                    raise SpikeloomError(f"{path} is damaged: a heap of strings has no end")
                at += step
            start = data.find(_HEAP, start + 1)


def _datasets(path: str | os.PathLike[str], file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    """Every dataset with its name; groups are visited once, links followed only if hard."""
    seen: set[tuple[int, ...]] = set()
    stack: list[tuple[str, h5py.Group, int]] = [("", file, 0)]
    objects = 0
    while stack:
        prefix, group, depth = stack.pop()
        address = h5py.h5o.get_info(group.id)
        if (key := (address.fileno, address.addr)) in seen:
            raise SpikeloomError(
                f"{path}: group {prefix!r} is reached on two paths; export the graph again"
            )
        seen.add(key)
        if depth > MAX_DEPTH:
            raise SpikeloomError(f"{path}: groups are nested more than {MAX_DEPTH} deep")
        for member in group:
            name = f"{prefix}/{member}"
            if not isinstance(group.get(member, getlink=True), h5py.HardLink):
                raise SpikeloomError(
                    f"{path}: {name!r} is a link to another place; export the graph again"
                )
            objects += 1
            if objects > MAX_OBJECTS:
                raise SpikeloomError(f"{path} has more than {MAX_OBJECTS} groups and datasets")
            item = group[member]
            if isinstance(item, h5py.Group):
                stack.append((name, item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                yield name, item


def _check_dataset(
    path: str | os.PathLike[str], name: str, dataset: h5py.Dataset, budget: _Budget
) -> None:
    """Refuse a dataset that reads other files or is too large."""
    storage = dataset.id.get_create_plist()
    if storage.get_layout() == h5py.h5d.VIRTUAL or storage.get_external_count():
        raise SpikeloomError(f"{path}: the data of {name!r} is in another file; export it again")
    if dataset.shape is None:
        return
    budget.take(math.prod(dataset.shape, start=dataset.dtype.itemsize), name)
    if dataset.chunks is not None:
        _check_chunks(path, name, dataset, budget)
    if dataset.dtype.hasobject:
        if h5py.check_string_dtype(dataset.dtype) is None:
            raise SpikeloomError(f"{path}: {name!r} holds neither numbers nor text")
        budget.take_strings(dataset.size, name)
        # One at a time: each is as long as the file at most, but all may refer to the same text.
        for index in np.ndindex(dataset.shape):
            budget.take(len(dataset[index]), name)


def _check_chunks(
    path: str | os.PathLike[str], name: str, dataset: h5py.Dataset, budget: _Budget
) -> None:
    """Refuse chunks that are, or decompress to, more than the budget."""
    storage = dataset.id.get_create_plist()
    filters = [storage.get_filter(n)[0] for n in range(storage.get_nfilters())]
    compressors = [number for number in filters if number not in _FILTERS]
    if compressors not in ([], [h5py.h5z.FILTER_DEFLATE], [h5py.h5z.FILTER_LZF]):
        raise SpikeloomError(
            f"{path}: {name!r} is compressed by another method than gzip; export it with gzip"
        )
    chunk_bytes = math.prod(dataset.chunks, start=dataset.dtype.itemsize)
    if chunk_bytes > budget.limit:
        raise budget.error(name)
    deflated = compressors == [h5py.h5z.FILTER_DEFLATE]
    ratio = (_DEFLATE_RATIO if deflated else _LZF_RATIO) if compressors else 1
    large: list[tuple[int, ...]] = []

    def note(chunk: Any) -> None:
        if chunk.size * ratio > budget.limit:
            large.append(chunk.chunk_offset)

    dataset.id.chunk_iter(note)
    for offset in large:
        # Chunk sizes cannot exceed the limit by themselves, as they lie in the file.
        _, data = dataset.id.read_direct_chunk(offset)
        if not deflated or _inflated(data, chunk_bytes) > chunk_bytes:
            raise budget.error(name)


def _inflated(data: bytes, limit: int) -> int:
    """Number of bytes that a deflated chunk holds, or any number above the limit."""
    inflater = zlib.decompressobj()
    total = 0
    while data and not inflater.eof and total <= limit:
        total += len(inflater.decompress(data, _PIECE))
        data = inflater.unconsumed_tail
    return total
