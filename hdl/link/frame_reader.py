"""Frame reader: accepted frames leave the receive buffer."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hdl.link.ports import BODY


class State(enum.Enum, shape=unsigned(3)):
    """Part of a frame that is read.

    A register and no `m.FSM`: a reset takes it to EMPTY from any state, after all other
    transitions.
    """

    EMPTY = 0
    END = 1
    SEQUENCE = 2
    FETCH = 3
    CATCH = 4
    OFFER = 5


class FrameReader(wiring.Component):
    """Reads frames from the ring in which `FrameReceiver` stores them.

    A frame in the ring is: low byte of the address of the next frame, sequence, command, body.

    Timing: a command is at `body` `latency` clocks after its frame was accepted, and the next byte
    3 clocks after one was taken.

    Parameters
    ----------
    buffer
        Bytes of the ring, a power of two, 512 or more.

    Members
    -------
    start : In(range(buffer))
        End of the accepted frames: address of the frame that is being received.
    clear : In(1)
        Drops all frames; `start` becomes 0.
    address : Out(range(buffer))
        Address of the next byte to read.
    data : In(8)
        The byte, one clock later.
    body : Out(stream.Signature(BODY))
        Command and body of the frames.
    """

    def __init__(self, buffer: int) -> None:
        self.buffer = buffer
        super().__init__(
            {
                "start": In(range(buffer)),
                "clear": In(1),
                "address": Out(range(buffer)),
                "data": In(8),
                "body": Out(stream.Signature(BODY)),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from a new `start` to the command."""
        return 5

    def elaborate(self, platform: object) -> Module:
        m = Module()
        state = Signal(State)
        end = Signal(8)  # low byte of the address of the next frame
        next_address = Signal.like(self.address)
        body = self.body
        m.d.comb += [
            next_address.eq(self.address + 1),
            body.valid.eq(state == State.OFFER),
        ]
        with m.Switch(state):
            with m.Case(State.EMPTY):
                # The end is fetched in the clock in which the frame is noticed.
                with m.If(self.address != self.start):
                    m.d.sync += state.eq(State.END)
            with m.Case(State.END):
                m.d.sync += [
                    end.eq(self.data),
                    self.address.eq(next_address),
                    state.eq(State.SEQUENCE),
                ]
            with m.Case(State.SEQUENCE):
                m.d.sync += [self.address.eq(next_address), state.eq(State.FETCH)]
            with m.Case(State.FETCH):
                m.d.sync += state.eq(State.CATCH)
            with m.Case(State.CATCH):
                m.d.sync += [
                    body.p.data.eq(self.data),
                    body.p.last.eq(next_address[:8] == end),
                    self.address.eq(next_address),
                    state.eq(State.OFFER),
                ]
            with m.Case(State.OFFER):
                with m.If(body.ready):
                    m.d.sync += state.eq(Mux(body.p.last, State.EMPTY, State.FETCH))
        with m.If(self.clear):
            m.d.sync += [self.address.eq(0), state.eq(State.EMPTY)]
        return m
