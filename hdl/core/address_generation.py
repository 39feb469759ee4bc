"""Address generation: from an event to the memory rows of its synapses."""

from typing import NamedTuple

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import ReadPort
from amaranth.lib.wiring import In, Out

from spikeloom.golden.contents import NO_ROWS, Rows
from spikeloom.golden.spec import FabricConfig, LoadTarget, ReadTarget, index_bits
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.load import connect_load, load_signature
from spikeloom.hdl.common.read import connect_read, read_member
from spikeloom.hdl.common.shapes import memory, struct
from spikeloom.hdl.core.ports import Notes


def segments(config: FabricConfig) -> data.StructLayout:
    """The synapses of an event: its first segment, and the steps to those that follow.

    `has_targets`: 0 for an event without synapses. `weight`, `sum`: addresses of the first group.
    `stride`, with images also `sum_stride`: from group to group of a segment, which has `groups`
    groups and `synapses` real synapses. With images there are `rows` rows of `columns` segments;
    the steps from segment to segment are those of `FabricConfig.connection_row`, as is `high`.
    `sparse`: the words have the groups of their targets, and `sum` is not used. `single`: only the
    weight of `lane` counts. What the event counts is that of its packet.
    """
    row = struct(config.connection_row).members
    fields = {
        "has_targets": 1,
        "slot": config.slot_width,
        "weight": row["weight_base"],
        "sum": row["sum_base"],
        "stride": row["weight_base"],
        "groups": row["groups"],
        "synapses": row["synapses"],
    }
    if config.images:
        count = struct(config.coordinate_row).members["count"]
        fields |= {"groups": count, "rows": count, "columns": count}
        steps = ("sum_stride", "row_weights", "column_weights", "row_sums", "column_sums")
        fields |= {name: row[name] for name in steps}
    fields |= dict(config.amount)
    if config.weight_pairs:
        fields["high"] = 1
    if config.sparse_words:
        fields["sparse"] = 1
    if config.one_to_one:
        fields |= {"single": 1, "lane": index_bits(config.lanes)}
    return data.StructLayout(fields)


class _StageD(NamedTuple):
    """Stage D: an event, if `valid`, and the row of its connection.

    `free`: another event may enter. `exists`: connection and axon do.
    """

    valid: Signal
    free: Signal
    event: data.View
    row: data.View
    exists: Signal


class AddressGeneration(wiring.Component):
    """Looks up an event's connection and, with images, the kernel overlaps of its position.

    Timing: an event taken in clock n has its segments on the output from clock n + `latency` on.
    In a row with `image` they come 3 clocks later, or 4 if the convolution is grouped: a look-up
    each for the row, the column and the channel. In a row with `sparse` they come a clock later: a
    look-up for the source. A second event may be taken meanwhile; it waits in the skid register.

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
    segments : Out(stream.Signature(segments(config)))
        Their synapses; also of events that have none, or are dropped.
    load : In(load_signature(config))
    read : In(read_signature(config))
        With `readable` only.
    slot : In
        Slot that `pending` is about.
    pending : Out(1)
        An event due in `slot` is in the skid register or in stage D.
    occupied : Out(1)
        An event is.
    error : Out(1)
        An event is dropped in this clock, because its connection or axon does not exist.
    notes : Out(Notes(config))
        With `plasticity` only: the axons of plastic connections that spiked. An event of one waits
        while they are `full`.
    """

    def __init__(self, config: FabricConfig, contents: Rows = NO_ROWS) -> None:
        self.config = config
        self.contents = contents
        super().__init__(
            {
                "event": In(stream.Signature(struct(config.event))),
                "segments": Out(stream.Signature(segments(config))),
                "load": In(load_signature(config)),
                **read_member(config),
                "slot": In(config.slot_width),
                "pending": Out(1),
                "occupied": Out(1),
                "error": Out(1),
                **({"notes": Out(Notes(config))} if config.plasticity else {}),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from the transfer of an event to its segments, in the row of a dense matrix."""
        return 1

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        m.submodules.connections = connections = memory(
            struct(config.connection_row),
            1 << index_bits(config.connections),
            self.contents.get(LoadTarget.CONNECTION, ()),
        )
        connect_load(m, self.load, LoadTarget.CONNECTION, connections)
        connection_read = connections.read_port()
        row = connection_read.data

        # Stage D: an event, and beside it the row of its connection. W: the skid register.
        d_valid = Signal()
        d_event = Signal(struct(config.event))
        d_take = Signal()
        d_free = Signal()
        w_valid = Signal()
        w_event = Signal.like(d_event)
        next_event = Signal.like(d_event)
        exists = Signal()  # connection and axon do
        m.d.comb += [
            d_take.eq(self.segments.valid & self.segments.ready),
            d_free.eq(~d_valid | d_take),
            self.event.ready.eq(~w_valid),
            next_event.eq(Mux(w_valid, w_event, self.event.p)),
            connection_read.addr.eq(next_event.connection),
            connection_read.en.eq(d_free),
            self.pending.eq(
                (d_valid & (d_event.slot == self.slot)) | (w_valid & (w_event.slot == self.slot))
            ),
            self.occupied.eq(d_valid | w_valid),
        ]
        m.d.sync += self.error.eq(d_take & ~exists)
        with m.If(~w_valid):
            m.d.sync += w_event.eq(self.event.p)
        with m.If(d_free):
            m.d.sync += [
                d_valid.eq(w_valid | self.event.valid),
                d_event.eq(next_event),
                w_valid.eq(0),
            ]
        with m.Elif(~w_valid):
            m.d.sync += w_valid.eq(self.event.valid)

        # A dense matrix is one segment, and the connection's row has all of it.
        segment = self.segments.p
        m.d.comb += [
            self.segments.valid.eq(d_valid),
            exists.eq((d_event.index < row.sources) & (row.groups != 0)),
            segment.has_targets.eq(exists),
            segment.slot.eq(d_event.slot),
            segment.weight.eq(row.weight_base + d_event.index),
            segment.sum.eq(row.sum_base + d_event.slot),
            segment.stride.eq(row.sources),
            segment.groups.eq(row.groups),
            segment.synapses.eq(row.synapses),
        ]
        for name, _ in config.amount:
            m.d.comb += segment[name].eq(d_event[name])
        if config.weight_pairs:
            m.d.comb += segment.high.eq(row.high)
        readable = {ReadTarget.CONNECTION: connection_read}
        if config.images:
            m.d.comb += [
                segment.sum_stride.eq(config.slots),
                segment.rows.eq(1),
                segment.columns.eq(1),
            ]
        stage = _StageD(d_valid, d_free, d_event, row, exists)
        if config.one_to_one:
            self._select_lane(m, stage)
        if config.images or config.sparse_words:
            m.submodules.coordinates = coordinates = memory(
                struct(config.coordinate_row),
                1 << index_bits(config.coordinates),
                self.contents.get(LoadTarget.COORDINATE, ()),
            )
            connect_load(m, self.load, LoadTarget.COORDINATE, coordinates)
            coordinate_read = coordinates.read_port()
            if config.images:
                self._look_up(m, coordinate_read, stage)
            if config.sparse_words:
                self._look_up_source(m, coordinate_read, stage)
            readable[ReadTarget.COORDINATE] = coordinate_read
        if config.plasticity:
            noted = row.plastic & self.notes.learning
            m.d.comb += [
                self.notes.valid.eq(d_take & exists & noted),
                self.notes.p.rule.eq(row.rule),
                self.notes.p.axon.eq(row.axon_base + d_event.index),
            ]
            if config.plastic_kernels:
                self._note_image(m, d_event, row)
            with m.If(noted & self.notes.full):
                m.d.comb += self.segments.valid.eq(0)
        if config.readable:
            m.d.comb += self.read.data.eq(connect_read(m, self.read, readable))
        return m

    def _note_image(self, m: Module, event: data.View, row: data.View) -> None:
        """The axon of an event of an image, two clocks after its row: it is taken later."""
        bits = len(row.axon_base)
        rows = delayed(m, (event.y << row.axon_row)[:bits], 1)
        columns = delayed(m, (event.x << row.axon_column)[:bits], 1)
        axon = delayed(m, (row.axon_base + event.index + rows + columns)[:bits], 1)
        with m.If(row.image):
            m.d.comb += self.notes.p.axon.eq(axon)

    def _look_up(self, m: Module, coordinate_read: ReadPort, stage: _StageD) -> None:
        """For an event of a row with `image`, adds up the rows of its coordinates.

        `clock` counts the event's clocks in stage D. It is a counter and no `m.FSM`, because the
        look-ups follow each other without a branch, and each adds the row that the last one read.
        """
        event, row = stage.event, stage.row
        segment = self.segments.p
        coordinate = coordinate_read.data

        clock = Signal(range(5))
        weight = Signal.like(segment.weight)
        sum_ = Signal.like(segment.sum)
        rows = Signal.like(segment.rows)
        columns = Signal.like(segment.columns)
        groups = Signal.like(segment.groups)
        synapses = Signal.like(segment.synapses)
        complete = Signal()
        m.d.comb += complete.eq(~row.image | (clock == Mux(row.grouped, 4, 3)))
        with m.If(stage.free):
            m.d.sync += clock.eq(0)
        with m.Elif(~complete):
            m.d.sync += clock.eq(clock + 1)
            # The row whose address was presented in the clock before; clock 0 overrides this.
            m.d.sync += [weight.eq(weight + coordinate.weight), sum_.eq(sum_ + coordinate.sum)]
        with m.Switch(clock):
            with m.Case(0):
                m.d.comb += coordinate_read.addr.eq(row.row_coordinates + event.y)
                m.d.sync += [
                    weight.eq(row.weight_base + Mux(row.grouped, 0, event.index)),
                    sum_.eq(row.sum_base + event.slot),
                ]
            with m.Case(1):
                m.d.comb += coordinate_read.addr.eq(row.column_coordinates + event.x)
                m.d.sync += rows.eq(coordinate.count)
            with m.Case(2):
                m.d.comb += coordinate_read.addr.eq(row.channel_coordinates + event.index)
                m.d.sync += [
                    columns.eq(coordinate.count),
                    groups.eq(row.groups),
                    synapses.eq(row.synapses),
                ]
            with m.Case(3):
                with m.If(row.grouped):
                    m.d.sync += [groups.eq(coordinate.count), synapses.eq(coordinate.synapses)]

        m.d.comb += self.segments.valid.eq(stage.valid & complete)
        with m.If(row.image):
            inside = (event.y < row.height) & (event.x < row.width)
            m.d.comb += [
                stage.exists.eq((event.index < row.sources) & (row.groups != 0) & inside),
                segment.has_targets.eq(stage.exists & (rows != 0) & (columns != 0) & (groups != 0)),
                segment.weight.eq(weight),
                segment.sum.eq(sum_),
                segment.stride.eq(row.stride),
                segment.groups.eq(groups),
                segment.synapses.eq(synapses),
                segment.rows.eq(rows),
                segment.columns.eq(columns),
                segment.sum_stride.eq(row.sum_stride),
                segment.row_weights.eq(row.row_weights),
                segment.column_weights.eq(row.column_weights),
                segment.row_sums.eq(row.row_sums),
                segment.column_sums.eq(row.column_sums),
            ]

    def _look_up_source(self, m: Module, coordinate_read: ReadPort, stage: _StageD) -> None:
        """For an event of a row with `sparse`, reads the words of its source."""
        event, row = stage.event, stage.row
        segment = self.segments.p
        source = coordinate_read.data
        looked = Signal()  # `source` is that of the event
        m.d.sync += looked.eq(stage.valid & ~stage.free)
        with m.If(row.sparse):
            m.d.comb += [
                coordinate_read.addr.eq(row.channel_coordinates + event.index),
                self.segments.valid.eq(stage.valid & looked),
                segment.sparse.eq(1),
                segment.has_targets.eq(stage.exists & (source.count != 0)),
                segment.weight.eq(source.weight),
                segment.stride.eq(1),
                segment.groups.eq(source.count),
                segment.synapses.eq(source.synapses),
            ]

    def _select_lane(self, m: Module, stage: _StageD) -> None:
        """For an event of a row with `one_to_one`, finds its word and its lane in that."""
        event, row = stage.event, stage.row
        segment = self.segments.p
        lane_bits = index_bits(self.config.lanes) if self.config.lanes > 1 else 0
        word = event.index[lane_bits:]
        in_tile = (event.index >= row.first) & (event.index <= row.last)
        with m.If(row.one_to_one):
            m.d.comb += [
                segment.single.eq(1),
                segment.lane.eq(event.index[:lane_bits]),
                segment.has_targets.eq(stage.exists & in_tile),
                segment.weight.eq(row.weight_base + word),
                segment.sum.eq(row.sum_base + event.slot + word * self.config.slots),
                segment.groups.eq(1),
            ]
