"""AddressGeneration: finds out where an event leads."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import ReadPort
from amaranth.lib.wiring import In, Out

from spikeloom.golden.contents import NO_ROWS, Rows
from spikeloom.golden.spec import FabricConfig, LoadTarget, ReadTarget, index_bits
from spikeloom.hdl.common.load import connect_load, load_signature
from spikeloom.hdl.common.read import connect_read, read_member
from spikeloom.hdl.common.shapes import memory, struct


def segments(config: FabricConfig) -> data.StructLayout:
    """Where an event leads: its first segment, and the way to those that follow.

    `leads`: anywhere at all. `weight`, `sum`: addresses of the first group. `stride`, with images
    also `sum_stride`: from each group of a segment to the next; `groups` of them, in which
    `synapses` real synapses lie. With images: `columns` segments make a row of `rows`; the steps
    from segment to segment are those of `FabricConfig.connection_row`. `high`: as there.
    """
    row = struct(config.connection_row).members
    fields = {
        "leads": 1,
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
    if config.weight_pairs:
        fields["high"] = 1
    return data.StructLayout(fields)


class AddressGeneration(wiring.Component):
    """Looks up an event's connection, and with images where the event's place leads.

    Timing: an event taken in clock n is described in clock n + 1. That of an image takes until
    clock n + 4, or n + 5 where the convolution is grouped: a look-up for its row, its column and
    its channel. Another event may be taken while this one is here; it waits.

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
    segments : Out(stream.Signature(segments(config)))
        Where they lead; also for those that do not.
    load : In(load_signature(config))
    read : In(read_signature(config))
        With `readable` only.
    slot : In, pending : Out(1)
        Whether an event that is due in `slot` is here.
    error : Out(1)
        An event is dropped in this clock, because its connection or axon is not there.
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
                "error": Out(1),
            }
        )

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

        # Stage D: the event, and beside it its connection's row.
        d_valid = Signal()
        d_event = Signal(struct(config.event))
        d_take, d_free = Signal(), Signal()
        w_valid = Signal()
        w_event, next_event = Signal.like(d_event), Signal.like(d_event)
        row = connection_read.data
        known = Signal()
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
        ]
        m.d.sync += self.error.eq(d_take & ~known)
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

        # A dense matrix: one segment, and all is in the row.
        found = self.segments.p
        m.d.comb += [
            self.segments.valid.eq(d_valid),
            known.eq((d_event.index < row.sources) & (row.groups != 0)),
            found.leads.eq(known),
            found.slot.eq(d_event.slot),
            found.weight.eq(row.weight_base + d_event.index),
            found.sum.eq(row.sum_base + d_event.slot),
            found.stride.eq(row.sources),
            found.groups.eq(row.groups),
            found.synapses.eq(row.synapses),
        ]
        if config.weight_pairs:
            m.d.comb += found.high.eq(row.high)
        readable = {ReadTarget.CONNECTION: connection_read}
        if config.images:
            m.d.comb += [found.sum_stride.eq(config.slots), found.rows.eq(1), found.columns.eq(1)]
            readable[ReadTarget.COORDINATE] = self._describe_image(
                m, d_valid, d_free, d_event, row, known
            )
        if config.readable:
            m.d.comb += self.read.data.eq(connect_read(m, self.read, readable))
        return m

    def _describe_image(
        self,
        m: Module,
        d_valid: Signal,
        d_free: Signal,
        event: data.View,
        row: data.View,
        known: Signal,
    ) -> ReadPort:
        """What is different for an event of a row with `image`: it is described step by step.

        Returns the port of the coordinate table.
        """
        config = self.config
        found = self.segments.p
        m.submodules.coordinates = coordinates = memory(
            struct(config.coordinate_row),
            1 << index_bits(config.coordinates),
            self.contents.get(LoadTarget.COORDINATE, ()),
        )
        connect_load(m, self.load, LoadTarget.COORDINATE, coordinates)
        axis_read = coordinates.read_port()
        axis = axis_read.data

        a_clock = Signal(range(5))
        a_weight = Signal.like(found.weight)
        a_sum = Signal.like(found.sum)
        a_rows = Signal.like(found.rows)
        a_columns = Signal.like(found.columns)
        a_groups = Signal.like(found.groups)
        a_synapses = Signal.like(found.synapses)
        described = Signal()
        m.d.comb += described.eq(~row.image | (a_clock == Mux(row.grouped, 4, 3)))
        with m.If(d_free):
            m.d.sync += a_clock.eq(0)
        with m.Elif(~described):
            m.d.sync += a_clock.eq(a_clock + 1)
            # What the address presented in the clock before gave.
            m.d.sync += [a_weight.eq(a_weight + axis.weight), a_sum.eq(a_sum + axis.sum)]
        with m.Switch(a_clock):
            with m.Case(0):
                m.d.comb += axis_read.addr.eq(row.row_coordinates + event.y)
                m.d.sync += [
                    a_weight.eq(row.weight_base + Mux(row.grouped, 0, event.index)),
                    a_sum.eq(row.sum_base + event.slot),
                ]
            with m.Case(1):
                m.d.comb += axis_read.addr.eq(row.column_coordinates + event.x)
                m.d.sync += a_rows.eq(axis.count)
            with m.Case(2):
                m.d.comb += axis_read.addr.eq(row.channel_coordinates + event.index)
                m.d.sync += [
                    a_columns.eq(axis.count),
                    a_groups.eq(row.groups),
                    a_synapses.eq(row.synapses),
                ]
            with m.Case(3):
                with m.If(row.grouped):
                    m.d.sync += [a_groups.eq(axis.count), a_synapses.eq(axis.synapses)]

        m.d.comb += self.segments.valid.eq(d_valid & described)
        with m.If(row.image):
            inside = (event.y < row.height) & (event.x < row.width)
            m.d.comb += [
                known.eq((event.index < row.sources) & (row.groups != 0) & inside),
                found.leads.eq(known & (a_rows != 0) & (a_columns != 0) & (a_groups != 0)),
                found.weight.eq(a_weight),
                found.sum.eq(a_sum),
                found.stride.eq(row.stride),
                found.groups.eq(a_groups),
                found.synapses.eq(a_synapses),
                found.rows.eq(a_rows),
                found.columns.eq(a_columns),
                found.sum_stride.eq(row.sum_stride),
                found.row_weights.eq(row.row_weights),
                found.column_weights.eq(row.column_weights),
                found.row_sums.eq(row.row_sums),
                found.column_sums.eq(row.column_sums),
            ]
        return axis_read
