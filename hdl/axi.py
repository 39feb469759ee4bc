"""AXI: a fabric behind AXI4-Stream and AXI4-Lite. See docs/integration.md."""

import dataclasses
import enum
import hashlib
import itertools

from amaranth import Cat, ClockDomain, Const, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import data, fifo, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import TILE_COUNTERS, FabricConfig, PacketKind, count_bits
from spikeloom.hdl.common.load import load_signature
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.fabric import Fabric

ADDRESS_BITS = 12
WORD_BITS = 32
_WORD_BYTES = WORD_BITS // 8

IDENTIFIER = int.from_bytes(b"LOOM", "little")
VERSION = 1
"""Of the register map; it changes with every change that a driver would notice."""


class Register(enum.IntEnum):
    """Byte addresses of the registers; of a group, that of its first."""

    IDENTIFIER = 0x000
    VERSION = 0x004
    CONFIGURATION = 0x008
    STATUS = 0x010
    CONTROL = 0x014
    CYCLES = 0x018
    LOAD_TILE = 0x020
    LOAD_TARGET = 0x024
    LOAD_ADDRESS = 0x028
    LOAD_COMMIT = 0x02C
    LOAD_DATA = 0x040
    SIZES = 0x080
    COUNTERS = 0x800


class Response(enum.IntEnum):
    """What an access is answered with."""

    OKAY = 0
    SLVERR = 2
    """The register does not take this."""
    DECERR = 3
    """There is no register."""


def configuration_hash(config: FabricConfig) -> int:
    """64 bits by which a driver knows for which fabric an image has to be made."""
    return int.from_bytes(hashlib.sha256(config.to_json().encode()).digest()[:8], "little")


def stream_bits(width: int) -> int:
    """Width of TDATA for a payload of `width` bits: whole bytes."""
    return -(-width // 8) * 8


class Axi4Stream(wiring.Signature):
    """An AXI4-Stream as its source sees it.

    Parameters
    ----------
    width
        Of TDATA, whole bytes.
    last
        With TLAST.
    """

    def __init__(self, width: int, *, last: bool) -> None:
        members = {"tdata": Out(width), "tvalid": Out(1), "tready": In(1)}
        super().__init__(members | ({"tlast": Out(1)} if last else {}))


class Axi4Lite(wiring.Signature):
    """The five channels of AXI4-Lite as the manager sees them, data of `WORD_BITS`."""

    def __init__(self) -> None:
        super().__init__(
            {
                "awaddr": Out(ADDRESS_BITS),
                "awprot": Out(3),
                "awvalid": Out(1),
                "awready": In(1),
                "wdata": Out(WORD_BITS),
                "wstrb": Out(_WORD_BYTES),
                "wvalid": Out(1),
                "wready": In(1),
                "bresp": In(2),
                "bvalid": In(1),
                "bready": Out(1),
                "araddr": Out(ADDRESS_BITS),
                "arprot": Out(3),
                "arvalid": Out(1),
                "arready": In(1),
                "rdata": In(WORD_BITS),
                "rresp": In(2),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )


class RegisterPort(wiring.Component):
    """Turns AXI4-Lite into accesses of one clock each.

    Every output to the bus is a register. Address and data of a write may come in any order.

    Timing: what was accepted in clock n (of a write, the later of the two) is carried out in clock
    n + 1 and answered from clock n + 2 on, if the answer before it was taken. So there is room for
    an access every two clocks. Reads and writes do not wait for each other.

    Members
    -------
    bus : In(Axi4Lite())
    write : Out(1), write_address, write_data : Out
        A write is carried out in this clock.
    write_whole : Out(1)
        It is one of all bytes.
    write_response : In(2)
        Its answer, in the same clock.
    read : Out(1), read_address : Out
        A read is carried out in this clock.
    read_data, read_response : In
        Its answer, in the same clock.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "bus": In(Axi4Lite()),
                "write": Out(1),
                "write_address": Out(ADDRESS_BITS),
                "write_data": Out(WORD_BITS),
                "write_whole": Out(1),
                "write_response": In(2),
                "read": Out(1),
                "read_address": Out(ADDRESS_BITS),
                "read_data": In(WORD_BITS),
                "read_response": In(2),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bus = self.bus
        # `ready` is a register of its own, 0 in reset, so that nothing is accepted there.
        strobes = Signal.like(bus.wstrb)
        address = _held(m, bus.awvalid, bus.awready, self.write, bus.awaddr, self.write_address)
        data = _held(
            m,
            bus.wvalid,
            bus.wready,
            self.write,
            Cat(bus.wdata, bus.wstrb),
            self.write_data,
            strobes,
        )
        m.d.comb += [
            self.write.eq(address & data & (~bus.bvalid | bus.bready)),
            self.write_whole.eq(strobes.all()),
        ]
        with m.If(self.write):
            m.d.sync += [bus.bvalid.eq(1), bus.bresp.eq(self.write_response)]
        with m.Elif(bus.bready):
            m.d.sync += bus.bvalid.eq(0)

        address = _held(m, bus.arvalid, bus.arready, self.read, bus.araddr, self.read_address)
        m.d.comb += self.read.eq(address & (~bus.rvalid | bus.rready))
        with m.If(self.read):
            m.d.sync += [
                bus.rvalid.eq(1),
                bus.rdata.eq(self.read_data),
                bus.rresp.eq(self.read_response),
            ]
        with m.Elif(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        return m


def _held(
    m: Module, valid: Value, ready: Signal, done: Value, payload: Value, *registers: Signal
) -> Signal:
    """Accept `payload` into `registers` and hold it until `done`; gives whether it is held."""
    held = Signal()
    with m.If(held):
        m.d.sync += [held.eq(~done), ready.eq(done)]
    with m.Else():
        taken = valid & ready
        m.d.sync += [held.eq(taken), ready.eq(~taken), Cat(*registers).eq(payload)]
    return held


class FabricRegisters(wiring.Component):
    """The registers of a fabric; which there are is in docs/integration.md.

    Parameters
    ----------
    config
        Sizes of the fabric.

    Members
    -------
    bus : In(Axi4Lite())
    busy, waiting : In(1)
        The bits of STATUS. No load word is taken while `busy`, or in reset.
    counters : In(config.counters)
    load : Out(load_signature(config))
        A load word, in the clock in which LOAD_COMMIT is written.
    reset : Out(1)
        Holds the fabric in reset: CONTROL.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        super().__init__(
            {
                "bus": In(Axi4Lite()),
                "busy": In(1),
                "waiting": In(1),
                "counters": In(struct(config.counters)),
                "load": Out(load_signature(config)),
                "reset": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.port = port = RegisterPort()
        wiring.connect(m, wiring.flipped(self.bus), port.bus)

        word = self.load.word
        # One bit more, so that after the last row there is none.
        row = Signal(len(word.address) + 1)
        m.d.comb += word.address.eq(row)
        stored: dict[int, Value] = {
            Register.CONTROL: self.reset,
            Register.LOAD_TILE: word.tile,
            Register.LOAD_TARGET: word.target,
            Register.LOAD_ADDRESS: row,
        }
        for n, low in enumerate(range(0, len(word.data), WORD_BITS)):
            stored[Register.LOAD_DATA + _WORD_BYTES * n] = word.data[low : low + WORD_BITS]
        counters = self._counters()
        high = Signal(WORD_BITS)  # of the counter that was read last
        readable: dict[int, Value] = {
            **self._constants(),
            **stored,
            **{address: counter[:WORD_BITS] for address, counter in counters.items()},
            **{address + _WORD_BYTES: high for address in counters},
            Register.STATUS: Cat(self.busy, self.waiting),
        }

        with m.Switch(port.read_address[2:]):
            for address, value in readable.items():
                with m.Case(address // _WORD_BYTES):
                    m.d.comb += port.read_data.eq(value)
                    if address in counters:
                        with m.If(port.read):
                            m.d.sync += high.eq(counters[address][WORD_BITS:])
            with m.Default():
                m.d.comb += port.read_response.eq(Response.DECERR)

        taken = Signal()
        ready = Signal()
        m.d.comb += port.write_response.eq(Mux(taken, Response.OKAY, Response.SLVERR))
        with m.Switch(port.write_address[2:]):
            for address, value in stored.items():
                with m.Case(address // _WORD_BYTES):
                    m.d.comb += taken.eq(_fits(port, len(value)))
                    with m.If(port.write & taken):
                        m.d.sync += value.eq(port.write_data)
            with m.Case(Register.LOAD_COMMIT // _WORD_BYTES):
                m.d.comb += [
                    ready.eq(~self.busy & ~self.reset & self._exists(m, row)),
                    taken.eq(port.write_whole & ready),
                    self.load.valid.eq(port.write & taken),
                ]
                with m.If(self.load.valid):
                    m.d.sync += row.eq(row + 1)
            with m.Case(*(address // _WORD_BYTES for address in readable)):
                pass  # Not one of the above: read only.
            with m.Default():
                m.d.comb += port.write_response.eq(Response.DECERR)
        return m

    def _constants(self) -> dict[int, Value]:
        """What a register always reads as."""
        config = self.config
        configuration = configuration_hash(config)
        values = {
            Register.IDENTIFIER: IDENTIFIER,
            Register.VERSION: VERSION,
            Register.CONFIGURATION: configuration % (1 << WORD_BITS),
            Register.CONFIGURATION + _WORD_BYTES: configuration >> WORD_BITS,
            Register.LOAD_COMMIT: 0,
        }
        for n, size in enumerate(dataclasses.astuple(config)):
            values[Register.SIZES + _WORD_BYTES * n] = int(size)
        return {address: Const(value, WORD_BITS) for address, value in values.items()}

    def _counters(self) -> dict[int, Value]:
        """The counters by the address of their low words."""
        addresses: dict[int, str] = {Register.CYCLES: "cycles"}
        for tile, (n, name) in itertools.product(
            range(self.config.tiles), enumerate(TILE_COUNTERS)
        ):
            number = len(TILE_COUNTERS) * tile + n
            addresses[Register.COUNTERS + 2 * _WORD_BYTES * number] = f"{name}.{tile}"
        return {address: self.counters[name] for address, name in addresses.items()}

    def _exists(self, m: Module, row: Signal) -> Value:
        """Whether there is this `row` in the memory that the load word is for."""
        config = self.config
        exists = Signal()
        with m.Switch(self.load.word.target):
            for target, memory in config.built_memories.items():
                with m.Case(target):
                    m.d.comb += exists.eq(row < memory.depth)
        return exists & (self.load.word.tile < config.tiles)


def _fits(port: RegisterPort, width: int) -> Value:
    """Whether a write is one of all bytes, and of no more than `width` bits."""
    return port.write_whole & ((port.write_data >> width) == 0)


class AxiFabric(wiring.Component):
    """A fabric with its streams as AXI4-Stream and all else as registers on AXI4-Lite.

    Timing: the streams go through two places each, one word a clock, and add a clock to the way in
    and a clock to the way out. For the registers see `RegisterPort`. A load word is written in the
    clock in which the commit is carried out, and `tree_depth` clocks later in a mesh.

    Parameters
    ----------
    config
        Sizes of the fabric.

    Members
    -------
    aclk, aresetn : In(1)
        The clock of everything; reset, active low and synchronous.
    s_axis_events : In(Axi4Stream)
        Payloads of `host_in`; bits above are ignored.
    m_axis_packets : Out(Axi4Stream)
        Payloads of `host_out`, bits above 0; TLAST with each STEP packet.
    s_axi : In(Axi4Lite())
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        events, packets = stream_bits(config.host_in.width), stream_bits(config.host_out.width)
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                "s_axis_events": In(Axi4Stream(events, last=False)),
                "m_axis_packets": Out(Axi4Stream(packets, last=True)),
                "s_axi": In(Axi4Lite()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        m.domains.sync = clock = ClockDomain(local=True)
        m.d.comb += [clock.clk.eq(self.aclk), clock.rst.eq(~self.aresetn)]

        reset = Signal()
        fabric = Fabric(config)
        events = fifo.SyncFIFO(width=config.host_in.width, depth=2)
        m.submodules.fabric = ResetInserter(reset)(fabric)
        m.submodules.events = ResetInserter(reset)(events)
        # Not reset with the fabric: what was once offered on the bus stays.
        m.submodules.packets = packets = fifo.SyncFIFO(width=config.host_out.width, depth=2)
        packet = data.View(struct(config.host_out), packets.r_data)
        m.d.comb += [
            events.w_data.eq(self.s_axis_events.tdata),
            events.w_en.eq(self.s_axis_events.tvalid),
            self.s_axis_events.tready.eq(events.w_rdy),
            fabric.host_in.p.eq(events.r_data),
            fabric.host_in.valid.eq(events.r_rdy),
            events.r_en.eq(fabric.host_in.ready),
            packets.w_data.eq(fabric.host_out.p),
            packets.w_en.eq(fabric.host_out.valid),
            fabric.host_out.ready.eq(packets.w_rdy),
            self.m_axis_packets.tdata.eq(packets.r_data),
            self.m_axis_packets.tvalid.eq(packets.r_rdy),
            self.m_axis_packets.tlast.eq(packet.kind == PacketKind.STEP),
            packets.r_en.eq(self.m_axis_packets.tready),
        ]

        # Steps that the fabric has to complete: one more than its input may run ahead at most.
        open_steps = Signal(count_bits(config.slots + 1))
        marked = fabric.host_in.valid & fabric.host_in.ready & fabric.host_in.p.step
        is_step = fabric.host_out.p.kind == PacketKind.STEP
        finished = fabric.host_out.valid & fabric.host_out.ready & is_step
        m.d.sync += open_steps.eq(open_steps + marked - finished)
        with m.If(reset):
            m.d.sync += open_steps.eq(0)

        m.submodules.registers = registers = FabricRegisters(config)
        wiring.connect(m, wiring.flipped(self.s_axi), registers.bus)
        m.d.comb += [
            registers.busy.eq((open_steps != 0) | events.r_rdy),
            registers.waiting.eq(packets.r_rdy),
            registers.counters.eq(fabric.counters),
            reset.eq(registers.reset),
            fabric.load.valid.eq(registers.load.valid),
            fabric.load.p.eq(registers.load.word),
        ]
        return m
