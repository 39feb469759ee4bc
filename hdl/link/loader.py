"""Loader: the bytes of LOAD become words for the memories, and the counters become bytes."""

from amaranth import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.link import Fault, whole_bytes
from spikeloom.golden.spec import FabricConfig, LoadTarget, index_bits
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.link.ports import BODY
from spikeloom.hdl.link.row_address import ROW_ADDRESS_BYTES, keep_row_address


def counter_bytes(config: FabricConfig) -> int:
    """Bytes in the body of COUNTERS: tile, `cycles` and the counters of the tile."""
    return 1 + (1 + len(config.tile_counters)) * whole_bytes(config.counter_bits)


def target_bits(config: FabricConfig) -> int:
    """Width of the number of a memory in a load word."""
    return next(field.width for field in config.load.fields if field.name == "target")


class Loader(wiring.Component):
    """Collects the bytes of a row in a shift register, which also sends the counters.

    Timing: a row takes `latency` clocks from its first byte to its word, and one more to the next
    row, if its bytes come without gaps.

    Parameters
    ----------
    config
        Sizes of the fabric.

    Members
    -------
    body : In(stream.Signature(BODY))
        The body of LOAD.
    done : Out(1)
        For one clock: the whole body was executed.
    fault : Out(2)
        For one clock instead of `done`: a `Fault`; else 0.
    load : Out(stream.Signature(config.load))
        To the load port, which is always ready.
    counters : In(config.counters)
        Counters of the fabric.
    capture : In(1)
        Stores the body of COUNTERS, all values from this clock.
    tile : In(8)
        With `capture`: whose counters.
    shift : In(1)
        Moves on to the next byte of the body.
    byte : Out(8)
        The current byte of the body.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        super().__init__(
            {
                "body": In(stream.Signature(BODY)),
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

    @property
    def row_bytes(self) -> dict[LoadTarget, int]:
        """Bytes of a row of each memory."""
        return {target: whole_bytes(row.width) for target, (row, _) in self.config.memories.items()}

    @property
    def size(self) -> int:
        """Bytes of the shift register: the widest row, or the counters."""
        return max(*self.row_bytes.values(), counter_bytes(self.config))

    @property
    def latency(self) -> int:
        """Clocks from the first byte of a row to its word."""
        return self.size + 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sizes, size = self.row_bytes, self.size
        row = Signal(8 * size)
        count = Signal(range(max(ROW_ADDRESS_BYTES, size) + 1))
        ended = Signal()  # the last byte of the body was taken
        word = self.load.p
        target = Signal.like(word.target)
        tile = Signal.like(word.tile)
        address = Signal.like(word.address)
        completes = Signal()  # the next byte is the last of a row
        with m.Switch(target):
            for number, row_bytes in sizes.items():
                with m.Case(number):
                    m.d.comb += completes.eq(count == row_bytes - 1)

        body = self.body
        taken = Signal()
        aligns = Signal()
        m.d.comb += [
            taken.eq(body.valid & body.ready),
            word.target.eq(target),
            word.tile.eq(tile),
            word.address.eq(address),
            word.data.eq(row),
            self.byte.eq(row[:8]),
        ]

        # Zeros shift a row shorter than the register down to bit 0.
        with m.If(self.shift | taken | aligns):
            m.d.sync += row.eq(Cat(row[8:], Mux(aligns, 0, body.p.data)))
        with m.If(self.capture):
            m.d.sync += row.eq(self._captured())

        with m.If(taken):
            m.d.sync += ended.eq(body.p.last)
        with m.If(taken | aligns):
            m.d.sync += count.eq(count + 1)
        with m.FSM() as fsm:
            with m.State("HEAD"):
                with m.If(taken):
                    keep_row_address(m, count, body.p.data, target, tile, address)
                    with m.If((count == 0) & (body.p.data >= max(sizes) + 1)):
                        m.d.comb += self.fault.eq(Fault.COMMAND)
                    with m.Elif(count == ROW_ADDRESS_BYTES - 1):
                        m.d.comb += self.done.eq(body.p.last)
                        m.d.sync += count.eq(0)
                        with m.If(~body.p.last):
                            m.next = "ROW"
                    with m.Elif(body.p.last):
                        m.d.comb += self.fault.eq(Fault.LENGTH)
            with m.State("ROW"):
                with m.If(taken):
                    with m.If(completes):
                        m.next = "ALIGN"
                    with m.Elif(body.p.last):
                        m.d.comb += self.fault.eq(Fault.LENGTH)
            with m.State("ALIGN"):
                with m.If(~aligns):
                    m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += self.done.eq(ended)
                m.d.sync += [address.eq(address + 1), count.eq(0)]
                with m.If(ended):
                    m.next = "HEAD"
                with m.Else():
                    m.next = "ROW"
        m.d.comb += [
            body.ready.eq(fsm.ongoing("HEAD") | fsm.ongoing("ROW")),
            aligns.eq(fsm.ongoing("ALIGN") & (count != size)),
            self.load.valid.eq(fsm.ongoing("WRITE")),
        ]
        return m

    def _captured(self) -> Value:
        """The body of COUNTERS."""
        config = self.config
        tile = self.tile[: index_bits(config.tiles)]
        values: list[Value] = [self.counters.cycles]
        for name in config.tile_counters:
            every = [self.counters[f"{name}.{number}"] for number in range(config.tiles)]
            values.append(every[0] if config.tiles == 1 else Array(every)[tile])
        padding = Const(0, 8 * whole_bytes(config.counter_bits) - config.counter_bits)
        return Cat(self.tile, *(Cat(value, padding) for value in values))
