"""The top level of a board: clock, fabric with link, and pins."""

from typing import Any

from amaranth import ClockDomain, ClockSignal, Module, ResetSignal, Signal
from amaranth.lib import io, wiring

from spikeloom.boards.board import Board
from spikeloom.boards.clocking import Clocking
from spikeloom.boards.pll import Setting
from spikeloom.golden.contents import NOTHING, Contents
from spikeloom.golden.link import LinkConfig
from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.fabric_with_link import FabricWithLink


class Top(wiring.Component):
    """A fabric with its link, connected to the pins of a board.

    The LED, if there is one, blinks about once a second while the clock runs.

    Parameters
    ----------
    board
        The board.
    fabric, link
        Sizes of the fabric, and the identity and bit rate of its link.
    setting
        Setting of the PLL.
    contents
        Initial contents of the memories.
    """

    def __init__(
        self,
        board: Board,
        fabric: FabricConfig,
        link: LinkConfig,
        setting: Setting,
        contents: Contents = NOTHING,
    ) -> None:
        self.board = board
        self.fabric = fabric
        self.link = link
        self.setting = setting
        self.contents = contents
        super().__init__({})

    def elaborate(self, platform: Any) -> Module:
        """Connect the fabric to the resources of `platform`."""
        board = self.board
        m = Module()
        clock = platform.request(board.oscillator or platform.default_clk, dir="-")
        m.submodules.clocking = clocking = Clocking(
            board.family.name, clock, self.setting, board.pll_pin
        )
        m.domains.sync = ClockDomain()
        m.d.comb += [ClockSignal("sync").eq(clocking.clk), ResetSignal("sync").eq(clocking.rst)]
        m.submodules.linked = linked = FabricWithLink(self.fabric, self.link, self.contents)
        uart = platform.request("uart", 0, dir=_as_ports(platform, "uart"))
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.d.comb += [linked.rx.eq(rx.i), tx.o.eq(linked.tx)]
        if board.led is not None:
            m.submodules.led = led = io.Buffer("o", platform.request(board.led, 0, dir="-"))
            count = Signal(self.link.clock_hz.bit_length())
            m.d.sync += count.eq(count + 1)
            m.d.comb += led.o.eq(count[-1])
        return m


def _as_ports(platform: Any, name: str) -> dict[str, str]:
    """The `dir` argument that requests each signal of a resource as a bare port."""
    return {part.name: "-" for part in platform.lookup(name, 0).ios}
