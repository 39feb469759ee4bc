"""Result codes: packets of the fabric become the bytes of RESULTS."""

from amaranth import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.link import (
    MASK,
    MASK_POSITIONS,
    SINGLE,
    SINGLE_REACH,
    ResultCode,
    whole_bytes,
)
from spikeloom.golden.spec import FabricConfig, PacketKind
from spikeloom.hdl.common.shapes import struct

CLOCK_BITS = 32
"""Bits of a clock that are said."""
SKIP_BITS = 8


class State(enum.Enum, shape=unsigned(3)):
    """What the encoder does."""

    TAKE = 0
    LOOK = 1
    JUDGE = 2
    DECIDE = 3
    SEND = 4


class ResultCodes(wiring.Component):
    """Encodes packets as codes; see docs/link.md.

    A spike within the `MASK_POSITIONS` positions from the cursor on goes into a mask, which is sent
    before whatever does not.

    Timing: a clock to take a packet, 3 for a packet that goes into a mask and for each code, and 1
    for each byte. A packet is taken when all codes before its own were.

    Parameters
    ----------
    config
        Sizes of the fabric.

    Members
    -------
    packets : In(stream.Signature(config.host_out))
    clock : In(32)
        The time that is said of a step.
    codes : Out(stream.Signature(8))
    idle : Out(1)
        No packet waits, and no code.
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

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        # The packet in hand, so that whether the next one is taken depends on a register alone.
        packet = Signal.like(self.packets.p)
        held = Signal()
        at = Signal(CLOCK_BITS)  # when it was taken
        said = Signal()  # in this clock its last code is begun, or it goes into the mask

        # What the host knows. The cursor can be up to `MASK_POSITIONS` behind the last index; it
        # has room for a skip, too.
        population = Signal.like(packet.population)
        place = Signal(sum(width for _, width in config.position) or 1)  # 0 without images
        cursor = Signal(max(config.index_width, SKIP_BITS) + 1)
        mask = Signal(MASK_POSITIONS)

        # LOOK: how the packet lies to that.
        state = Signal(State)
        kind = Signal(PacketKind)
        distance = Signal(len(cursor) + 1)
        packet_place = (
            Cat(packet[name] for name, _ in config.position) if config.images else Const(0)
        )
        same_population, same_place = Signal(), Signal()
        m.d.sync += [
            kind.eq(packet.kind),
            distance.eq(packet.index - cursor),
            same_population.eq(packet.population == population),
            same_place.eq(packet_place == place),
        ]

        # A code, and the bytes behind it.
        code = Signal(8)
        operand = Signal(CLOCK_BITS)
        more = Signal(range(CLOCK_BITS // 8 + 1))

        def send(first: Value | int, following: Value | int = 0, count: int = 0) -> None:
            m.d.sync += [
                code.eq(first),
                operand.eq(following),
                more.eq(count),
                state.eq(State.SEND),
            ]

        # One adder for all ways in which the cursor moves, a clock after it was decided.
        base, step, moves = Signal.like(cursor), Signal.like(cursor), Signal()
        m.d.sync += moves.eq(0)
        with m.If(moves):
            m.d.sync += cursor.eq(base + step)

        def move(start: Value, further: int) -> None:
            m.d.sync += [base.eq(start), step.eq(further), moves.eq(1)]

        # JUDGE: what follows from the distance.
        here, near, reached, exact, skipped = (Signal() for _ in range(5))
        bit = Signal(MASK_POSITIONS)
        m.d.sync += [
            here.eq(same_population & same_place & ~distance[-1]),
            near.eq(distance < MASK_POSITIONS),
            reached.eq(distance <= SINGLE_REACH),
            exact.eq(distance == 0),
            skipped.eq(distance < 1 << SKIP_BITS),
            bit.eq(1 << distance[:3]),
        ]
        m.d.comb += [
            self.codes.valid.eq(state == State.SEND),
            self.codes.payload.eq(code),
            self.packets.ready.eq(state == State.TAKE),
            self.idle.eq((state == State.TAKE) & ~self.packets.valid),
        ]
        with m.If(said):
            m.d.sync += held.eq(0)
        with m.Switch(state):
            with m.Case(State.TAKE):
                m.d.sync += [packet.eq(self.packets.p), at.eq(self.clock), held.eq(1)]
                with m.If(self.packets.valid):
                    m.d.sync += state.eq(State.LOOK)
            with m.Case(State.LOOK):
                m.d.sync += state.eq(State.JUDGE)
            with m.Case(State.JUDGE):
                m.d.sync += state.eq(State.DECIDE)
            with m.Case(State.DECIDE):
                with m.If((kind == PacketKind.SPIKE) & here & near & ~(mask & bit).any()):
                    m.d.comb += said.eq(1)
                    m.d.sync += [mask.eq(mask | bit), state.eq(State.TAKE)]
                with m.Elif(mask != 0):
                    send(MASK | mask)
                    move(cursor, MASK_POSITIONS)
                    m.d.sync += mask.eq(0)
                with m.Elif(kind == PacketKind.STEP):
                    m.d.comb += said.eq(1)
                    send(ResultCode.STEP, at, CLOCK_BITS // 8)
                with m.Elif(~here):
                    send(ResultCode.POPULATION, packet.population, 2)
                    move(Const(0), 0)
                    m.d.sync += [population.eq(packet.population), place.eq(0)]
                    if config.images:
                        with m.If(same_population):
                            padded = (
                                Cat(packet[name], Const(0, 8))[:8] for name, _ in config.position
                            )
                            send(ResultCode.PLACE, Cat(padded), 2)
                            m.d.sync += place.eq(packet_place)
                with m.Elif((kind == PacketKind.SPIKE) & reached):
                    m.d.comb += said.eq(1)
                    send(SINGLE | distance[:6])
                    move(packet.index, 1)
                with m.Elif((kind == PacketKind.STATE) & exact):
                    m.d.comb += said.eq(1)
                    send(ResultCode.STATE, packet.value, whole_bytes(config.state_bits))
                    move(packet.index, 1)
                with m.Elif(skipped):
                    send(ResultCode.SKIP, (distance - 1)[:SKIP_BITS], 1)
                    move(packet.index, 0)
                with m.Else():
                    send(ResultCode.SKIP, (1 << SKIP_BITS) - 1, 1)
                    move(cursor, 1 << SKIP_BITS)
            with m.Case(State.SEND):
                with m.If(self.codes.ready):
                    m.d.sync += [
                        code.eq(operand[:8]),
                        operand.eq(operand >> 8),
                        more.eq(more - 1),
                    ]
                    with m.If(more == 0):
                        m.d.sync += state.eq(Mux(held, State.LOOK, State.TAKE))
        return m
