"""Integrate: adds the weights of events to the accumulators."""

from collections.abc import Sequence
from typing import NamedTuple

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory, ReadPort
from amaranth.lib.wiring import In, Out, connect, flipped

from spikeloom.golden.contents import NO_ROWS, Rows
from spikeloom.golden.spec import FabricConfig, LoadTarget, ReadTarget, index_bits
from spikeloom.hdl.common.arithmetic import add_carry
from spikeloom.hdl.common.load import load_signature, loads
from spikeloom.hdl.common.read import SplitRow, ask, connect_read, read_member
from spikeloom.hdl.common.shapes import lanes, memory, struct
from spikeloom.hdl.core.address_generation import AddressGeneration, segments
from spikeloom.hdl.core.amount import Amount, next_bits
from spikeloom.hdl.core.ports import Fetch, MemoryWrite


class _Segment(NamedTuple):
    """Stage X: the event being issued, and how far it has got.

    Parameters
    ----------
    event
        The event's segments, as address generation gave them.
    taken
        Stage X takes another event at the end of this clock.
    issue
        A group is issued in this clock: that of the two addresses.
    bits
        The lowest of them that is 1: which bit of the magnitude the issue is for.
    advances
        The issue is the last one of its group.
    weight_address, sum_address
        Rows of the next group.
    groups
        Groups of the segment not yet issued.
    one
        `groups` == 1.
    begins
        The next group is the first of its segment.
    ends
        No segment follows.
    """

    event: data.View
    taken: Signal
    issue: Signal
    bits: Value
    advances: Signal
    weight_address: Signal
    sum_address: Signal
    groups: Signal
    one: Signal
    begins: Signal
    ends: Signal


class Integrate(wiring.Component):
    """Adds the weights of each event's synapses, one group of `lanes` per clock.

        sum[target] += weight[source, target]        for every target of the event's connection

    With images there is a segment of groups for each overlap of the kernel with the event's
    position. In a sparse matrix the lanes of a word lead to different groups; one to one, only one
    lane of a word counts. A weight counts once, or as often as a graded event says: its group is
    issued once for each bit of that number, with the weights shifted. Signed events subtract.

    Timing: an event taken in clock n issues its first group in clock n + `latency` - 2 if none is
    before it, and its sums are written two clocks after each issue. Groups, segments, events and
    connections follow each other without a bubble; a fetch takes the place of one group. Events of
    images need more clocks for address generation: see `AddressGeneration`.

    Parameters
    ----------
    config
        Sizes of the fabric.
    contents
        Initial rows of its memories.

    Members
    -------
    event : In(stream.Signature(config.event))
        Packets for this tile, each due in a slot.
    fetch : In(Fetch(config))
        Fire reads and clears a row; not in the two clocks after another operation on that row.
    load : In(load_signature(config))
    read : In(read_signature(config))
        With `readable` only.
    slot : In
        Slot that `pending` is about.
    pending : Out(1)
        An event due in `slot` has a group that is not yet issued.
    occupied : Out(1)
        An event has.
    synapses : Out
        Synapses of the segment that begins in this clock, 0 if none does.
    stalled : Out(1)
        A group waits for a fetch.
    error : Out(1)
        An event is dropped, because its connection or axon does not exist.
    sum_write : Out(MemoryWrite)
        Writes to the accumulators, with an address for each of `config.sum_banks`.
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
                "occupied": Out(1),
                "synapses": Out(config.connection_row.fields[-1].width),
                "stalled": Out(1),
                "error": Out(1),
                "sum_write": Out(
                    MemoryWrite(
                        config.sum_banks * index_bits(config.sum_words), config.sum_row.width
                    )
                ),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from the transfer of a dense matrix's event to the write of its first sums."""
        return 4

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()

        m.submodules.weights = weights = memory(
            lanes(config.lanes, config.weight_bits), config.weight_words, self._weight_rows
        )
        weight_write = weights.write_port()
        weight_read = weights.read_port()
        sums = [
            memory(lanes(config.lanes // config.sum_banks, config.sum_bits), config.sum_words)
            for _ in range(config.sum_banks)
        ]
        for lane, bank in enumerate(sums):
            m.submodules["sums" if len(sums) == 1 else f"sums_{lane}"] = bank
        sum_reads = [bank.read_port() for bank in sums]

        # Stage D.
        m.submodules.generation = generation = AddressGeneration(config, self.contents)
        connect(m, flipped(self.event), generation.event)
        connect(m, flipped(self.load), generation.load)
        m.d.comb += [generation.slot.eq(self.slot), self.error.eq(generation.error)]

        # Stage X.
        x = self._issue(m, generation)

        # An issue or a fetch presents its addresses. The weights have one port, which loading
        # takes.
        weight_address = Signal.like(weight_read.addr)
        m.d.comb += [
            weight_address.eq(Mux(weight_write.en, self.load.word.address, x.weight_address)),
            weight_write.addr.eq(weight_address),
            weight_write.data.eq(self.load.word.data),
            weight_write.en.eq(loads(self.load, LoadTarget.WEIGHT)),
            weight_read.addr.eq(weight_address),
            self.fetch.sums.eq(Cat(read.data for read in sum_reads)),
        ]
        rows: list[Value] = [x.sum_address]
        if config.sparse_words:
            group_read = self._read_groups(m, x, generation.segments.p)
            rows = [
                Mux(x.event.sparse, self._row(group, x.event.slot), x.sum_address)
                for group in group_read.data
            ]

        # Stages R and A.
        self._accumulate(m, x, rows, weight_read, sums, sum_reads)

        if config.readable:
            word: ReadPort | SplitRow = weight_read
            if config.sparse_words:
                below = self.read.word.address < config.sparse_words
                groups = Mux(below, Cat(group_read.data), 0)
                word = SplitRow([weight_read, group_read], Cat(weight_read.data, groups))
            row = SplitRow(sum_reads, Cat(read.data for read in sum_reads))
            byte = connect_read(m, self.read, {ReadTarget.WEIGHT: word, ReadTarget.SUM: row})
            with m.If(self.read.active):  # the weights have one address
                m.d.comb += weight_write.addr.eq(self.read.word.address)
            table_byte = ask(m, [generation.read], self.read.active, self.read.word)
            m.d.comb += self.read.data.eq(byte | table_byte)
        return m

    @property
    def _weight_rows(self) -> list[int]:
        """The weights of the words that the memory starts with."""
        mask = (1 << self.config.lanes * self.config.weight_bits) - 1
        return [row & mask for row in self.contents.get(LoadTarget.WEIGHT, ())]

    def _read_groups(self, m: Module, x: _Segment, taken: data.View) -> ReadPort:
        """Sparse matrices: the groups of the word that is issued next, read a clock ahead."""
        config = self.config
        weights = config.lanes * config.weight_bits
        m.submodules.groups = groups = memory(
            data.ArrayLayout(index_bits(config.groups), config.lanes),
            config.sparse_words,
            [row >> weights for row in self.contents.get(LoadTarget.WEIGHT, ())][
                : config.sparse_words
            ],
        )
        write = groups.write_port()
        read = groups.read_port()
        word = self.load.word
        m.d.comb += [
            write.addr.eq(word.address),
            write.data.eq(word.data >> weights),
            write.en.eq(loads(self.load, LoadTarget.WEIGHT) & (word.address < config.sparse_words)),
            read.addr.eq(Mux(x.taken, taken.weight, x.weight_address + x.event.stride)),
            read.en.eq(x.taken | x.advances),
        ]
        return read

    def _row(self, group: Value, slot: Value) -> Value:
        """Row `group` * `slots` + `slot` of the accumulators."""
        slots = self.config.slots
        bits = index_bits(slots) if slots > 1 else 0
        return Cat(slot[:bits], group) if slots == 1 << bits else group * slots + slot

    def _issue(self, m: Module, generation: AddressGeneration) -> _Segment:
        """Stage X: issues one group of an event's segments in every clock without a fetch."""
        config = self.config
        segment = generation.segments
        x_valid = Signal()
        event = Signal(segments(config), name="x")
        taken = Signal()
        issue = Signal()
        last = Signal()
        bits: Value = Const(1)
        advances, has_targets = issue, segment.p.has_targets
        if config.graded_bits:
            magnitude = segment.p.magnitude
            bits, advances = next_bits(m, config, event, (taken, magnitude), issue)
            has_targets = has_targets & (magnitude != 0)
        x = _Segment(
            event,
            taken,
            issue,
            bits,
            advances,
            weight_address=Signal.like(event.weight, name="x_weight_address"),
            sum_address=Signal.like(event.sum, name="x_sum_address"),
            groups=Signal.like(event.groups, name="x_groups"),
            one=Signal(name="x_one"),
            begins=Signal(name="x_begins"),
            ends=Signal(name="x_ends"),
        )
        m.d.comb += [
            issue.eq(x_valid & ~self.fetch.valid),
            x.ends.eq(1),
            last.eq(advances & x.one & x.ends),
            segment.ready.eq(~x_valid | last),
            taken.eq(segment.valid & segment.ready),
            self.stalled.eq(x_valid & self.fetch.valid),
            self.synapses.eq(Mux(issue & x.begins, event.synapses, 0)),
            self.pending.eq(generation.pending | (x_valid & (event.slot == self.slot))),
            self.occupied.eq(generation.occupied | x_valid),
        ]
        with m.If(taken):
            m.d.sync += [
                x_valid.eq(has_targets),
                event.eq(segment.p),
                x.weight_address.eq(segment.p.weight),
                x.sum_address.eq(segment.p.sum),
                x.groups.eq(segment.p.groups),
                x.one.eq(segment.p.groups == 1),
                x.begins.eq(1),
            ]
        with m.Elif(advances):
            sum_stride = event.sum_stride if config.images else config.slots
            m.d.sync += [
                x_valid.eq(~last),
                x.weight_address.eq(x.weight_address + event.stride),
                x.sum_address.eq(x.sum_address + sum_stride),
                x.groups.eq(x.groups - 1),
                x.one.eq(x.groups == 2),
                x.begins.eq(0),
            ]
        if config.images:
            self._next_segment(m, x, segment.p)
        return x

    def _next_segment(self, m: Module, x: _Segment, taken: data.View) -> None:
        """Images: goes on to the next segment of the row, or to the first one of the next row.

        The bases of the row and of the column are kept, because a segment's last address says
        nothing of the next segment's first one.
        """
        event = x.event
        rows = Signal.like(event.rows)
        columns = Signal.like(event.columns)
        row_weight = Signal.like(event.weight)
        column_weight = Signal.like(event.weight)
        row_sum = Signal.like(event.sum)
        column_sum = Signal.like(event.sum)
        next_weight = Signal.like(event.weight)
        next_sum = Signal.like(event.sum)
        row_ends = Signal()
        m.d.comb += [
            row_ends.eq(columns == 1),
            x.ends.eq(row_ends & (rows == 1)),
            next_weight.eq(
                Mux(row_ends, row_weight + event.row_weights, column_weight + event.column_weights)
            ),
            next_sum.eq(Mux(row_ends, row_sum - event.row_sums, column_sum - event.column_sums)),
        ]
        with m.If(x.taken):
            m.d.sync += [
                rows.eq(taken.rows),
                columns.eq(taken.columns),
                row_weight.eq(taken.weight),
                column_weight.eq(taken.weight),
                row_sum.eq(taken.sum),
                column_sum.eq(taken.sum),
            ]
        with m.Elif(x.advances & x.one):
            m.d.sync += [
                x.weight_address.eq(next_weight),
                x.sum_address.eq(next_sum),
                column_weight.eq(next_weight),
                column_sum.eq(next_sum),
                columns.eq(columns - 1),
                x.groups.eq(event.groups),
                x.one.eq(event.groups == 1),
                x.begins.eq(1),
            ]
            with m.If(row_ends):
                m.d.sync += [
                    row_weight.eq(next_weight),
                    row_sum.eq(next_sum),
                    columns.eq(event.columns),
                    rows.eq(rows - 1),
                ]

    def _accumulate(
        self,
        m: Module,
        x: _Segment,
        rows: Sequence[Value],
        weight_read: ReadPort,
        sums: Sequence[Memory],
        sum_reads: Sequence[ReadPort],
    ) -> None:
        """Stages R and A: adds the weights to the accumulators; a fetch clears them.

        Parameters
        ----------
        rows
            Row of the issue in each bank of the accumulators.
        """
        config = self.config
        # Stage R: the rows are there, except for the writes of the two operations before.
        r_valid = Signal()
        r_clears = Signal()
        # Stage A: add and write. `written` is the write of the operation before.
        a_valid = Signal()
        m.d.sync += [
            r_valid.eq(x.issue | self.fetch.valid),
            r_clears.eq(self.fetch.valid),
            a_valid.eq(r_valid),
        ]
        amount = Amount(m, config, x.event, x.bits)
        weight = self._weights(m, x, weight_read, r_clears, amount)
        carry = amount.carry(m, r_clears)
        writes = [bank.write_port() for bank in sums]
        for number, (issued, read, write) in enumerate(zip(rows, sum_reads, writes, strict=True)):
            address = Signal(index_bits(config.sum_words), name=f"address_{number}")
            issue_address = Signal.like(address, name=f"issue_address_{number}")
            r_address = Signal.like(address, name=f"r_address_{number}")
            r_after_last = Signal(name=f"r_after_last_{number}")
            r_after_next_to_last = Signal(name=f"r_after_next_to_last_{number}")
            a_after_last = Signal(name=f"a_after_last_{number}")
            a_address = Signal.like(address, name=f"a_address_{number}")
            row = Signal.like(write.data, name=f"row_{number}")
            written = Signal.like(write.data, name=f"written_{number}")
            m.d.comb += [
                issue_address.eq(issued),
                address.eq(Mux(self.fetch.valid, self.fetch.address, issue_address)),
                read.addr.eq(address),
                write.addr.eq(a_address),
                write.en.eq(a_valid),
            ]
            m.d.sync += [
                r_address.eq(address),
                r_after_last.eq(r_valid & (r_address == issue_address)),
                r_after_next_to_last.eq(a_valid & (a_address == issue_address)),
                a_address.eq(r_address),
                a_after_last.eq(r_after_last),
                written.eq(write.data),
                row.eq(Mux(r_after_next_to_last, written, read.data)),
            ]
            for lane in range(len(row)):
                before = Mux(a_after_last, written[lane], row[lane])
                added = weight[number * len(row) + lane]
                total = before + added if carry is None else add_carry(before, added, carry)
                m.d.comb += write.data[lane].eq(total)
            # A fetch writes 0: a sum of 0, a weight of 0, and nothing forwarded.
            with m.If(r_clears):
                m.d.sync += [row.as_value().eq(0), a_after_last.eq(0)]
        m.d.comb += [
            self.sum_write.valid.eq(a_valid),
            self.sum_write.address.eq(Cat(write.addr for write in writes)),
            self.sum_write.data.eq(Cat(write.data for write in writes)),
        ]

    def _weights(
        self, m: Module, x: _Segment, weight_read: ReadPort, r_clears: Signal, amount: Amount
    ) -> data.View:
        """Stage R: the weights that stage A adds, times the event's amount; 0 for a fetch."""
        config = self.config
        bits = (config.weight_bits << config.weight_pairs) + amount.bits
        weight = Signal(lanes(config.lanes, bits))
        m.d.sync += [
            weight[lane].eq(amount.times(weight_read.data[lane])) for lane in range(config.lanes)
        ]
        if config.weight_pairs:
            r_high = Signal()
            m.d.sync += r_high.eq(x.event.high)
            with m.If(r_high):
                for lane in range(config.lanes):
                    high = weight_read.data[lane] << config.weight_bits
                    m.d.sync += weight[lane].eq(amount.times(high))
        if config.one_to_one:
            r_single = Signal()
            r_lane = Signal.like(x.event.lane)
            m.d.sync += [r_single.eq(x.event.single), r_lane.eq(x.event.lane)]
            for lane in range(config.lanes):
                with m.If(r_single & (r_lane != lane)):
                    m.d.sync += weight[lane].eq(amount.times(Const(0)))
        with m.If(r_clears):
            m.d.sync += weight.as_value().eq(0)
        return weight
