"""Loader: the bytes of LOAD become words of the load port; and the counters become bytes."""

from amaranth import Array, Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.link import Fault, whole_bytes
from spikeloom.golden.spec import TILE_COUNTERS, FabricConfig, index_bits
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.link.frame_receiver import BYTE
from spikeloom.hdl.link.row_address import PLACE, keep_place


class State(enum.Enum, shape=unsigned(2)):
    """Where in a body the loader is."""

    HEAD = 0
    ROW = 1
    ALIGN = 2
    WRITE = 3


def counter_bytes(config: FabricConfig) -> int:
    """Bytes of COUNTERS: tile, `cycles`, and the counters of the tile."""
    return 1 + (1 + len(TILE_COUNTERS)) * whole_bytes(config.counter_bits)


class Loader(wiring.Component):
    """Gathers rows in a register into which bytes are shifted, and hands out the counters from it.

    Timing: a row takes as many clocks as the widest has bytes, and 2, if its bytes are there.

    Parameters
    ----------
    config
        Sizes of the fabric.

    Members
    -------
    body : In(stream.Signature(BYTE))
        The body of a LOAD.
    done : Out(1)
        In one clock: all of it was executed.
    fault : Out(2)
        A `Fault`, in one clock and instead; else 0.
    load : Out(stream.Signature(config.load))
        To the load port, which is always ready.
    counters : In(config.counters)
    capture : In(1), tile : In(8)
        Keep the body of COUNTERS for a tile, all of one clock.
    shift : In(1)
        The next byte of it, please.
    byte : Out(8)
        The lowest byte that is kept.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        super().__init__(
            {
                "body": In(stream.Signature(BYTE)),
                "done": Out(1),
                "fault": Out(2),
                "load": Out(stream.Signature(struct(config.load))),
                "counters": In(struct(config.counters)),
                "capture": In(1),
                "tile": In(8),
                "shift": In(1),
                "byte": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        sizes = {
            target: whole_bytes(memory.row.width) for target, memory in config.memories.items()
        }
        size = max(*sizes.values(), counter_bytes(config))

        state = Signal(State)
        row = Signal(8 * size)
        count = Signal(range(max(PLACE, size) + 1))
        last = Signal()  # the body has ended
        word = self.load.p
        target = Signal.like(word.target)
        tile = Signal.like(word.tile)
        address = Signal.like(word.address)
        completes = Signal()  # the next byte is the last of a row
        with m.Switch(target):
            for number, bytes_of_row in sizes.items():
                with m.Case(number):
                    m.d.comb += completes.eq(count == bytes_of_row - 1)

        body = self.body
        taken = Signal()
        aligns = Signal()
        m.d.comb += [
            body.ready.eq((state == State.HEAD) | (state == State.ROW)),
            taken.eq(body.valid & body.ready),
            aligns.eq((state == State.ALIGN) & (count != size)),
            self.load.valid.eq(state == State.WRITE),
            word.target.eq(target),
            word.tile.eq(tile),
            word.address.eq(address),
            word.data.eq(row),
            self.byte.eq(row[:8]),
        ]

        # A row shorter than the register is shifted down by zeros.
        with m.If(self.shift | taken | aligns):
            m.d.sync += row.eq(Cat(row[8:], Mux(aligns, 0, body.p.data)))
        with m.If(self.capture):
            m.d.sync += row.eq(self._captured())

        with m.If(taken):
            m.d.sync += last.eq(body.p.last)
        with m.If(taken | aligns):
            m.d.sync += count.eq(count + 1)
        with m.Switch(state):
            with m.Case(State.HEAD):
                with m.If(taken):
                    keep_place(m, count, body.p.data, target, tile, address)
                    with m.If((count == 0) & (body.p.data >= len(sizes))):
                        m.d.comb += self.fault.eq(Fault.COMMAND)
                    with m.Elif(count == PLACE - 1):
                        m.d.comb += self.done.eq(body.p.last)
                        m.d.sync += [count.eq(0), state.eq(Mux(body.p.last, State.HEAD, State.ROW))]
                    with m.Elif(body.p.last):
                        m.d.comb += self.fault.eq(Fault.LENGTH)
            with m.Case(State.ROW):
                with m.If(taken):
                    with m.If(completes):
                        m.d.sync += state.eq(State.ALIGN)
                    with m.Elif(body.p.last):
                        m.d.comb += self.fault.eq(Fault.LENGTH)
            with m.Case(State.ALIGN):
                with m.If(~aligns):
                    m.d.sync += state.eq(State.WRITE)
            with m.Case(State.WRITE):
                m.d.comb += self.done.eq(last)
                m.d.sync += [
                    address.eq(address + 1),
                    count.eq(0),
                    state.eq(Mux(last, State.HEAD, State.ROW)),
                ]
        return m

    def _captured(self) -> Value:
        """The body of COUNTERS."""
        config = self.config
        tile = self.tile[: index_bits(config.tiles)]
        values: list[Value] = [self.counters.cycles]
        for name in TILE_COUNTERS:
            every = [self.counters[f"{name}.{number}"] for number in range(config.tiles)]
            values.append(every[0] if config.tiles == 1 else Array(every)[tile])
        padding = Const(0, 8 * whole_bytes(config.counter_bits) - config.counter_bits)
        return Cat(self.tile, *(Cat(value, padding) for value in values))
