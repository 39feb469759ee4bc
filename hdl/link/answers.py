"""Answers: the bodies of IDENTITY and COUNTERS."""

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spikeloom.golden.contents import NOTHING
from spikeloom.golden.link import Kind, LinkConfig, identity
from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.hdl.link.loader import counter_bytes, target_bits
from spikeloom.hdl.link.ports import BODY


class IdentityRom(wiring.Component):
    """The body of IDENTITY.

    Baked contents are valid until something is loaded over them. That is a property of the
    memories, so it survives a reset as they do. From then on the bytes come from a second page.

    Timing: `byte` follows `number` after `latency` clocks.

    Parameters
    ----------
    config
        Sizes of the fabric.
    link
        Settings of the link.

    Members
    -------
    number : In(range(length))
        Number of a byte.
    load : In(1)
        A word is loaded in this clock.
    target : In
        Its `LoadTarget`.
    byte : Out(8)
        The byte.
    """

    def __init__(self, config: FabricConfig, link: LinkConfig) -> None:
        self.config = config
        self.link = link
        self.text = identity(link, config)
        super().__init__(
            {
                "number": In(range(self.length)),
                "load": In(1),
                "target": In(target_bits(config)),
                "byte": Out(8),
            }
        )

    @property
    def length(self) -> int:
        """Bytes of IDENTITY."""
        return len(self.text)

    @property
    def latency(self) -> int:
        """Clocks from a number to its byte."""
        return 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        address: Value = self.number
        text = self.text
        if self.link.baked:
            changed = Signal(reset_less=True)
            targets = sum(1 << target for target in self.link.baked if target != LoadTarget.CONTROL)
            with m.If(self.load & Const(targets, 1 << len(self.target)).bit_select(self.target, 1)):
                m.d.sync += changed.eq(1)
            address = Cat(self.number, changed)
            page = 1 << len(self.number)
            text = text.ljust(page, b"\0")
            text += identity(self.link.with_contents(NOTHING, self.config), self.config)
        m.submodules.identity = rom = Memory(
            shape=8, depth=len(text), init=text, attrs={"rom_style": "block"}
        )
        read = rom.read_port()
        m.d.comb += [read.addr.eq(address), self.byte.eq(read.data)]
        return m


class Answers(wiring.Component):
    """Sends the body of IDENTITY or COUNTERS, byte by byte.

    Timing: one byte every two clocks, the first `latency` clocks after `enable` rises.

    Parameters
    ----------
    config
        Sizes of the fabric.
    link
        Settings of the link.

    Members
    -------
    start : In(1)
        Restarts with the first byte; not with `enable`.
    identify : In(1)
        With `start`: of IDENTITY, else of COUNTERS.
    enable : In(1)
        Sends bytes.
    load : In(1)
        A word is loaded in this clock.
    target : In
        Its `LoadTarget`.
    counters : In(8)
        The next byte of COUNTERS.
    shift : Out(1)
        A byte was taken.
    body : Out(stream.Signature(BODY))
        The bytes.
    kind : Out(Kind)
        Kind of the frame.
    """

    def __init__(self, config: FabricConfig, link: LinkConfig) -> None:
        self.config = config
        self.link = link
        super().__init__(
            {
                "start": In(1),
                "identify": In(1),
                "enable": In(1),
                "load": In(1),
                "target": In(target_bits(config)),
                "counters": In(8),
                "shift": Out(1),
                "body": Out(stream.Signature(BODY)),
                "kind": Out(Kind),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from `enable` to the first byte."""
        return 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.identity = rom = IdentityRom(self.config, self.link)
        lengths = rom.length, counter_bytes(self.config)
        number = Signal.like(rom.number)
        remaining = Signal(range(max(lengths)))
        fetched = Signal()
        is_identity = Signal()
        body = self.body
        m.d.comb += [
            rom.number.eq(number),
            rom.load.eq(self.load),
            rom.target.eq(self.target),
            body.valid.eq(fetched),
            body.p.data.eq(Mux(is_identity, rom.byte, self.counters)),
            body.p.last.eq(remaining == 0),
            self.kind.eq(Mux(is_identity, Kind.IDENTITY, Kind.COUNTERS)),
            self.shift.eq(body.valid & body.ready),
        ]
        with m.If(self.start):
            m.d.sync += [
                number.eq(0),
                is_identity.eq(self.identify),
                remaining.eq(Mux(self.identify, *lengths) - 1),
            ]
        with m.If(self.enable):
            m.d.sync += fetched.eq(1)
            with m.If(self.shift):
                m.d.sync += [fetched.eq(0), number.eq(number + 1), remaining.eq(remaining - 1)]
        return m
