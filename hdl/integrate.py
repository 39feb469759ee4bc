"""Integrate: adds the weights of events to the accumulators."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import FabricConfig, LoadTarget, index_bits
from hdl.load import connect_load, load_signature
from hdl.shapes import lanes, memory, struct


class Fetch(wiring.Signature):
    """A request for one row of accumulators, which is always granted.

    Members
    -------
    valid, address : Out
        Read and clear accumulator row `address`.
    sums : In
        The row, in the clock after.
    """

    def __init__(self, config: FabricConfig) -> None:
        super().__init__(
            {
                "valid": Out(1),
                "address": Out(index_bits(config.sum_words)),
                "sums": In(lanes(config.lanes, config.sum_bits)),
            }
        )


class MemoryWrite(wiring.Signature):
    """What is written to a memory in this clock, for a bench to see.

    Members
    -------
    valid : Out(1)
    address, data : Out
    """

    def __init__(self, address: int, data: int) -> None:
        super().__init__({"valid": Out(1), "address": Out(address), "data": Out(data)})


class Integrate(wiring.Component):
    """Walks the synapses of each event, one group of `lanes` in every clock.

        sum[target] += weight[source, target]        for every target of the event's connection

    Timing: an event taken in clock n issues its first group in clock n + 2 if nothing is before it,
    and its sums are written in the clock after each issue. Groups, events and connections follow
    each other without a bubble; a fetch takes the place of one group.

    Parameters
    ----------
    config
        Sizes of the fabric.

    Members
    -------
    event : In(stream.Signature(config.event))
        Packets, due in a slot.
    fetch : In(Fetch(config))
        Fire reads and clears a row; ordered after every group issued before it.
    load : In(load_signature(config))
    slot : In, pending : Out(1)
        Whether an event that is due in `slot` has a group not yet issued.
    synapses : Out
        Synapses of the event described in this clock, 0 if none.
    stalled, error : Out(1)
        A group waits for a fetch; an event is dropped, because its connection or axon is not there.
    sum_write : Out(MemoryWrite)
        What goes to the accumulators.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        super().__init__(
            {
                "event": In(stream.Signature(struct(config.event))),
                "fetch": In(Fetch(config)),
                "load": In(load_signature(config)),
                "slot": In(config.slot_width),
                "pending": Out(1),
                "synapses": Out(config.connection_row.fields[-1].width),
                "stalled": Out(1),
                "error": Out(1),
                "sum_write": Out(MemoryWrite(index_bits(config.sum_words), config.sum_row.width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()

        m.submodules.connections = connections = memory(
            struct(config.connection_row), 1 << index_bits(config.connections)
        )
        m.submodules.weights = weights = memory(
            lanes(config.lanes, config.weight_bits), config.weight_words
        )
        m.submodules.sums = sums = memory(lanes(config.lanes, config.sum_bits), config.sum_words)
        connect_load(m, self.load, LoadTarget.CONNECTION, connections)
        connect_load(m, self.load, LoadTarget.WEIGHT, weights)
        connection_read = connections.read_port()
        weight_read = weights.read_port()
        sum_read = sums.read_port()
        sum_write = sums.write_port()

        # Stage X, declared first because D looks at it: the segment being issued.
        x_valid = Signal()
        x_slot = Signal(config.slot_width)
        x_weight_address = Signal(index_bits(config.weight_words))
        x_sum_address = Signal(index_bits(config.sum_words))
        x_stride = Signal.like(connection_read.data.sources)
        x_groups = Signal.like(connection_read.data.groups)
        issue = Signal()
        x_last = Signal()
        x_free = Signal()
        m.d.comb += [
            issue.eq(x_valid & ~self.fetch.valid),
            x_last.eq(issue & (x_groups == 1)),
            x_free.eq(~x_valid | x_last),
            self.stalled.eq(x_valid & self.fetch.valid),
        ]

        # Stage D: the event, and beside it its connection's row.
        d_valid = Signal()
        d_index = Signal(config.index_width)
        d_slot = Signal(config.slot_width)
        d_take = Signal()
        row = connection_read.data
        known = Signal()
        m.d.comb += [
            d_take.eq(d_valid & x_free),
            self.event.ready.eq(~d_valid | d_take),
            connection_read.addr.eq(self.event.p.connection),
            connection_read.en.eq(self.event.valid & self.event.ready),
            known.eq((d_index < row.sources) & (row.groups != 0)),
            self.error.eq(d_take & ~known),
            self.synapses.eq(Mux(d_take & known, row.synapses, 0)),
        ]
        with m.If(self.event.ready):
            m.d.sync += [
                d_valid.eq(self.event.valid),
                d_index.eq(self.event.p.index),
                d_slot.eq(self.event.p.slot),
            ]

        with m.If(d_take):
            m.d.sync += [
                x_valid.eq(known),
                x_slot.eq(d_slot),
                x_weight_address.eq(row.weight_base + d_index),
                x_sum_address.eq(row.sum_base + d_slot),
                x_stride.eq(row.sources),
                x_groups.eq(row.groups),
            ]
        with m.Elif(issue):
            m.d.sync += [
                x_valid.eq(~x_last),
                x_weight_address.eq(x_weight_address + x_stride),
                x_sum_address.eq(x_sum_address + config.slots),
                x_groups.eq(x_groups - 1),
            ]
        m.d.comb += self.pending.eq(
            (d_valid & (d_slot == self.slot)) | (x_valid & (x_slot == self.slot))
        )

        # Stage E: read, add, write. The row written in the clock of a read is forwarded.
        address = Signal(index_bits(config.sum_words))
        m.d.comb += [
            address.eq(Mux(self.fetch.valid, self.fetch.address, x_sum_address)),
            weight_read.addr.eq(x_weight_address),
            weight_read.en.eq(issue),
            sum_read.addr.eq(address),
            sum_read.en.eq(issue | self.fetch.valid),
        ]
        e_adds = Signal()
        e_clears = Signal()
        e_address = Signal.like(address)
        e_forward = Signal()
        written = Signal.like(sum_write.data)
        m.d.sync += [
            e_adds.eq(issue),
            e_clears.eq(self.fetch.valid),
            e_address.eq(address),
            e_forward.eq((e_adds | e_clears) & (e_address == address)),
            written.eq(sum_write.data),
        ]
        for lane in range(config.lanes):
            before = Mux(e_forward, written[lane], sum_read.data[lane])
            m.d.comb += [
                self.fetch.sums[lane].eq(before),
                sum_write.data[lane].eq(Mux(e_clears, 0, before + weight_read.data[lane])),
            ]
        m.d.comb += [
            sum_write.addr.eq(e_address),
            sum_write.en.eq(e_adds | e_clears),
            self.sum_write.valid.eq(sum_write.en),
            self.sum_write.address.eq(sum_write.addr),
            self.sum_write.data.eq(sum_write.data),
        ]
        return m
