"""Writes FST files, with enumerations, from the VCD files that Verilator writes.

Verilator could write FST itself, but for that it compiles against the development files of zlib and
LZ4, which this project does not ask of a system.
"""

import heapq
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spikeloom.golden.errors import SpikeloomError
from spikeloom.sim.waves.names import Names, Scope, Values, enumeration, named, ranged
from spikeloom.sim.waves.vcd import read_changes, read_header

Marks = Mapping[str, Sequence[tuple[int, int]]]
"""Numbers that hold for a stretch of time: by name, the times from which each number holds."""

MARKS = "run"
"""Scope of the marks."""
MARK_BITS = 32
"""Width of a mark."""
_NANOSECONDS = -9


def write_fst(
    vcd: Path, path: Path, root: Names, states: Mapping[Names, Values], marks: Marks
) -> Scope:
    """Convert a VCD file.

    Parameters
    ----------
    vcd, path
        File to read, and file to write.
    root
        Scopes of the VCD file around the top module, and that module.
    states
        Names of the values of signals, by their path below the top module.
    marks
        Signals to write beside the top module, in scope `MARKS`.

    Returns
    -------
    The signals of the top module.

    Raises
    ------
    SpikeloomError
        The file cannot be written, or pylibfst is missing.
    """
    with vcd.open(encoding="ascii") as lines, _created(path) as (library, context):
        top = named(read_header(lines), root)
        writer = _Writer(library, context, states)
        handles = writer.declare(root[-1], top)
        marked = writer.declare_marks(marks)
        stretches = [
            [(time, marked[name], f"{number:0{MARK_BITS}b}") for time, number in marks[name]]
            for name in marks
        ]
        writer.write(heapq.merge(_timed(read_changes(lines), handles), *stretches, key=_time))
    return top


@contextmanager
def _created(path: Path) -> Iterator[tuple[Any, Any]]:
    """The library of pylibfst, and its writer of a new file."""
    try:
        from pylibfst import lib  # noqa: PLC0415  # only those who write FST need it
    except ImportError:
        raise SpikeloomError(
            f"{path}: FST files need pylibfst: pip install pylibfst, or write a .vcd file"
        ) from None
    context = lib.fstWriterCreate(os.fsencode(path), 1)
    if not context:
        raise SpikeloomError(f"waveform: cannot write {path}")
    try:
        lib.fstWriterSetTimescale(context, _NANOSECONDS)
        yield lib, context
    finally:
        lib.fstWriterClose(context)


class _Writer:
    """A new FST file."""

    def __init__(self, library: Any, context: Any, states: Mapping[Names, Values]) -> None:
        self._library = library
        self._context = context
        self._states = states
        self._tables: dict[tuple[int, tuple[tuple[int, str], ...]], int] = {}
        self._handles: dict[str, tuple[int, int]] = {}

    def declare(self, name: str, top: Scope) -> dict[str, tuple[int, int]]:
        """Declare a module; the handle and the width of the signal behind each VCD code."""
        self._declare(name, top, ())
        return self._handles

    def declare_marks(self, marks: Marks) -> dict[str, int]:
        """Declare the marks; their handles by name."""
        lib = self._library
        lib.fstWriterSetScope(self._context, lib.FST_ST_VCD_SCOPE, MARKS.encode(), b"")
        handles = {name: self._variable(name, MARK_BITS, 0) for name in marks}
        lib.fstWriterSetUpscope(self._context)
        return handles

    def write(self, changes: Iterable[tuple[int, int, str]]) -> None:
        """Write the time, handle and bits of each change, in order of time."""
        emit, context = self._library.fstWriterEmitValueChange, self._context
        for time, group in itertools.groupby(changes, _time):
            self._library.fstWriterEmitTimeChange(context, time)
            for _, handle, bits in group:
                emit(context, handle, bits.encode())

    def _declare(self, name: str, scope: Scope, path: Names) -> None:
        lib, context = self._library, self._context
        kind = lib.FST_ST_VCD_MODULE if scope.module else lib.FST_ST_VCD_STRUCT
        lib.fstWriterSetScope(context, kind, name.encode(), b"")
        for signal, variable in scope.signals.items():
            if values := enumeration(self._states, scope, path, signal):
                table = self._table(variable.width, tuple(sorted(values.items())))
                lib.fstWriterEmitEnumTableRef(context, table)
            alias, _ = self._handles.get(variable.code, (0, 0))
            handle = self._variable(signal, variable.width, alias)
            self._handles.setdefault(variable.code, (handle, variable.width))
        for inner, contents in scope.scopes.items():
            self._declare(inner, contents, (*path, inner))
        lib.fstWriterSetUpscope(context)

    def _variable(self, name: str, width: int, alias: int) -> int:
        lib = self._library
        kind, direction = lib.FST_VT_VCD_WIRE, lib.FST_VD_IMPLICIT
        text = ranged(name, width, " ").encode()
        handle: int = lib.fstWriterCreateVar(self._context, kind, direction, width, text, alias)
        return handle

    def _table(self, width: int, values: tuple[tuple[int, str], ...]) -> int:
        """The table of an enumeration; equal ones are shared."""
        key = width, values
        if key not in self._tables:
            from pylibfst import ffi  # noqa: PLC0415

            texts = [ffi.new("char[]", text.encode()) for _, text in values]
            numbers = [ffi.new("char[]", f"{number:0{width}b}".encode()) for number, _ in values]
            self._tables[key] = self._library.fstWriterCreateEnumTable(
                self._context,
                f"values{len(self._tables)}".encode(),
                len(values),
                width,
                ffi.new("const char *[]", texts),
                ffi.new("const char *[]", numbers),
            )
        return self._tables[key]


def _timed(
    changes: Iterator[int | tuple[str, str]], handles: Mapping[str, tuple[int, int]]
) -> Iterator[tuple[int, int, str]]:
    """The changes of signals that have a handle, each with its time."""
    time = 0
    for change in changes:
        if isinstance(change, int):
            time = change
        elif change[0] in handles:
            handle, width = handles[change[0]]
            yield time, handle, change[1].zfill(width)


def _time(change: tuple[int, int, str]) -> int:
    return change[0]
