"""Packets go where they should: the specification of a router and of a mesh."""

from collections.abc import Callable
from typing import Any

from amaranth import Cat, Elaboratable, Module, Mux, Signal
from amaranth.hdl import Assert, Assume, Cover
from amaranth.lib import stream
from specs import ConstantTable, holds, tiny, transfer, using

from golden.spec import TURNS, FabricConfig, Port
from hdl.mesh import Mesh
from hdl.router import Router, RouterInput
from hdl.shapes import struct
from sim.formal import fixed, free

ARRIVES = {
    Port.EAST: Port.WEST,
    Port.WEST: Port.EAST,
    Port.NORTH: Port.SOUTH,
    Port.SOUTH: Port.NORTH,
}
"""The port through which a packet comes in that left its neighbour through another."""


def exits_of(config: FabricConfig, tile: int) -> list[Port]:
    """The ports of a tile's router that lead somewhere."""
    return [p for p in Port if p is Port.LOCAL or config.neighbour(tile, p) is not None]


class Delivery(Elaboratable):
    """Packets go to all their destinations, once, unchanged, in order, and nowhere else.

    Two packets that one entry takes in, one after the other and at any time, are followed. They alone are
    due in slots 1 and 2; so they are known wherever they come out, and `pending` of such a slot tells
    whether one of them is still there. What else the packets hold, the other packets, the tables
    and when each exit is ready, is free. `rests[n]` are the destinations that packet n has not reached.

    Parameters
    ----------
    entries, exits
        Streams of the device under test, `dut`.
    destinations
        From the number of an entry and a route to the exits, a bit for each.
    latency
        Also claim that the first packet has arrived everywhere after so many clocks, if every
        exit is always ready.
    """

    def __init__(
        self,
        dut: Any,
        entries: list[stream.Interface],
        exits: list[stream.Interface],
        destinations: Callable[[int, Any], Any],
        latency: int | None = None,
    ) -> None:
        self.dut = dut
        self.entries = entries
        self.exits = exits
        self.destinations = destinations
        self.latency = latency

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        config = dut.config
        entry = fixed(m, range(len(self.entries)), "entry")
        choose = free(m, 2, "choose")
        began = Signal(2)  # packets being followed
        slot = fixed(m, config.slot_width, "slot")
        m.d.comb += [Assume((slot == 1) | (slot == 2)), dut.slot.eq(slot)]

        tag = Signal(config.slot_width)
        with m.If(~began[0] & choose[0]):
            m.d.comb += tag.eq(1)
        with m.Elif(began[0] & ~began[1] & choose[1]):
            m.d.comb += tag.eq(2)
        rests = [Signal(len(self.exits), name=f"rest{n}") for n in range(2)]
        packets = [Signal(struct(config.event), name=f"packet{n}") for n in range(2)]
        for number, port in enumerate(self.entries):
            packet = free(m, struct(config.event), f"packet_in{number}")
            here = entry == number
            m.d.comb += [
                port.valid.eq(free(m, 1, f"valid{number}")),
                port.p.eq(packet),
                Assume(packet.slot == Mux(here, tag, 0)),
            ]
            for one in range(2):
                with m.If(here & transfer(port) & (tag == one + 1)):
                    m.d.sync += [
                        began[one].eq(1),
                        packets[one].eq(packet),
                        rests[one].eq(self.destinations(number, packet.route)),
                    ]
        for number, port in enumerate(self.exits):
            always = 1 if self.latency is not None else free(m, 1, f"ready{number}")
            m.d.comb += [port.ready.eq(always), Assert(holds(m, port), "valid and payload hold")]
            for one in range(2):
                with m.If(transfer(port) & (port.p.slot == one + 1)):
                    m.d.sync += rests[one][number].eq(0)
                    m.d.comb += [
                        Assert(rests[one][number], "to a destination, and once"),
                        Assert(port.p == packets[one], "unchanged"),
                    ]
            with m.If(transfer(port) & (port.p.slot == 2)):
                m.d.comb += Assert(~rests[0][number], "in order")
        waiting = Mux(slot == 1, rests[0], rests[1])
        m.d.comb += Assert(~waiting.any() | dut.pending.any(), "none is lost")
        m.d.comb += Cover(began.all() & (slot == 1) & ~rests[0].any() & ~dut.pending.any())
        for number in range(len(self.exits)):
            m.d.comb += Cover(transfer(self.exits[number]) & (self.exits[number].p.slot == 2))

        if self.latency is not None:
            age = Signal(range(self.latency + 2))
            with m.If(began[0] & rests[0].any() & (age <= self.latency)):
                m.d.sync += age.eq(age + 1)
            m.d.comb += Assert(age <= self.latency, "arrived in time")
        return m


class RouterDelivery(Delivery):
    """A router and its five outputs."""

    def __init__(
        self,
        config: FabricConfig,
        tile: int,
        unit: type[RouterInput] | None = None,
        latency: int | None = None,
        **parts: Any,
    ) -> None:
        unit = unit or using(RouterInput, Memory=ConstantTable)
        dut = using(Router, RouterInput=unit, **parts)(config, tile)
        self.ports = [*config.links(tile), Port.LOCAL]
        self.outs = exits_of(config, tile)
        super().__init__(
            dut,
            [dut.inputs[port] for port in self.ports],
            [dut.outputs[port] for port in self.outs],
            self._destinations,
            latency,
        )

    def elaborate(self, platform: object) -> Module:
        m = super().elaborate(platform)
        config = self.dut.config
        m.d.comb += self.dut.load.word.data.eq(fixed(m, config.routes * len(Port), "table"))
        return m

    def _destinations(self, entry: int, route: Any) -> Any:
        row = self.dut.load.word.data.word_select(route, len(Port))
        turns = TURNS[self.ports[entry]]
        return Cat(row[port] if port in turns else 0 for port in self.outs)
