"""Plays recordings to mutants."""

import ctypes
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from designs import Design
from recordings import Recording


class _Recording(ctypes.Structure):
    """`Recording` in `replay.cpp`."""

    _fields_ = [
        ("clocks", ctypes.c_uint64),
        *((name, ctypes.c_void_p) for name in ("inputs", "outputs", "compared")),
        ("heard", ctypes.c_char_p),
        *((name, ctypes.c_uint64) for name in ("count", "bit")),
    ]


class Replay:
    """Plays recordings to a design.

    Parameters
    ----------
    design
        The design with its mutants.
    recordings
        Recordings for it.
    """

    def __init__(self, design: Design, recordings: Iterable[Recording]) -> None:
        self._library = ctypes.CDLL(str(design.shared_library))
        function = self._library.spikeloom_replay
        function.argtypes = [ctypes.c_uint32, ctypes.POINTER(_Recording)]
        function.restype = ctypes.c_int64
        self._kept = list(recordings)
        self._recordings = [
            _Recording(
                len(kept.inputs),
                *(array.ctypes.data for array in (kept.inputs, kept.outputs, kept.compared)),
                kept.heard,
                len(kept.heard),
                kept.bit,
            )
            for kept in self._kept
        ]

    def difference(self, mutant: int) -> tuple[int, int] | None:
        """The first recording and clock in which an output differs; None: in none."""
        for number, recording in enumerate(self._recordings):
            clock = self._library.spikeloom_replay(mutant, ctypes.byref(recording))
            if clock >= 0:
                return number, clock
        return None

    def differences(self, numbers: Sequence[int], jobs: int) -> list[tuple[int, int] | None]:
        """`difference` of many mutants, `jobs` at a time."""
        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(self.difference, numbers))
