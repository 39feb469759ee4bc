"""A virtual board: the whole design of a board, compiled, behind a pseudo-terminal.

A host program opens the terminal as its serial port. Every bit passes the pins `rx` and `tx`, and
no clock is skipped while anything happens.
"""

import ctypes
import time
import weakref
from collections.abc import Sequence
from pathlib import Path

from amaranth import ClockDomain, Module, Signal

from spikeloom.golden.contents import NOTHING, Contents
from spikeloom.golden.link import LinkConfig
from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.fabric_with_link import FabricWithLink
from spikeloom.sim import verilog
from spikeloom.sim.terminal import Terminal
from spikeloom.sim.verilator import build_library

TOP = "spikeloom_board"
"""Name of the top module."""

NETLIST_TOP = "board"
"""Name of the top module of a netlist."""
NETLIST_WAIVERS = ("-Wno-lint", "-Wno-UNOPTFLAT", "-Wno-SPECIFYIGN", "-Wno-INITIALDLY")
"""The cell libraries use delays, which a cycle simulation ignores. A router orders the bits of its
nets arbitrarily, so that nets without a loop may look like one."""

_DRIVER = Path(__file__).with_name("pins.cpp")
_BYTE = 10
"""Bits per byte on the line."""
_SLICE = 16
"""Bytes on the line per call into the model."""
_QUIET = 1 << 17
"""Clocks without activity on the line after which a design is taken to be at rest. Its clock then
continues with pauses, so nothing is lost if it is not."""


def emit(config: FabricConfig, link: LinkConfig, contents: Contents = NOTHING) -> str:
    """The Verilog of a fabric with its link, cached.

    Ports: `clk`, `rx`, `tx`.
    """
    title = f"Spikeloom board: {link.with_contents(contents, config)}"

    def generate() -> str:
        m = Module()
        m.domains.sync = domain = ClockDomain(reset_less=True)
        m.submodules.linked = linked = FabricWithLink(config, link, contents)
        rx, tx = Signal(init=1, name="rx"), Signal(init=1, name="tx")
        m.d.comb += [linked.rx.eq(rx), tx.eq(linked.tx)]
        return verilog.generate(title, config, m, TOP, [domain.clk, rx, tx], contents)

    return verilog.cached(title, config, generate)


class _Pins(ctypes.Structure):
    """`Pins` in `pins.cpp`."""

    _fields_ = [
        *((name, ctypes.c_uint64) for name in ("bit", "clocks")),
        ("given", ctypes.c_char_p),
        ("length", ctypes.c_uint64),
        ("received", ctypes.c_void_p),
        *((name, ctypes.c_uint64) for name in ("taken", "count", "broken", "quiet")),
        *(
            (name, ctypes.c_uint64)
            for name in ("send_left", "send_bits", "receive_at", "receive_bits")
        ),
    ]


class Pins:
    """A compiled design, as a machine that exchanges bytes at its pins.

    Parameters
    ----------
    text
        Verilog of a module with the ports `clk`, `rx` and `tx`.
    top
        Its name.
    clocks_per_bit
        Clocks per bit on the line.
    waivers
        More options of Verilator.

    Attributes
    ----------
    clocks
        Clocks played.
    taken, given
        Bytes received at `rx` and sent from `tx`.

    Raises
    ------
    SpikeloomError
        The model cannot be built.
    """

    def __init__(
        self, text: str, top: str, clocks_per_bit: int, waivers: Sequence[str] = ()
    ) -> None:
        driver = _DRIVER.read_text(encoding="utf-8")
        path = build_library(text, top, driver, waivers=waivers, what="a virtual board")
        self._library = ctypes.CDLL(str(path))
        self._library.spikeloom_create.restype = ctypes.c_void_p
        self._library.spikeloom_destroy.argtypes = [ctypes.c_void_p]
        self._library.spikeloom_pins.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Pins)]
        self._clocks_per_bit = clocks_per_bit
        self._waiting = b""
        self.clocks = self.taken = self.given = self._broken = 0
        self._create()

    def power_cycle(self) -> None:
        """Restart: registers and memories as after configuration."""
        self._broken = self.broken
        self.close()
        self._create()

    @property
    def broken(self) -> int:
        """Bytes from tx whose stop bit was 0."""
        return self._broken + int(self._state.broken)

    def close(self) -> None:
        """Free the model."""
        self._finalizer()

    def _create(self) -> None:
        self._model: int = self._library.spikeloom_create()
        self._finalizer = weakref.finalize(self, self._library.spikeloom_destroy, self._model)
        self._received = ctypes.create_string_buffer(_SLICE + 2)
        self._state = _Pins(
            bit=self._clocks_per_bit,
            clocks=self._clocks_per_bit * _BYTE * _SLICE,
            received=ctypes.addressof(self._received),
            quiet=_QUIET,
        )

    @property
    def at_rest(self) -> bool:
        """Whether the line has been quiet for `_QUIET` clocks."""
        return not self._waiting and self._state.quiet >= _QUIET

    def play(self, data: bytes) -> bytes:
        """Send bytes to rx at the line's rate, for one slice; returns the bytes from tx."""
        self._waiting += data
        state = self._state
        state.given, state.length = self._waiting[:_SLICE], len(self._waiting[:_SLICE])
        self._library.spikeloom_pins(self._model, ctypes.byref(state))
        self._waiting = self._waiting[state.taken :]
        self.clocks += state.clocks
        self.taken += state.taken
        self.given += state.count
        return self._received.raw[: state.count]


class VirtualBoard(Terminal):
    """A board behind a pseudo-terminal, until it is closed.

    Parameters
    ----------
    config, link
        Sizes of its fabric, and the identity and bit rate of its link.
    netlist
        A netlist of the board, as Verilog with the models of its cells: a module `board` with the
        ports `clk`, `rx` and `tx`. Default: its RTL.
    contents
        Initial contents of the memories of its RTL.

    Attributes
    ----------
    port
        Path of the terminal, for the host program.
    pins
        The design, with its counts of clocks and bytes.
    patience
        Timeout of a host in seconds: the time that the contents of the board's buffer take on the
        line, at the measured speed of the simulation.

    Raises
    ------
    SpikeloomError
        The model cannot be built.
    """

    def __init__(
        self,
        config: FabricConfig,
        link: LinkConfig,
        netlist: str | None = None,
        contents: Contents = NOTHING,
    ) -> None:
        if netlist is None:
            self.pins = Pins(emit(config, link, contents), TOP, link.clocks_per_bit)
        else:
            self.pins = Pins(netlist, NETLIST_TOP, link.clocks_per_bit, NETLIST_WAIVERS)
        start = time.perf_counter()
        self.pins.play(b"")
        slice_seconds = time.perf_counter() - start
        self.patience = max(0.2, 4 * slice_seconds * link.buffer / _SLICE)
        super().__init__(self.pins)
