"""Frame receiver: bytes of the line in, bodies of whole and expected frames out."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.link import CRC_BYTES, HOST_HEADER, LARGEST, Command, Refusal
from spikeloom.hdl.common.shapes import memory
from spikeloom.hdl.link.checksum import Checksum

BYTE = data.StructLayout({"data": unsigned(8), "last": unsigned(1)})
"""A byte of a body, which `last` ends."""

SMALLEST = HOST_HEADER + CRC_BYTES


class Reader(enum.Enum, shape=unsigned(3)):
    """Where in a frame of the ring the reader is."""

    EMPTY = 0
    END = 1
    SEQUENCE = 2
    FETCH = 3
    CATCH = 4
    OFFER = 5


class FrameReceiver(wiring.Component):
    """Keeps what was received whole and in order, until it is read.

    The bytes of a frame are written into a ring behind those accepted before, and belong to it
    only when the frame is accepted at its end. The first, the session, is then replaced by the
    place of the next frame, and its CRC is given up.

    Timing: an accepted frame's command is at `body` 8 clocks after its delimiter, and the next byte
    3 clocks after one was taken. Refusals and resets are said 2 clocks after the delimiter. Bytes
    of the line come 12 clocks apart at least.

    Parameters
    ----------
    buffer
        Bytes of the ring, a power of two, 512 or more.

    Members
    -------
    valid : In(1), data : In(8)
        From the line.
    body : Out(stream.Signature(BYTE))
        Command and body of the accepted frames.
    session, expected : Out(8)
        Numbers of the session and of the frame to be accepted next.
    before : Out(8)
        Number of the session before.
    reset : Out(1)
        In one clock: a session begins in the next.
    refused : Out(1), reason : Out(Refusal)
        In one clock: a frame was refused, the first since one was accepted.
    repeated : Out(1)
        In one clock: a frame came that was accepted before.
    """

    def __init__(self, buffer: int) -> None:
        self.buffer = buffer
        super().__init__(
            {
                "valid": In(1),
                "data": In(8),
                "body": Out(stream.Signature(BYTE)),
                "session": Out(8),
                "expected": Out(8, init=1),
                "before": Out(8),
                "reset": Out(1),
                "refused": Out(1),
                "reason": Out(3),
                "repeated": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.ring = ring = memory(unsigned(8), self.buffer)
        write, read = ring.write_port(), ring.read_port()
        start = Signal(range(self.buffer))  # of the frame that is being received
        place = Signal(range(self.buffer))  # of the reader

        # COBS: the first byte, and each after a whole block, says where the next such byte stands;
        # all but the first stand for a 0. `count` is that of decoded bytes, -1 before the first.
        count = Signal(8, init=-1)
        block_end = Signal(8, init=-1)
        begun, too_long = Signal(), Signal()
        opens = Signal(init=1)  # the byte is such a byte
        comes, decoded = Signal(), Signal()
        byte = Signal(8)
        ends = Signal()
        # Between two bytes there is time for a register: here, and behind `address` and `meets`.
        m.d.sync += opens.eq(count == block_end)
        m.d.comb += [
            byte.eq(Mux(opens, 0, self.data)),
            comes.eq(self.valid & (self.data != 0) & ~too_long),
            decoded.eq(comes & begun),
            ends.eq(self.valid & (self.data == 0) & begun),
        ]
        with m.If(comes):
            m.d.sync += [
                begun.eq(1),
                count.eq(count + 1),
                too_long.eq(begun & (count == LARGEST)),
            ]
            with m.If(opens):
                m.d.sync += block_end.eq(count + self.data)

        # What is known of the frame so far. In a ring that is not full a frame meets the reader
        # only after its first byte.
        m.submodules.checksum = checksum = Checksum()
        address = Signal(range(self.buffer))
        incoming = Signal(8)
        is_reset, known, following, repeated = Signal(), Signal(), Signal(), Signal()
        ahead = Signal(8)
        no_room = Signal()
        meets = Signal()
        m.d.sync += [
            address.eq(start + count),
            meets.eq((address == place) & (count != 0)),
        ]
        m.d.comb += [
            ahead.eq(byte - self.expected),
            checksum.valid.eq(decoded),
            checksum.data.eq(byte),
        ]
        with m.If(decoded):
            with m.Switch(count):
                with m.Case(0):
                    m.d.sync += [incoming.eq(byte), known.eq(byte == self.session)]
                with m.Case(1):
                    m.d.sync += [following.eq(ahead == 0), repeated.eq(ahead[-1])]
                with m.Case(2):
                    m.d.sync += is_reset.eq(byte == Command.RESET)
            with m.If(meets):
                m.d.sync += no_room.eq(1)

        # The end of a frame: judged in one clock, and accepted in the next.
        judge, accept = Signal(), Signal()
        whole = Signal()
        silent = Signal()  # until a frame is accepted
        m.d.sync += [
            judge.eq(ends),
            whole.eq(checksum.match & opens & (count >= SMALLEST) & ~too_long),
            accept.eq(0),
            self.reset.eq(0),
            self.refused.eq(0),
            self.repeated.eq(0),
        ]

        def refuse(reason: Refusal) -> None:
            m.d.sync += [self.refused.eq(~silent), self.reason.eq(reason), silent.eq(1)]

        with m.If(judge):
            with m.If(~whole):
                refuse(Refusal.CORRUPT)
            with m.Elif(is_reset):
                m.d.sync += [
                    self.reset.eq(1),
                    self.before.eq(self.session),
                    self.session.eq(incoming),
                    self.expected.eq(1),
                    silent.eq(0),
                ]
            with m.Elif(~known):
                refuse(Refusal.SESSION)
            with m.Elif(repeated):
                m.d.sync += self.repeated.eq(1)
            with m.Elif(~following):
                refuse(Refusal.MISSING)
            with m.Elif(no_room | meets):
                refuse(Refusal.ROOM)
            with m.Else():
                m.d.sync += [accept.eq(1), self.expected.eq(self.expected + 1), silent.eq(0)]
        # What follows the body is of no use any more: the next frame is written over the CRC.
        over = Signal()
        following_start = Signal(range(self.buffer))
        m.d.comb += following_start.eq(address - CRC_BYTES)
        m.d.sync += over.eq(judge)
        with m.If(over):
            m.d.sync += [
                count.eq(-1),
                block_end.eq(-1),
                begun.eq(0),
                too_long.eq(0),
                no_room.eq(0),
            ]
        with m.If(accept):
            m.d.sync += start.eq(following_start)
        m.d.comb += [
            checksum.start.eq(over),
            write.en.eq(decoded & ~meets & ~no_room | accept),
            write.addr.eq(Mux(accept, start, address)),
            write.data.eq(Mux(accept, following_start[:8], byte)),
        ]

        # The reader.
        state = Signal(Reader)
        end = Signal(8)  # the lower bits of the place of the next frame
        next_place = Signal.like(place)
        body = self.body
        m.d.comb += [
            read.addr.eq(place),
            next_place.eq(place + 1),
            body.valid.eq(state == Reader.OFFER),
        ]
        with m.Switch(state):
            with m.Case(Reader.EMPTY):
                # The end is read while it is seen that there is a frame.
                with m.If(place != start):
                    m.d.sync += state.eq(Reader.END)
            with m.Case(Reader.END):
                m.d.sync += [end.eq(read.data), place.eq(next_place), state.eq(Reader.SEQUENCE)]
            with m.Case(Reader.SEQUENCE):
                m.d.sync += [place.eq(next_place), state.eq(Reader.FETCH)]
            with m.Case(Reader.FETCH):
                m.d.sync += state.eq(Reader.CATCH)
            with m.Case(Reader.CATCH):
                m.d.sync += [
                    body.p.data.eq(read.data),
                    body.p.last.eq(next_place[:8] == end),
                    place.eq(next_place),
                    state.eq(Reader.OFFER),
                ]
            with m.Case(Reader.OFFER):
                with m.If(body.ready):
                    m.d.sync += state.eq(Mux(body.p.last, Reader.EMPTY, Reader.FETCH))
        with m.If(self.reset):
            m.d.sync += [start.eq(0), place.eq(0), state.eq(Reader.EMPTY)]
        return m
