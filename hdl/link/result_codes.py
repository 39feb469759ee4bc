"""Result codes: packets of the fabric become the bytes of RESULTS."""

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.link import MASK, MASK_POSITIONS, SINGLE, ResultCode, whole_bytes
from spikeloom.golden.spec import FabricConfig, PacketKind
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.link.packet_distance import SKIP_BITS, PacketDistance

CLOCK_BITS = 32
"""Bits of the clock that is sent with each step."""


class ResultCodes(wiring.Component):
    """Encodes packets as codes; see docs/link.md.

    A spike less than `MASK_POSITIONS` positions ahead of the cursor goes into a mask, which is sent
    before the code of the first packet that does not fit in.

    Timing: 1 clock to take a packet, 3 for a packet that goes into a mask and for each code, and 1
    for each byte. A packet is taken when all codes before its own were. A STEP packet without a
    mask before it is at `codes` `latency` clocks after it was taken.

    Parameters
    ----------
    config
        Sizes of the fabric.

    Members
    -------
    packets : In(stream.Signature(config.host_out))
        Packets of the fabric.
    clock : In(32)
        Clock that is sent with a step.
    codes : Out(stream.Signature(8))
        The codes.
    idle : Out(1)
        No packet and no code waits.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        super().__init__(
            {
                "packets": In(stream.Signature(struct(config.host_out))),
                "clock": In(CLOCK_BITS),
                "codes": Out(stream.Signature(8)),
                "idle": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from a STEP packet to its code."""
        return 4

    @property
    def _values(self) -> list[tuple[PacketKind, ResultCode, int]]:
        """The kinds of packets of which a value is sent, with their codes and bytes of it."""
        config = self.config
        size = whole_bytes(config.state_bits)
        values = [(PacketKind.STATE, ResultCode.STATE, size)]
        if config.amount:
            values.append((PacketKind.SPIKE, ResultCode.SPIKE, 1))
        if config.traces and config.synaptic_current:
            values.append((PacketKind.CURRENT, ResultCode.CURRENT, size))
        return values

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        # The packet has a register, so that `ready` depends on registers alone.
        packet = Signal.like(self.packets.p)
        held = Signal()
        clock = Signal(CLOCK_BITS)  # when it was taken
        encoded = Signal()  # its last code starts in this clock, or it goes into the mask

        # State of the host's decoder. `position` is 0 without images.
        m.submodules.distance = distance = PacketDistance(config)
        population = Signal.like(packet.population)
        position = Signal.like(distance.position)
        cursor = Signal.like(distance.cursor)
        mask = Signal(MASK_POSITIONS)
        m.d.comb += [
            distance.packet.eq(packet),
            distance.population.eq(population),
            distance.position.eq(position),
            distance.cursor.eq(cursor),
        ]

        # A code, and the bytes after it.
        code = Signal(8)
        operand = Signal(CLOCK_BITS)
        remaining = Signal(range(CLOCK_BITS // 8 + 1))

        def send(first: Value | int, following: Value | int = 0, count: int = 0) -> None:
            m.d.sync += [code.eq(first), operand.eq(following), remaining.eq(count)]
            m.next = "SEND"

        # One adder for all moves of the cursor, in the clock after the decision.
        base = Signal.like(cursor)
        step = Signal.like(cursor)
        moves = Signal()
        m.d.sync += moves.eq(0)
        with m.If(moves):
            m.d.sync += cursor.eq(base + step)

        def move(start: Value, further: int) -> None:
            m.d.sync += [base.eq(start), step.eq(further), moves.eq(1)]

        with m.If(encoded):
            m.d.sync += held.eq(0)
        is_spike = distance.kind == PacketKind.SPIKE
        if config.amount:  # a position is a spike that counts 1
            is_spike = is_spike & (packet.value == 1)
        with m.FSM() as fsm:
            with m.State("TAKE"):
                m.d.sync += [packet.eq(self.packets.p), clock.eq(self.clock), held.eq(1)]
                with m.If(self.packets.valid):
                    m.next = "LOOK"
            with m.State("LOOK"):
                m.next = "JUDGE"
            with m.State("JUDGE"):
                m.next = "DECIDE"
            with m.State("DECIDE"):
                fits = distance.ahead & distance.in_mask & ~(mask & distance.bit).any()
                with m.If(is_spike & fits):
                    m.d.comb += encoded.eq(1)
                    m.d.sync += mask.eq(mask | distance.bit)
                    m.next = "TAKE"
                with m.Elif(mask != 0):
                    send(MASK | mask)
                    move(cursor, MASK_POSITIONS)
                    m.d.sync += mask.eq(0)
                with m.Elif(distance.kind == PacketKind.STEP):
                    m.d.comb += encoded.eq(1)
                    send(ResultCode.STEP, clock, CLOCK_BITS // 8)
                with m.Elif(~distance.ahead):
                    send(ResultCode.POPULATION, packet.population, 2)
                    move(Const(0), 0)
                    m.d.sync += [population.eq(packet.population), position.eq(0)]
                    if config.images:
                        with m.If(distance.same_population):
                            padded = (
                                Cat(packet[name], Const(0, 8))[:8] for name, _ in config.position
                            )
                            send(ResultCode.PLACE, Cat(padded), 2)
                            m.d.sync += position.eq(distance.packet_position)
                with m.Elif(is_spike & distance.in_single):
                    m.d.comb += encoded.eq(1)
                    send(SINGLE | distance.distance[:6])
                    move(packet.index, 1)
                for kind, result, size in self._values:
                    with m.Elif((distance.kind == kind) & distance.exact):
                        m.d.comb += encoded.eq(1)
                        send(result, packet.value, size)
                        if kind != PacketKind.CURRENT:  # else the neuron's STATE packet follows
                            move(packet.index, 1)
                with m.Elif(distance.in_skip):
                    send(ResultCode.SKIP, (distance.distance - 1)[:SKIP_BITS], 1)
                    move(packet.index, 0)
                with m.Else():
                    send(ResultCode.SKIP, (1 << SKIP_BITS) - 1, 1)
                    move(cursor, 1 << SKIP_BITS)
            with m.State("SEND"):
                with m.If(self.codes.ready):
                    m.d.sync += [
                        code.eq(operand[:8]),
                        operand.eq(operand >> 8),
                        remaining.eq(remaining - 1),
                    ]
                    with m.If(remaining == 0):
                        with m.If(held):
                            m.next = "LOOK"
                        with m.Else():
                            m.next = "TAKE"
        m.d.comb += [
            self.codes.valid.eq(fsm.ongoing("SEND")),
            self.codes.payload.eq(code),
            self.packets.ready.eq(fsm.ongoing("TAKE")),
            self.idle.eq(fsm.ongoing("TAKE") & ~self.packets.valid),
        ]
        return m
