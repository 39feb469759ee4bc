"""Event codes: the bytes of EVENTS become events and step marks."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.link import MASK_POSITIONS, EventCode
from spikeloom.golden.spec import FabricConfig, index_bits
from spikeloom.hdl.common.shapes import struct


class State(enum.Enum, shape=unsigned(3)):
    """What the decoder does."""

    CODE = 0
    ENTRY = 1
    SKIP = 2
    WALK = 3
    PRESENT = 4
    FAULT = 5


class EventCodes(wiring.Component):
    """Decodes a stream of codes; see docs/link.md.

    It goes from position to position, so that a place in an image needs no division.

    Timing: 1 clock for each position passed, 2 more for each event or mark that the fabric takes at
    once, and 1 for each byte.

    Parameters
    ----------
    config
        Sizes of the fabric.

    Members
    -------
    codes : In(stream.Signature(8))
    host_in : Out(stream.Signature(config.host_in))
    idle : Out(1)
        Everything that was taken is done, or waits for more bytes.
    fault : Out(1)
        A code was none. Nothing happens any more.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        super().__init__(
            {
                "codes": In(stream.Signature(8)),
                "host_in": Out(stream.Signature(struct(config.host_in))),
                "idle": Out(1),
                "fault": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        state = Signal(State)
        code = self.codes.payload
        word = self.host_in.p

        # The current entry and position.
        route = Signal.like(word.route)
        connection = Signal.like(word.connection)
        ahead = Signal.like(word.ahead)
        index = Signal.like(word.index)
        operand = Signal(3)
        # Operand bytes in their order, and the bits of a field that each holds.
        operands = [(route, 0), (route, 8), (connection, 0), (connection, 8), (ahead, 0)]
        restart, advance = Signal(), Signal()
        nexts = []
        if config.images:
            bits = index_bits(config.extent)
            y, x, last_y, last_x = Signal(bits), Signal(bits), Signal(bits), Signal(bits)
            operands += [(last_y, 0), (last_x, 0)]
            m.d.comb += [word.y.eq(y), word.x.eq(x)]
            nexts = [(x, last_x), (y, last_y)]
        moves = advance
        for coordinate, last in nexts:
            with m.If(moves):
                m.d.sync += coordinate.eq(Mux(coordinate == last, 0, coordinate + 1))
            with m.If(restart):
                m.d.sync += coordinate.eq(0)
            moves = moves & (coordinate == last)
        with m.If(moves):
            m.d.sync += index.eq(index + 1)
        with m.If(restart):
            m.d.sync += index.eq(0)

        # What the present code still says: `left` positions after this one, of which those in
        # `pattern` (a mask), or the last (a single one), have an event.
        pattern = Signal(MASK_POSITIONS)
        is_mask, is_mark = Signal(), Signal()
        left = Signal(8)
        present = Signal()
        m.d.comb += [
            present.eq(pattern[0] & (is_mask | (left == 0))),
            self.codes.ready.eq(
                (state == State.CODE) | (state == State.ENTRY) | (state == State.SKIP)
            ),
            self.idle.eq(self.codes.ready),
            self.fault.eq(state == State.FAULT),
            self.host_in.valid.eq(state == State.PRESENT),
            word.step.eq(is_mark),
            word.first.eq(pattern[4]),
            word.ahead.eq(Mux(is_mark, pattern[:4], ahead)),
            word.route.eq(route),
            word.connection.eq(connection),
            word.index.eq(index),
        ]
        with m.Switch(state):
            with m.Case(State.CODE):
                m.d.sync += [
                    operand.eq(0),
                    is_mask.eq(code[7]),
                    is_mark.eq(~code[7] & ~code[6]),
                    pattern.eq(Mux(code[7] | ~code[6], code, 1)),
                    left.eq(Mux(code[7], MASK_POSITIONS - 1, code[:6])),
                ]
                with m.If(self.codes.valid):
                    with m.Switch(code):
                        with m.Case("1-------", "01------"):
                            m.d.sync += state.eq(State.WALK)
                        with m.Case("001-----"):
                            m.d.sync += state.eq(State.PRESENT)
                        with m.Case(EventCode.SKIP):
                            m.d.sync += state.eq(State.SKIP)
                        with m.Case(EventCode.ENTRY):
                            m.d.comb += restart.eq(1)
                            m.d.sync += state.eq(State.ENTRY)
                        with m.Case(EventCode.AGAIN):
                            m.d.comb += restart.eq(1)
                        with m.Default():
                            m.d.sync += state.eq(State.FAULT)
            with m.Case(State.ENTRY):
                with m.If(self.codes.valid):
                    m.d.sync += operand.eq(operand + 1)
                    with m.Switch(operand):
                        for number, (field, low) in enumerate(operands):
                            if low < len(field):
                                with m.Case(number):
                                    m.d.sync += field[low : low + 8].eq(code)
                    with m.If(operand == len(operands) - 1):
                        m.d.sync += state.eq(State.CODE)
            with m.Case(State.SKIP):
                m.d.sync += [pattern.eq(0), is_mark.eq(0), left.eq(code)]
                with m.If(self.codes.valid):
                    m.d.sync += state.eq(State.WALK)
            with m.Case(State.WALK):
                with m.If(present):
                    m.d.sync += state.eq(State.PRESENT)
                with m.Else():
                    m.d.comb += advance.eq(1)
                    m.d.sync += left.eq(left - 1)
                    with m.If(is_mask):
                        m.d.sync += pattern.eq(pattern >> 1)
                    with m.If(left == 0):
                        m.d.sync += state.eq(State.CODE)
            with m.Case(State.PRESENT):
                with m.If(self.host_in.ready):
                    m.d.sync += [pattern[0].eq(0), state.eq(Mux(is_mark, State.CODE, State.WALK))]
        return m
