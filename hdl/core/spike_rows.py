"""The spike queue of a fabric with several fire lanes."""

from functools import reduce
from operator import or_

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import LANE_FIELDS, FabricConfig
from spikeloom.hdl.common.queue import Queue
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.core.banks import lane_bits


def entry(config: FabricConfig) -> data.StructLayout:
    """What fire pushes to the spike queue: the spikes of a row, and what emit knows of each early.

    `routed`, `single`: as in `Emit`, a bit for each fire lane.
    """
    lanes = config.fire_lanes
    return data.StructLayout(
        {"spike": struct(config.spike_row), "routed": lanes, "single": lanes, "short": 1}
    )


def sent(config: FabricConfig, row: data.View) -> Value:
    """A row as a bench compares it: the fields of lanes that do not send are 0."""
    if config.fire_lanes == 1:
        return Value.cast(row)
    sends = {
        f"{name}{lane}": row.sends[lane]
        for name in LANE_FIELDS
        for lane in range(config.fire_lanes)
    }
    return Cat(
        Mux(sends.get(field.name, 1), Value.cast(row[field.name]), 0)[: field.width]
        for field in config.spike_row.fields
    )


class SpikeRows(wiring.Component):
    """A queue of rows of neurons whose head is one spike: those of a row come in neuron order.

    Timing: as `Queue`; a row holds the head for one pop of each lane that `sends`.

    Parameters
    ----------
    config
        Sizes of the fabric.

    Members
    -------
    push : In(1)
        Appends `item`, for which there must be room.
    item : In(entry(config))
    valid : Out(1)
        There is a head.
    head : Out
        The spike, as `entry` of a fabric with one fire lane has it.
    pop : In(1)
        Removes the head, if there is one.
    last : Out(1)
        The head is the last one of its row.
    empty : Out(1)
        The queue holds nothing.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        head = {"spike": struct(config.spike), "routed": 1, "single": 1, "short": 1}
        super().__init__(
            {
                "push": In(1),
                "item": In(entry(config)),
                "valid": Out(1),
                "head": Out(data.StructLayout(head)),
                "pop": In(1),
                "last": Out(1),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self.config
        lanes = config.fire_lanes
        low = lane_bits(config)
        m = Module()
        m.submodules.rows = rows = Queue(entry(config), config.queue)
        row = rows.head
        done = Signal(lanes)
        left = Signal(lanes)
        chosen = Signal(lanes)  # the lowest lane that is left
        m.d.comb += [
            rows.push.eq(self.push),
            rows.item.eq(self.item),
            left.eq(row.spike.sends & ~done),
            chosen.eq(left & (~left + 1)),
            self.last.eq(left == chosen),
            rows.pop.eq(self.pop & self.last),
            self.valid.eq(rows.valid),
            self.empty.eq(rows.empty),
        ]
        with m.If(self.pop & rows.valid):
            m.d.sync += done.eq(Mux(self.last, 0, done | chosen))

        def of_lane(values: list[Value]) -> Value:
            """The value of the lane that is chosen."""
            return reduce(or_, (Mux(chosen[n], value, 0) for n, value in enumerate(values)))

        for name in ("routed", "single"):
            m.d.comb += self.head[name].eq(of_lane(list(row[name])))
        number = of_lane([Const(n, low) for n in range(lanes)])
        m.d.comb += [
            self.head.short.eq(row.short),
            self.head.spike.index.eq(Cat(number, row.spike.index[low:])),
        ]
        for field in config.spike.fields:
            if field.name in LANE_FIELDS:
                values = [Value.cast(row.spike[f"{field.name}{n}"]) for n in range(lanes)]
                m.d.comb += self.head.spike[field.name].eq(of_lane(values))
            elif field.name != "index":
                m.d.comb += self.head.spike[field.name].eq(row.spike[field.name])
        return m
