"""A fabric with its link: two pins to a host."""

from amaranth import Module
from amaranth.hdl import ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from spikeloom.golden.contents import NOTHING, Contents
from spikeloom.golden.link import LinkConfig
from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.fabric import Fabric
from spikeloom.hdl.link.link import Link


class FabricWithLink(wiring.Component):
    """A fabric that is loaded and run over a serial line. See docs/link.md.

    Parameters
    ----------
    config
        Sizes of the fabric.
    link
        Settings of the link.
    contents
        Initial contents of the memories.

    Members
    -------
    rx : In(1, init=1)
        The pin from the host; asynchronous.
    tx : Out(1, init=1)
        The pin to the host.
    """

    rx: In(1, init=1)
    tx: Out(1, init=1)

    def __init__(
        self, config: FabricConfig, link: LinkConfig, contents: Contents = NOTHING
    ) -> None:
        self.config = config
        self.link = link.with_contents(contents, config)
        self.contents = contents
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = Link(self.config, self.link)
        fabric = Fabric(self.config, contents=self.contents)
        m.submodules.fabric = ResetInserter(link.begins)(fabric)
        connect(m, link.host_in, fabric.host_in)
        connect(m, link.load, fabric.load)
        if self.config.readable:
            connect(m, link.read, fabric.read)
        connect(m, fabric.host_out, link.host_out)
        m.d.comb += [
            link.rx.eq(self.rx),
            link.counters.eq(fabric.counters),
            self.tx.eq(link.tx),
        ]
        return m
