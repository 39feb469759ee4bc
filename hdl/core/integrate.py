"""Integrate: adds the weights of events to the accumulators."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from spikeloom.golden.contents import NO_ROWS, Rows
from spikeloom.golden.spec import FabricConfig, LoadTarget, ReadTarget, index_bits
from spikeloom.hdl.common.load import load_signature, loads
from spikeloom.hdl.common.read import ask, connect_read, read_member
from spikeloom.hdl.common.shapes import lanes, memory, struct
from spikeloom.hdl.core.address_generation import AddressGeneration, segments


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

    With images there is a segment of groups for each kernel row and column that the event's place
    meets.

    Timing: an event taken in clock n issues its first group in clock n + 2 if nothing is before it,
    and its sums are written two clocks after each issue. Groups, segments, events and connections
    follow each other without a bubble; a fetch takes the place of one group. Events of images need
    some clocks more to be described: see `AddressGeneration`.

    Parameters
    ----------
    config
        Sizes of the fabric.
    contents
        Rows that its memories start with.

    Members
    -------
    event : In(stream.Signature(config.event))
        Packets, due in a slot.
    fetch : In(Fetch(config))
        Fire reads and clears a row; not in the two clocks after another operation on it.
    load : In(load_signature(config))
    read : In(read_signature(config))
        With `readable` only.
    slot : In, pending : Out(1)
        Whether an event that is due in `slot` has a group not yet issued.
    synapses : Out
        Synapses of the segment that begins in this clock, 0 if none does.
    stalled, error : Out(1)
        A group waits for a fetch; an event is dropped, because its connection or axon is not there.
    sum_write : Out(MemoryWrite)
        What goes to the accumulators.
    """

    def __init__(self, config: FabricConfig, contents: Rows = NO_ROWS) -> None:
        self.config = config
        self.contents = contents
        super().__init__(
            {
                "event": In(stream.Signature(struct(config.event))),
                "fetch": In(Fetch(config)),
                "load": In(load_signature(config)),
                **read_member(config),
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

        m.submodules.weights = weights = memory(
            lanes(config.lanes, config.weight_bits),
            config.weight_words,
            self.contents.get(LoadTarget.WEIGHT, ()),
        )
        m.submodules.sums = sums = memory(lanes(config.lanes, config.sum_bits), config.sum_words)
        weight_write = weights.write_port()
        weight_read = weights.read_port()
        sum_read = sums.read_port()
        sum_write = sums.write_port()

        # Stage D.
        m.submodules.describe = describe = AddressGeneration(config, self.contents)
        connect(m, flipped(self.event), describe.event)
        connect(m, flipped(self.load), describe.load)
        found = describe.segments
        taken = Signal()

        # Stage X: what was described, and how far it has been issued.
        x_valid = Signal()
        x = Signal(segments(config))
        x_weight_address = Signal.like(x.weight)
        x_sum_address = Signal.like(x.sum)
        x_groups = Signal.like(x.groups)
        x_begins = Signal()  # the next issue is the first of a segment
        x_one = Signal()  # x_groups == 1
        issue = Signal()
        x_ends = Signal()  # no segment follows
        x_last = Signal()
        m.d.comb += [
            issue.eq(x_valid & ~self.fetch.valid),
            x_ends.eq(1),
            x_last.eq(issue & x_one & x_ends),
            found.ready.eq(~x_valid | x_last),
            taken.eq(found.valid & found.ready),
            self.stalled.eq(x_valid & self.fetch.valid),
            self.synapses.eq(Mux(issue & x_begins, x.synapses, 0)),
            self.error.eq(describe.error),
            describe.slot.eq(self.slot),
            self.pending.eq(describe.pending | (x_valid & (x.slot == self.slot))),
        ]
        with m.If(taken):
            m.d.sync += [
                x_valid.eq(found.p.leads),
                x.eq(found.p),
                x_weight_address.eq(found.p.weight),
                x_sum_address.eq(found.p.sum),
                x_groups.eq(found.p.groups),
                x_one.eq(found.p.groups == 1),
                x_begins.eq(1),
            ]
        with m.Elif(issue):
            m.d.sync += [
                x_valid.eq(~x_last),
                x_weight_address.eq(x_weight_address + x.stride),
                x_sum_address.eq(x_sum_address + (x.sum_stride if config.images else config.slots)),
                x_groups.eq(x_groups - 1),
                x_one.eq(x_groups == 2),
                x_begins.eq(0),
            ]
        if config.images:
            # Segment by segment along a row, and row by row, from the bases of the present ones.
            x_rows = Signal.like(x.rows)
            x_columns = Signal.like(x.columns)
            r_weight, c_weight = Signal.like(x.weight), Signal.like(x.weight)
            r_sum, c_sum = Signal.like(x.sum), Signal.like(x.sum)
            next_weight, next_sum = Signal.like(x.weight), Signal.like(x.sum)
            row_ends = Signal()
            m.d.comb += [
                row_ends.eq(x_columns == 1),
                x_ends.eq(row_ends & (x_rows == 1)),
                next_weight.eq(
                    Mux(row_ends, r_weight + x.row_weights, c_weight + x.column_weights)
                ),
                next_sum.eq(Mux(row_ends, r_sum - x.row_sums, c_sum - x.column_sums)),
            ]
            with m.If(taken):
                m.d.sync += [x_rows.eq(found.p.rows), x_columns.eq(found.p.columns)]
                m.d.sync += [r_weight.eq(found.p.weight), c_weight.eq(found.p.weight)]
                m.d.sync += [r_sum.eq(found.p.sum), c_sum.eq(found.p.sum)]
            with m.Elif(issue & x_one):
                m.d.sync += [
                    x_weight_address.eq(next_weight),
                    x_sum_address.eq(next_sum),
                    c_weight.eq(next_weight),
                    c_sum.eq(next_sum),
                    x_columns.eq(x_columns - 1),
                    x_groups.eq(x.groups),
                    x_one.eq(x.groups == 1),
                    x_begins.eq(1),
                ]
                with m.If(row_ends):
                    m.d.sync += [
                        r_weight.eq(next_weight),
                        r_sum.eq(next_sum),
                        x_columns.eq(x.columns),
                        x_rows.eq(x_rows - 1),
                    ]

        # What is issued, or fetched: the memories are asked.
        address = Signal(index_bits(config.sum_words))
        weight_address = Signal.like(weight_read.addr)
        m.d.comb += [
            address.eq(Mux(self.fetch.valid, self.fetch.address, x_sum_address)),
            weight_address.eq(Mux(weight_write.en, self.load.word.address, x_weight_address)),
            weight_write.addr.eq(weight_address),
            weight_write.data.eq(self.load.word.data),
            weight_write.en.eq(loads(self.load, LoadTarget.WEIGHT)),
            weight_read.addr.eq(weight_address),
            sum_read.addr.eq(address),
            self.fetch.sums.eq(sum_read.data),
        ]

        # Stage R: the rows are there, but for what the two operations before are still to write.
        r_valid, r_clears = Signal(), Signal()
        r_address = Signal.like(address)
        r_after_last, r_after_next_to_last = Signal(), Signal()
        # Stage A: add, write. `written` is what the operation before wrote.
        a_valid, a_after_last = Signal(), Signal()
        a_address = Signal.like(address)
        row, written = Signal.like(sum_write.data), Signal.like(sum_write.data)
        weight = Signal(lanes(config.lanes, config.weight_bits << config.weight_pairs))
        m.d.sync += [
            r_valid.eq(issue | self.fetch.valid),
            r_clears.eq(self.fetch.valid),
            r_address.eq(address),
            r_after_last.eq(r_valid & (r_address == x_sum_address)),
            r_after_next_to_last.eq(a_valid & (a_address == x_sum_address)),
            a_valid.eq(r_valid),
            a_address.eq(r_address),
            a_after_last.eq(r_after_last),
            written.eq(sum_write.data),
            row.eq(Mux(r_after_next_to_last, written, sum_read.data)),
        ]
        for lane in range(config.lanes):
            m.d.sync += weight[lane].eq(weight_read.data[lane])
            before = Mux(a_after_last, written[lane], row[lane])
            m.d.comb += sum_write.data[lane].eq(before + weight[lane])
        if config.weight_pairs:
            r_high = Signal()
            m.d.sync += r_high.eq(x.high)
            with m.If(r_high):
                for lane in range(config.lanes):
                    m.d.sync += weight[lane].eq(weight_read.data[lane] << config.weight_bits)
        # A fetched row is emptied: nothing is added to nothing.
        with m.If(r_clears):
            m.d.sync += [row.as_value().eq(0), weight.as_value().eq(0), a_after_last.eq(0)]
        m.d.comb += [
            sum_write.addr.eq(a_address),
            sum_write.en.eq(a_valid),
            self.sum_write.valid.eq(sum_write.en),
            self.sum_write.address.eq(sum_write.addr),
            self.sum_write.data.eq(sum_write.data),
        ]
        if config.readable:
            readable = {ReadTarget.WEIGHT: weight_read, ReadTarget.SUM: sum_read}
            byte = connect_read(m, self.read, readable)
            with m.If(self.read.active):  # the weights have one address
                m.d.comb += weight_write.addr.eq(self.read.word.address)
            described = ask(m, [describe.read], self.read.active, self.read.word)
            m.d.comb += self.read.data.eq(byte | described)
        return m
