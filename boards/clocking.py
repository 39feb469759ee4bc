"""The clock of the fabric: a PLL, and the power-on reset."""

from math import ceil
from typing import Any

from amaranth import (
    ClockDomain,
    ClockSignal,
    Const,
    DomainRenamer,
    Instance,
    Module,
    Signal,
)
from amaranth.lib import io, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from spikeloom.boards.pll import MHZ, Setting

HOLD_US = 20
"""Microseconds of reset after the PLL locks. Block RAM of iCE40 reads as zeros for about three
microseconds after configuration, timed inside the part and visible nowhere."""


class ResetHold(wiring.Component):
    """Holds the reset until the PLL has been locked for a while.

    `reset` is 1 from configuration until `locked` has been 1 for `clocks` + 2 consecutive clocks,
    and again from 3 clocks after `locked` falls. It is a register. Two of the clocks are those of
    the synchroniser.

    Parameters
    ----------
    clocks
        Length of the hold in clocks of the domain `sync`, at least 1.

    Members
    -------
    locked : In(1)
        From the PLL, asynchronous.
    reset : Out(1)
        Active high.
    """

    def __init__(self, clocks: int) -> None:
        self.clocks = clocks
        super().__init__({"locked": In(1), "reset": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        """Count clocks while locked."""
        m = Module()
        locked = Signal()
        left = Signal(range(self.clocks), init=self.clocks - 1)
        m.submodules.synchroniser = FFSynchronizer(self.locked, locked, reset_less=True)
        with m.If(~locked):
            m.d.sync += [left.eq(self.clocks - 1), self.reset.eq(1)]
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.Else():
            m.d.sync += self.reset.eq(0)
        return m


class Clocking(wiring.Component):
    """Generates clock and reset of the domain `sync` from the clock on a pin.

    Parameters
    ----------
    family
        Name of the family: "ice40", "ecp5" or "gowin".
    pin
        Port of the input clock.
    setting
        Setting of the PLL.
    own_pin
        The pin is the PLL's own, which on iCE40 nothing else can use while the PLL is active.

    Members
    -------
    clk, rst : Out(1)
        Clock and reset; `ResetHold` gives the timing of the reset.
    """

    def __init__(self, family: str, pin: Any, setting: Setting, own_pin: bool = False) -> None:
        self.family = family
        self.pin = pin
        self.setting = setting
        self.own_pin = own_pin
        super().__init__({"clk": Out(1), "rst": Out(1, init=1)})

    def elaborate(self, platform: Any) -> Module:
        """Connect the PLL and the reset."""
        m = Module()
        clock = self.clk
        locked = Signal()
        if self.own_pin:
            source = self.pin.io
        else:
            m.submodules.buffer = buffer = io.Buffer("i", self.pin)
            source = buffer.i
        make = {"ice40": self._ice40, "ecp5": self._ecp5, "gowin": self._gowin}[self.family]
        m.submodules.pll = make(source, clock, locked)
        # The reset generator runs on the same clock, without reset.
        m.domains.free = ClockDomain(reset_less=True, local=True)
        m.d.comb += ClockSignal("free").eq(clock)
        hold = ResetHold(ceil(HOLD_US * self.setting.frequency / MHZ))
        m.submodules.hold = DomainRenamer("free")(hold)
        m.d.comb += [hold.locked.eq(locked), self.rst.eq(hold.reset)]
        return m

    def _ice40(self, source: Any, clock: Signal, locked: Signal) -> Instance:
        setting = self.setting
        # Chosen by the detector's frequency, as in the vendor's tool.
        limits = (17, 26, 44, 66, 101)
        filter_range = 1 + sum(setting.detector >= limit * MHZ for limit in limits)
        return Instance(
            "SB_PLL40_PAD" if self.own_pin else "SB_PLL40_CORE",
            ("p", "FEEDBACK_PATH", "SIMPLE"),
            ("p", "PLLOUT_SELECT", "GENCLK"),
            ("p", "DIVR", Const(setting.reference - 1, 4)),
            ("p", "DIVF", Const(setting.feedback - 1, 7)),
            ("p", "DIVQ", Const(setting.output.bit_length() - 1, 3)),
            ("p", "FILTER_RANGE", Const(filter_range, 3)),
            ("i", "PACKAGEPIN" if self.own_pin else "REFERENCECLK", source),
            ("i", "RESETB", Const(1)),
            ("i", "BYPASS", Const(0)),
            ("o", "PLLOUTGLOBAL", clock),
            ("o", "LOCK", locked),
        )

    def _ecp5(self, source: Any, clock: Signal, locked: Signal) -> Instance:
        setting = self.setting
        return Instance(
            "EHXPLLL",
            # The loop filter, as in the vendor's tool.
            ("a", "ICP_CURRENT", "12"),
            ("a", "LPF_RESISTOR", "8"),
            ("a", "MFG_ENABLE_FILTEROPAMP", "1"),
            ("a", "MFG_GMCREF_SEL", "2"),
            ("p", "CLKI_DIV", setting.reference),
            ("p", "CLKFB_DIV", setting.feedback),
            ("p", "CLKOP_DIV", setting.output),
            ("p", "CLKOP_ENABLE", "ENABLED"),
            ("p", "CLKOP_CPHASE", setting.output - 1),
            ("p", "CLKOP_FPHASE", 0),
            ("p", "FEEDBK_PATH", "CLKOP"),
            ("i", "CLKI", source),
            ("i", "CLKFB", clock),
            ("i", "RST", Const(0)),
            ("i", "STDBY", Const(0)),
            ("i", "PHASESEL0", Const(0)),
            ("i", "PHASESEL1", Const(0)),
            ("i", "PHASEDIR", Const(1)),
            ("i", "PHASESTEP", Const(1)),
            ("i", "PHASELOADREG", Const(1)),
            ("i", "PLLWAKESYNC", Const(0)),
            ("i", "ENCLKOP", Const(0)),
            ("o", "CLKOP", clock),
            ("o", "LOCK", locked),
        )

    def _gowin(self, source: Any, clock: Signal, locked: Signal) -> Instance:
        setting = self.setting
        megahertz = setting.detector * setting.reference / MHZ
        return Instance(
            "rPLL",
            ("p", "FCLKIN", f"{float(megahertz):g}"),
            ("p", "DEVICE", "GW1NR-9C"),
            ("p", "IDIV_SEL", setting.reference - 1),
            ("p", "FBDIV_SEL", setting.feedback - 1),
            ("p", "ODIV_SEL", setting.output),
            ("p", "CLKFB_SEL", "internal"),
            ("i", "CLKIN", source),
            ("i", "CLKFB", Const(0)),
            ("i", "RESET", Const(0)),
            ("i", "RESET_P", Const(0)),
            ("o", "CLKOUT", clock),
            ("o", "LOCK", locked),
        )
