"""The fast batch runner: whole data sets through the compiled RTL.

The compiled model is called with arrays and runs millions of clocks a call, without Python's lock.
"""

import copy
import ctypes
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.errors import FaultyDevice, SpikeloomError
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.spec import FabricConfig, Layout, ReadTarget
from spikeloom.sim.verilator import build
from spikeloom.sim.verilog import emit

Words = NDArray[np.uint64]

PATIENCE = 1 << 22
"""Clocks without a transfer at either host port after which a fabric is taken to be stuck."""
_SLICE = 1 << 24
"""Clocks of one call into the model; Python handles a keyboard interrupt between calls."""
_FOREVER = (1 << 64) - 1
_ROOM = 1 << 16
"""Packets per buffer."""

_DONE, _FULL, _PAUSE, _STUCK = range(4)


class _Run(ctypes.Structure):
    """`Run` in `harness.cpp`."""

    _fields_ = [
        ("words", ctypes.c_void_p),
        ("length", ctypes.c_uint64),
        ("taken", ctypes.c_uint64),
        ("open", ctypes.c_int64),
        ("clock", ctypes.c_uint64),
        ("stop", ctypes.c_uint64),
        ("idle", ctypes.c_uint64),
        ("patience", ctypes.c_uint64),
        ("clocks", ctypes.c_void_p),
        ("packets", ctypes.c_void_p),
        ("capacity", ctypes.c_uint64),
        ("count", ctypes.c_uint64),
    ]


class FabricStuck(FaultyDevice):
    """No transfer at the host ports for too long, before the run was complete."""


@dataclass(frozen=True)
class Result:
    """The output of one chunk.

    Parameters
    ----------
    clocks
        For each packet the clock of its transfer; clock 0 is the first of the chunk.
    packets
        Payloads of `host_out`, in order of arrival.
    counters
        The increase of each counter during the chunk, loading excluded.
    """

    clocks: Words
    packets: Words
    counters: dict[str, int]


class Simulation:
    """One compiled fabric, fresh from reset.

    Parameters
    ----------
    config
        Sizes of the fabric.
    verilog
        Its Verilog, such as a mutated text; default: from `sim.verilog.emit`.
    trace
        Able to write waveforms; slower.
    extra
        C++ to append to the harness; `compiled` has its exported functions.

    Raises
    ------
    SpikeloomError
        The model cannot be built.
    """

    def __init__(
        self,
        config: FabricConfig,
        *,
        verilog: str | None = None,
        trace: bool = False,
        extra: str = "",
    ) -> None:
        self.config = config
        text = emit(config) if verilog is None else verilog
        self.compiled = _open(build(config, text, trace=trace, extra=extra))
        self._create()

    def reset(self) -> None:
        """Restart: registers and memories as after configuration."""
        self.close()
        self._create()

    def copy(self) -> "Simulation":
        """A simulation of its own, in the same state."""
        other = copy.copy(self)
        other._own(self.compiled.spikeloom_copy(self.handle))
        return other

    def close(self) -> None:
        """Free the model. Only `reset` may follow."""
        self._finalizer()

    def _create(self) -> None:
        self._own(self.compiled.spikeloom_create())

    def _own(self, model: int) -> None:
        self._model = model
        self._finalizer = weakref.finalize(self, self.compiled.spikeloom_destroy, model)

    def __enter__(self) -> "Simulation":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def load(self, image: MemoryImage, held: MemoryImage | None = None) -> None:
        """Write `image` through the load port, one word per clock.

        Parameters
        ----------
        held
            What the fabric holds: only rows that differ are written.

        Raises
        ------
        SpikeloomError
            The image was made for another fabric.
        """
        if image.config != self.config:
            raise SpikeloomError(
                "the image was made for another FabricConfig; map the network to this one"
            )
        words = _port_words(self.config.load, image.load_words(held))
        # When a run begins words have arrived, and CLEAR is over, which LEARN words begin: so it
        # counts no clock of loading.
        config = self.config
        idle = config.tree_depth + (config.plastic_axons if config.plasticity else 0)
        self.compiled.spikeloom_load(self.handle, words.ctypes.data, len(words), idle)

    def read(self, target: ReadTarget, tile: int, address: int, rows: int) -> list[int]:
        """Rows of a memory, through the read port, packed as in `FabricConfig.readable_memories`.

        The fabric must be at rest.

        Raises
        ------
        SpikeloomError
            The fabric was built without a read port.
        """
        config = self.config
        if not config.readable:
            raise SpikeloomError(
                "the memories of this fabric cannot be read; compile with "
                'fabric={"readable": True}, on the command line --set readable=true'
            )
        size = -(-config.readable_memories[target].row.width // 8)
        port = config.read  # made anew at each use
        words = _port_words(
            port,
            (
                port.pack({"tile": tile, "target": target, "address": row, "byte": byte})
                for row in range(address, address + rows)
                for byte in range(size)
            ),
        )
        data = np.zeros(len(words), np.uint8)
        self.compiled.spikeloom_read(
            self.handle, words.ctypes.data, len(words), config.read_clocks, data.ctypes.data
        )
        return [int.from_bytes(row.tobytes(), "little") for row in data.reshape(rows, size)]

    def run(self, words: Words, *, patience: int = PATIENCE) -> tuple[Words, Words]:
        """Play `words` into `host_in` as fast as the fabric accepts them, until it has run them.

        The run ends when the fabric has reported as many complete steps as `words` has step marks.

        Parameters
        ----------
        words
            Payloads of `host_in`.
        patience
            Clocks without a transfer after which to give up.

        Returns
        -------
        For each packet from `host_out` the clock of its transfer, counted from the beginning of
        this run; then the packets.

        Raises
        ------
        FabricStuck
            No transfer for `patience` clocks.
        """
        return self._run(words, patience, None)

    def counters(self) -> dict[str, int]:
        """The counters by name. `cycles` counts from reset, loading included."""
        layout = self.config.counters
        words = np.zeros(-(-layout.width // 32), "<u4")
        self.compiled.spikeloom_counters(self.handle, words.ctypes.data)
        return layout.unpack(int.from_bytes(words.tobytes(), "little"))

    @property
    def handle(self) -> int:
        """The model, as an argument of the functions in `compiled`."""
        if not self._finalizer.alive:
            raise ValueError("the simulation is closed")
        return self._model

    def _run(self, words: Words, patience: int, until: int | None) -> tuple[Words, Words]:
        """`run`, but for at most `until` clocks."""
        words = np.ascontiguousarray(words, np.uint64)
        if (words >> np.uint64(self.config.host_in.width)).any():
            raise ValueError(f"a word of host_in has at most {self.config.host_in.width} bits")
        run = _Run(words=words.ctypes.data, length=len(words), patience=patience)
        limit = _FOREVER if until is None else until
        pieces: list[tuple[Words, Words]] = []
        status = _FULL
        while status == _FULL or (status == _PAUSE and run.clock != limit):
            if status == _FULL:
                pieces.append((np.empty(_ROOM, np.uint64), np.empty(_ROOM, np.uint64)))
                run.clocks, run.packets = (array.ctypes.data for array in pieces[-1])
                run.capacity, run.count = _ROOM, 0
            run.stop = min(run.clock + _SLICE, limit)
            status = self.compiled.spikeloom_run(self.handle, ctypes.byref(run))
        if status == _STUCK:
            raise FabricStuck(
                f"nothing was transferred for {patience} clocks before clock {run.clock}: "
                f"{run.taken} of {run.length} words went in, {run.open} steps are not complete"
            )
        pieces[-1] = pieces[-1][0][: run.count], pieces[-1][1][: run.count]
        clocks, packets = (np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
        return clocks, packets

    def _trace(self, path: Path, start: int, clocks: int) -> None:
        self.compiled.spikeloom_trace(self.handle, os.fsencode(path), start, clocks)


def run_batch(
    loaded: Simulation,
    chunks: Sequence[Words],
    *,
    workers: int | None = None,
    patience: int = PATIENCE,
    progress: Callable[[int], None] | None = None,
    prepare: Callable[[int, Simulation], None] | None = None,
    finish: Callable[[int, Simulation], None] | None = None,
) -> list[Result]:
    """Run each chunk on a fabric of its own, a copy of a loaded one.

    So results do not depend on the number of workers.

    Parameters
    ----------
    loaded
        A fabric that was loaded and has run nothing; it stays as it is.
    patience
        See `Simulation.run`.
    chunks
        Payloads of `host_in` that begin with a sample and end with a step mark.
    workers
        Threads; default: one per processor.
    progress
        Called in the caller's thread with the number of completed chunks.
    prepare
        Called with the number of each chunk and its fabric, before it runs.
    finish
        The same, after it has run, and its counters were read.

    Returns
    -------
    The results in the order of `chunks`.
    """
    wrap = 1 << loaded.config.counter_bits
    one_at_a_time = threading.Lock()

    def play(number: int, chunk: Words) -> Result:
        with one_at_a_time:
            simulation = loaded.copy()
        with simulation:
            if prepare is not None:
                prepare(number, simulation)
            before = simulation.counters()
            clocks, packets = simulation.run(chunk, patience=patience)
            after = simulation.counters()
            if finish is not None:
                finish(number, simulation)
        return Result(
            clocks, packets, {name: (after[name] - before[name]) % wrap for name in after}
        )

    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        futures: list[Future[Result]] = [
            pool.submit(play, number, chunk) for number, chunk in enumerate(chunks)
        ]
        try:
            for done, future in enumerate(as_completed(futures), 1):
                future.result()
                if progress:
                    progress(done)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]


def waveform(
    config: FabricConfig,
    image: MemoryImage,
    words: Words,
    start_clock: int,
    stop_clock: int,
    path: str | Path,
    *,
    verilog: str | None = None,
) -> None:
    """Run a chunk again and write what every signal does in some of its clocks, as a VCD file.

    Clock n begins at 2n nanoseconds, with the rising edge.

    Parameters
    ----------
    config, verilog
        See `Simulation`.
    image, words
        As in `run_batch`, one chunk.
    start_clock, stop_clock
        First clock to show, and the first no longer shown.
    path
        File to write.

    Raises
    ------
    SpikeloomError
        The window is empty, or the file cannot be written.
    """
    if not 0 <= start_clock < stop_clock:
        raise SpikeloomError(f"waveform: no clocks from {start_clock} to {stop_clock}")
    path = Path(path)
    try:
        path.write_bytes(b"")
    except OSError as error:
        raise SpikeloomError(f"waveform: cannot write {path}: {error.strerror}") from None
    with Simulation(config, verilog=verilog, trace=True) as simulation:
        simulation.load(image)
        simulation._trace(path, start_clock, stop_clock - start_clock)
        simulation._run(words, _FOREVER, stop_clock)


def _port_words(layout: Layout, words: Iterable[int]) -> NDArray[np.uint32]:
    """Payloads of a port, each as a row of 32-bit words, lowest first."""
    size = -(-layout.width // 32)
    data = b"".join(word.to_bytes(4 * size, "little") for word in words)
    return np.frombuffer(data, "<u4").reshape(-1, size)


def _open(path: Path) -> Any:
    """The library at `path`, with the types of its functions."""
    library = ctypes.CDLL(str(path))
    pointer, count = ctypes.c_void_p, ctypes.c_uint64
    library.spikeloom_create.restype = pointer
    library.spikeloom_destroy.restype = None
    library.spikeloom_destroy.argtypes = [pointer]
    library.spikeloom_load.restype = None
    library.spikeloom_load.argtypes = [pointer, pointer, count, count]
    library.spikeloom_copy.restype = pointer
    library.spikeloom_copy.argtypes = [pointer]
    library.spikeloom_counters.restype = None
    library.spikeloom_counters.argtypes = [pointer, pointer]
    library.spikeloom_run.argtypes = [pointer, ctypes.POINTER(_Run)]
    if hasattr(library, "spikeloom_read"):
        library.spikeloom_read.restype = None
        library.spikeloom_read.argtypes = [pointer, pointer, count, count, pointer]
    if hasattr(library, "spikeloom_trace"):
        library.spikeloom_trace.restype = None
        library.spikeloom_trace.argtypes = [pointer, ctypes.c_char_p, count, count]
    return library
