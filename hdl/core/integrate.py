"""Integrate: adds the weights of events to the accumulators."""

from typing import NamedTuple

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import ReadPort
from amaranth.lib.wiring import In, Out, connect, flipped

from spikeloom.golden.contents import NO_ROWS, Rows
from spikeloom.golden.spec import FabricConfig, LoadTarget, ReadTarget, index_bits
from spikeloom.hdl.common.load import load_signature, loads
from spikeloom.hdl.common.read import SplitRow, ask, connect_read, read_member
from spikeloom.hdl.common.shapes import lanes, memory, struct
from spikeloom.hdl.core.accumulate import Accumulate
from spikeloom.hdl.core.address_generation import AddressGeneration, segments
from spikeloom.hdl.core.amount import next_bits
from spikeloom.hdl.core.ports import Fetch, MemoryWrite, Notes, WeightPort


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
    last_group
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
    last_group: Signal
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
    notes : Out(Notes(config))
        With `plasticity` only: the axons of plastic connections that spiked.
    learn : In(WeightPort(config))
        With `plasticity` only: the port of the weights, at rest.
    """

    def __init__(self, config: FabricConfig, contents: Rows = NO_ROWS) -> None:
        self.config = config
        self.contents = contents
        plastic = {"notes": Out(Notes(config)), "learn": In(WeightPort(config))}
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
                **(plastic if config.plasticity else {}),
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

        # Stage D.
        m.submodules.generation = generation = AddressGeneration(config, self.contents)
        connect(m, flipped(self.event), generation.event)
        connect(m, flipped(self.load), generation.load)
        m.d.comb += [generation.slot.eq(self.slot), self.error.eq(generation.error)]

        # Stage X.
        x = self._issue(m, generation)

        # An issue or a fetch presents its addresses. The weights have one port, which loading
        # takes, or one to read and one to write.
        weight_address = Signal.like(weight_read.addr)
        loaded = self.load.word.address
        two_ports = config.two_ports
        m.d.comb += [
            weight_address.eq(
                x.weight_address if two_ports else Mux(weight_write.en, loaded, x.weight_address)
            ),
            weight_write.addr.eq(loaded if two_ports else weight_address),
            weight_write.data.eq(self.load.word.data),
            weight_write.en.eq(loads(self.load, LoadTarget.WEIGHT)),
            weight_read.addr.eq(weight_address),
        ]
        if config.plasticity:
            connect(m, generation.notes, flipped(self.notes))
            with m.If(self.learn.active):
                m.d.comb += [
                    weight_address.eq(self.learn.address),
                    weight_write.data.eq(self.learn.data),
                    weight_write.en.eq(self.learn.write),
                ]
                if two_ports:
                    m.d.comb += weight_write.addr.eq(self.learn.write_address)
            m.d.comb += self.learn.weights.eq(weight_read.data)
        rows: list[Value] = [x.sum_address]
        if config.sparse_words:
            group_read = self._read_groups(m, x, generation.segments.p)
            rows = [
                Mux(x.event.sparse, self._row(group, x.event.slot), x.sum_address)[
                    : len(x.sum_address)
                ]
                for group in group_read.data
            ]

        # Stages R and A.
        m.submodules.accumulate = accumulate = Accumulate(config)
        connect(m, flipped(self.fetch), accumulate.fetch)
        connect(m, accumulate.sum_write, flipped(self.sum_write))
        m.d.comb += [
            accumulate.issue.eq(x.issue),
            accumulate.event.eq(x.event),
            accumulate.bits.eq(x.bits),
            accumulate.rows.eq(Cat(rows)),
            accumulate.word.eq(weight_read.data),
        ]

        if config.readable:
            word: ReadPort | SplitRow = weight_read
            if config.sparse_words:
                below = self.read.word.address < config.sparse_words
                groups = Mux(below, Cat(group_read.data), 0)
                word = SplitRow([weight_read, group_read], Cat(weight_read.data, groups))
            byte = connect_read(m, self.read, {ReadTarget.WEIGHT: word})
            if not two_ports:
                with m.If(self.read.active):  # the weights have one address
                    m.d.comb += weight_write.addr.eq(self.read.word.address)
            others = [generation.read, accumulate.read]
            other_byte = ask(m, others, self.read.active, self.read.word)
            m.d.comb += self.read.data.eq(byte | other_byte)
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
            last_group=Signal(name="x_last_group"),
            begins=Signal(name="x_begins"),
            ends=Signal(name="x_ends"),
        )
        m.d.comb += [
            issue.eq(x_valid & ~self.fetch.valid),
            x.ends.eq(1),
            last.eq(advances & x.last_group & x.ends),
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
                x.last_group.eq(segment.p.groups == 1),
                x.begins.eq(1),
            ]
        with m.Elif(advances):
            sum_stride = event.sum_stride if config.images else config.slots
            m.d.sync += [
                x_valid.eq(~last),
                x.weight_address.eq(x.weight_address + event.stride),
                x.sum_address.eq(x.sum_address + sum_stride),
                x.groups.eq(x.groups - 1),
                x.last_group.eq(x.groups == 2),
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
        with m.Elif(x.advances & x.last_group):
            m.d.sync += [
                x.weight_address.eq(next_weight),
                x.sum_address.eq(next_sum),
                column_weight.eq(next_weight),
                column_sum.eq(next_sum),
                columns.eq(columns - 1),
                x.groups.eq(event.groups),
                x.last_group.eq(event.groups == 1),
                x.begins.eq(1),
            ]
            with m.If(row_ends):
                m.d.sync += [
                    row_weight.eq(next_weight),
                    row_sum.eq(next_sum),
                    columns.eq(event.columns),
                    rows.eq(rows - 1),
                ]
