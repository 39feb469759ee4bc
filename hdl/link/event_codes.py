"""Event codes: the bytes of EVENTS become events and step marks."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.link import MASK_POSITIONS, EventCode
from spikeloom.golden.spec import FabricConfig, index_bits
from spikeloom.hdl.common.shapes import struct


class EventCodes(wiring.Component):
    """Decodes a stream of codes; see docs/link.md.

    The decoder steps through the positions one by one, so an image position needs no division.

    Timing: 1 clock for each byte, 1 for each position passed, and 2 more for each event or mark
    that the fabric takes at once. A mark is valid `latency` clocks after its byte was taken.

    Parameters
    ----------
    config
        Sizes of the fabric.

    Members
    -------
    codes : In(stream.Signature(8))
        The codes.
    host_in : Out(stream.Signature(config.host_in))
        Events and step marks.
    idle : Out(1)
        All bytes taken were executed, or wait for the rest of their code.
    fault : Out(1)
        A code was invalid; the decoder has stopped.
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

    @property
    def latency(self) -> int:
        """Clocks from the byte of a step mark to the mark."""
        return 1

    def _amount(self, m: Module) -> list[Signal]:
        """Registers for what events of the current entry count."""
        word = self.host_in.p
        fields = [Signal.like(word[name], name=name) for name, _ in self.config.amount]
        for (name, _), field in zip(self.config.amount, fields, strict=True):
            m.d.comb += word[name].eq(field)
        return fields

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        code = self.codes.payload
        word = self.host_in.p

        # The current entry and position.
        route = Signal.like(word.route)
        connection = Signal.like(word.connection)
        ahead = Signal.like(word.ahead)
        index = Signal.like(word.index)
        operand = Signal(3 + (len(config.amount) > 0))
        # Operand bytes in order: the field of each, and its lowest bit there.
        operands = [(route, 0), (route, 8), (connection, 0), (connection, 8), (ahead, 0)]
        restart = Signal()
        advance = Signal()
        coordinates = []
        if config.images:
            bits = index_bits(config.extent)
            y = Signal(bits)
            x = Signal(bits)
            last_y = Signal(bits)
            last_x = Signal(bits)
            operands += [(last_y, 0), (last_x, 0)]
            m.d.comb += [word.y.eq(y), word.x.eq(x)]
            coordinates = [(x, last_x), (y, last_y)]
        operands += [(field, 0) for field in self._amount(m)]
        carry = advance
        for coordinate, last in coordinates:
            with m.If(carry):
                m.d.sync += coordinate.eq(Mux(coordinate == last, 0, coordinate + 1))
            with m.If(restart):
                m.d.sync += coordinate.eq(0)
            carry = carry & (coordinate == last)
        with m.If(carry):
            m.d.sync += index.eq(index + 1)
        with m.If(restart):
            m.d.sync += index.eq(0)

        # The rest of the current code: this position and `remaining` more. Those set in `pattern`
        # have an event if it is a mask, else the last one if `pattern` is 1.
        pattern = Signal(MASK_POSITIONS)
        is_mask = Signal()
        is_mark = Signal()
        remaining = Signal(8)
        has_event = Signal()
        m.d.comb += [
            has_event.eq(pattern[0] & (is_mask | (remaining == 0))),
            word.step.eq(is_mark),
            word.first.eq(pattern[4]),
            word.ahead.eq(Mux(is_mark, pattern[:4], ahead)),
            word.route.eq(route),
            word.connection.eq(connection),
            word.index.eq(index),
        ]
        with m.FSM() as fsm:
            takes_byte = fsm.ongoing("CODE") | fsm.ongoing("ENTRY") | fsm.ongoing("SKIP")
            with m.State("CODE"):
                m.d.sync += [
                    operand.eq(0),
                    is_mask.eq(code[7]),
                    is_mark.eq(~code[7] & ~code[6]),
                    pattern.eq(Mux(code[7] | ~code[6], code, 1)),
                    remaining.eq(Mux(code[7], MASK_POSITIONS - 1, code[:6])),
                ]
                with m.If(self.codes.valid):
                    with m.Switch(code):
                        with m.Case("1-------", "01------"):
                            m.next = "WALK"
                        with m.Case("001-----"):
                            m.next = "PRESENT"
                        with m.Case(EventCode.SKIP):
                            m.next = "SKIP"
                        with m.Case(EventCode.ENTRY):
                            m.d.comb += restart.eq(1)
                            m.next = "ENTRY"
                        with m.Case(EventCode.AGAIN):
                            m.d.comb += restart.eq(1)
                        with m.Default():
                            m.next = "FAULT"
            with m.State("ENTRY"):
                with m.If(self.codes.valid):
                    m.d.sync += operand.eq(operand + 1)
                    with m.Switch(operand):
                        for number, (field, low) in enumerate(operands):
                            if low < len(field):
                                with m.Case(number):
                                    m.d.sync += field[low : low + 8].eq(code)
                    with m.If(operand == len(operands) - 1):
                        m.next = "CODE"
            with m.State("SKIP"):
                m.d.sync += [pattern.eq(0), is_mark.eq(0), remaining.eq(code)]
                with m.If(self.codes.valid):
                    m.next = "WALK"
            with m.State("WALK"):
                with m.If(has_event):
                    m.next = "PRESENT"
                with m.Else():
                    m.d.comb += advance.eq(1)
                    m.d.sync += remaining.eq(remaining - 1)
                    with m.If(is_mask):
                        m.d.sync += pattern.eq(pattern >> 1)
                    with m.If(remaining == 0):
                        m.next = "CODE"
            with m.State("PRESENT"):
                with m.If(self.host_in.ready):
                    m.d.sync += pattern[0].eq(0)
                    with m.If(is_mark):
                        m.next = "CODE"
                    with m.Else():
                        m.next = "WALK"
            with m.State("FAULT"):
                pass
        m.d.comb += [
            self.codes.ready.eq(takes_byte),
            self.idle.eq(takes_byte),
            self.fault.eq(fsm.ongoing("FAULT")),
            self.host_in.valid.eq(fsm.ongoing("PRESENT")),
        ]
        return m
