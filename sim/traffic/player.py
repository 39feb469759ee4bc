"""Plays stimuli to the compiled RTL of a mesh of routers."""

import ctypes
import weakref
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.cycle.mesh import mesh_probe
from spikeloom.golden.spec import LoadTarget
from spikeloom.sim.traffic.rtl import TOP, emit
from spikeloom.sim.traffic.stimuli import Stimuli, Words
from spikeloom.sim.verilator import build_library

BLOCK = 1 << 12
"""Clocks of one call into the model."""

_DRIVERS = [Path(__file__).parents[1] / "load.cpp", Path(__file__).with_name("traffic.cpp")]
_DRAIN = 64
"""Clocks that a packet needs at most through an empty mesh of 8x8, with a margin."""


class _Traffic(ctypes.Structure):
    """`Traffic` in `traffic.cpp`."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("packets", "births", "ends", "listening")),
        *((name, ctypes.c_uint64) for name in ("period", "patience", "stop")),
        *((name, ctypes.c_void_p) for name in ("trace", "next", "taken", "given")),
        *((name, ctypes.c_void_p) for name in ("clocks", "tiles")),
        *((name, ctypes.c_uint64) for name in ("room", "count", "clock", "idle")),
    ]


@dataclass(frozen=True, eq=False)
class Outcome:
    """The result of playing stimuli.

    Parameters
    ----------
    clocks
        Clocks played.
    accepted
        Number of accepted packets of each source.
    taken
        For each accepted packet the clock of its acceptance.
    given, given_at, given_to
        The delivered packets in order; the clock and the tile of each delivery.
    """

    clocks: int
    accepted: NDArray[np.int64]
    taken: Words
    given: Words
    given_at: Words
    given_to: Words


class Player:
    """Plays stimuli to a mesh, from reset on.

    Parameters
    ----------
    stimuli
        The stimuli.
    text
        Verilog of the mesh, such as a mutated text; default: from `emit`.

    Attributes
    ----------
    over
        Everything was offered, and the mesh is at rest.

    Raises
    ------
    SpikeloomError
        The model cannot be built.
    """

    def __init__(self, stimuli: Stimuli, text: str | None = None) -> None:
        self.stimuli = stimuli
        config = stimuli.config
        driver = "".join(file.read_text(encoding="utf-8") for file in _DRIVERS)
        path = build_library(emit(config) if text is None else text, TOP, driver)
        self._library = library = ctypes.CDLL(str(path))
        library.spikeloom_create.restype = ctypes.c_void_p
        library.spikeloom_destroy.argtypes = [ctypes.c_void_p]
        library.spikeloom_load.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_uint64] * 2
        library.spikeloom_traffic.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Traffic)]
        self._model = library.spikeloom_create()
        weakref.finalize(self, library.spikeloom_destroy, self._model)
        self._load()

        count = len(stimuli.packets)
        room = int(stimuli.destinations.sum()) + count  # with room for spurious deliveries
        arrays = {
            "packets": stimuli.packets,
            "births": stimuli.births,
            "ends": stimuli.starts[1:],
            "listening": stimuli.listening,
            "next": stimuli.starts[:-1],
            "taken": np.zeros(count, np.uint64),
            **{name: np.zeros(room, np.uint64) for name in ("given", "clocks", "tiles")},
        }
        self._arrays = {name: np.array(array, np.uint64) for name, array in arrays.items()}
        self._state = _Traffic(
            period=len(stimuli.listening),
            patience=stimuli.patience + _DRAIN,
            room=room,
            **{name: array.ctypes.data for name, array in self._arrays.items()},
        )
        self.over = False

    def play(self, clocks: int, *, trace: bool = False) -> NDArray[np.uint32]:
        """Continue for at most `clocks`.

        Returns
        -------
        uint32 (clocks, words): with `trace` the probe word of each clock, lowest bits first.
        """
        size = -(-mesh_probe(self.stimuli.config).width // 32)
        rows = np.zeros((clocks if trace else 0, size), "<u4")
        start = self._state.clock
        self._state.stop = start + clocks
        self._state.trace = rows.ctypes.data if trace else None
        self.over = bool(self._library.spikeloom_traffic(self._model, ctypes.byref(self._state)))
        return rows[: self._state.clock - start]

    def outcome(self) -> Outcome:
        """The result so far."""
        state, arrays = self._state, self._arrays
        accepted = arrays["next"] - self.stimuli.starts[:-1]
        given, clocks, tiles = (
            arrays[name][: min(state.count, state.room)] for name in ("given", "clocks", "tiles")
        )
        return Outcome(
            state.clock, accepted.astype(np.int64), arrays["taken"], given, clocks, tiles
        )

    def _load(self) -> None:
        """Write the route tables, one row per clock."""
        layout = self.stimuli.config.load
        size = -(-layout.width // 32)
        data = b"".join(
            layout.pack(
                {"tile": tile, "target": LoadTarget.ROUTE, "address": route, "data": row}
            ).to_bytes(4 * size, "little")
            for tile, rows in enumerate(self.stimuli.tables)
            for route, row in enumerate(rows)
        )
        words = np.frombuffer(data, "<u4")
        self._library.spikeloom_load(self._model, words.ctypes.data, len(words) // size, 0)


def play(stimuli: Stimuli, clocks: int | None = None, *, text: str | None = None) -> Outcome:
    """Play `stimuli` to the RTL, completely or for `clocks`; `text` as for `Player`."""
    player = Player(stimuli, text)
    if clocks is not None:
        player.play(clocks)
    while clocks is None and not player.over:
        player.play(BLOCK)
    return player.outcome()
