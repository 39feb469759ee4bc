"""A fabric behind AXI4-Stream and AXI4-Lite."""

from amaranth import ClockDomain, Module, ResetInserter, Signal
from amaranth.lib import data, fifo, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import FabricConfig, PacketKind, count_bits
from spikeloom.hdl.axi.buses import Axi4Lite, Axi4Stream, stream_bits
from spikeloom.hdl.axi.registers import FabricRegisters
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.fabric import Fabric


class AxiFabric(wiring.Component):
    """A fabric with its streams as AXI4-Stream, and everything else as registers on AXI4-Lite.

    Timing: each stream passes a queue of two entries, which adds one clock and carries one word
    per clock. For the registers see `RegisterPort`. A load word is written in the clock in
    which the commit is carried out, in a mesh `tree_depth` clocks later.

    Parameters
    ----------
    config
        Sizes of the fabric.

    Members
    -------
    aclk : In(1)
        The only clock.
    aresetn : In(1)
        Reset, active low and synchronous.
    s_axis_events : In(Axi4Stream(stream_bits(config.host_in.width), last=False))
        Payloads of `host_in`; bits above are ignored.
    m_axis_packets : Out(Axi4Stream(stream_bits(config.host_out.width), last=True))
        Payloads of `host_out`, bits above 0; TLAST with each STEP packet.
    s_axi : In(Axi4Lite())
        The registers.
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
        fabric = Fabric(config, status=True)
        events = fifo.SyncFIFO(width=config.host_in.width, depth=2)
        m.submodules.fabric = ResetInserter(reset)(fabric)
        m.submodules.events = ResetInserter(reset)(events)
        # Not reset with the fabric: the bus requires that an offered packet stays.
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

        # Steps that the fabric has not completed: at most one more than its input may run ahead.
        open_steps = Signal(count_bits(config.slots + 1))
        word = fabric.host_in.p
        taken = fabric.host_in.valid & fabric.host_in.ready
        marked = taken & word.step
        is_step = fabric.host_out.p.kind == PacketKind.STEP
        finished = fabric.host_out.valid & fabric.host_out.ready & is_step
        m.d.sync += open_steps.eq(open_steps + marked - finished)
        # Step marks until no event is due in a step that is still to come.
        marks_due = Signal(range((1 << config.slot_width) + 1))
        with m.If(taken & ~word.step & (marks_due <= word.ahead)):
            m.d.sync += marks_due.eq(word.ahead + 1)
        with m.If(marked & (marks_due != 0)):
            m.d.sync += marks_due.eq(marks_due - 1)
        with m.If(reset):
            m.d.sync += [open_steps.eq(0), marks_due.eq(0)]

        m.submodules.registers = registers = FabricRegisters(config)
        wiring.connect(m, wiring.flipped(self.s_axi), registers.bus)
        m.d.comb += [
            registers.busy.eq(
                (open_steps != 0) | (marks_due != 0) | events.r_rdy | fabric.occupied
            ),
            registers.waiting.eq(packets.r_rdy),
            registers.counters.eq(fabric.counters),
            reset.eq(registers.reset),
            fabric.load.valid.eq(registers.load.valid),
            fabric.load.p.eq(registers.load.word),
        ]
        return m
