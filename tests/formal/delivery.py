"""Packets go where they should: what is claimed of a router, a mesh and the collector.

The claims are proved by induction over one clock, so they hold for ever: `verify` is asked to
assume all claims and invariants in one clock, any that the registers may be in, and to show them
in the next. The designs are the smallest of their kind. What a packet holds beyond route and slot
steers nothing, so two values of it stand for all; and the buffers have their least depth.
"""

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from amaranth import Cat, Const, Elaboratable, Module, Mux, Signal, Value
from amaranth.hdl import Assert, Assume, Cover
from amaranth.lib import stream
from specs import ConstantTable, holds, opened, transfer, using

from spikeloom.golden.spec import FACING, TURNS, FabricConfig, Layout, Port
from spikeloom.hdl.common.arbiter import RoundRobin
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.mesh.collector import Collector, CollectorNode
from spikeloom.hdl.mesh.mesh import Mesh
from spikeloom.hdl.mesh.router import Router, RouterInput, RouterOutput
from spikeloom.sim.formal import fixed, free

Fault = tuple[type, str, str]
"""A component, a piece of the text of its module, and what is there instead."""


def open_router(fault: Fault | None = None) -> Any:
    """The router, with constant tables, its inside to be seen, and perhaps a fault in it."""
    hooks: dict[type, dict[str, str]] = {
        RouterInput: {
            "l_valid = Signal()": "l_valid = self.l_valid = Signal()",
            "l_packet = Signal(": "l_packet = self.l_packet = Signal(",
            "level = Signal(": "level = self.level = Signal(",
            "ports = Cat(": "ports = self.ports = Cat(",
            "queue = Signal(": "queue = self.queue = Signal(",
        },
        RouterOutput: {"arbiter = RoundRobin(": "arbiter = self.arbiter = RoundRobin("},
        Router: {
            "exits = [": "self.units, self.sinks = {}, {}\n        exits = [",
            "inputs[port] = unit = ": "self.units[port] = inputs[port] = unit = ",
            "unit = RouterOutput(": "unit = self.sinks[port] = RouterOutput(",
        },
        RoundRobin: {"turn = Signal(": "turn = self.turn = Signal("},
    }
    if fault:
        hooks[fault[0]][fault[1]] = fault[2]
    return opened(
        Router,
        hooks[Router],
        RouterInput=opened(RouterInput, hooks[RouterInput], memory=ConstantTable),
        RouterOutput=opened(
            RouterOutput, hooks[RouterOutput], RoundRobin=opened(RoundRobin, hooks[RoundRobin])
        ),
    )


@dataclass(frozen=True)
class Place:
    """A place where a packet can be.

    Members
    -------
    occupied, packet
        Whether one is there, and which.
    reach
        The exits to which it will go from there, a bit for each.
    ranks
        For each exit, how far from it this place is.
    entries
        The entries from which it can have come.
    """

    occupied: Value
    packet: Any
    reach: Value
    ranks: list[int]
    entries: list[int]


class Delivery(Elaboratable):
    """Packets go to all their destinations, once, unchanged, in order, and nowhere else.

    Two packets that one entry takes in, one after the other and at any time, are followed. They
    alone are due in slots 1 and 2; so they are known wherever they come out, and `pending` of
    such a slot tells whether one of them is still there. What else the packets hold, the other
    packets, the tables and when each exit is ready, is free. `rests[n]` are the destinations that
    packet n has not reached. Every table is a legal one: there is one way at most from an entry to
    an exit, along the row and then along the column.

    The invariants that make the claims inductive: for each exit in `rests[n]` exactly one place
    holds packet n on its way to it, for others none; the second packet is never in front of the
    first on the way to the same exit.

    Parameters
    ----------
    config
        Sizes of the fabric.
    entries, exits
        Streams of the device under test, `dut`.
    """

    config: FabricConfig
    dut: Any
    entries: list[stream.Interface]
    exits: list[stream.Interface]
    with_lemmas = True
    """Also claim the invariants."""

    def packet(self) -> Layout:
        """What a packet holds."""
        return self.config.event

    def tag(self, packet: Any) -> Value:
        """The field of a packet that says whether it is followed."""
        return packet.slot

    def prepare(self, m: Module) -> None:
        """Connects what is special about the device under test."""

    def present(self, m: Module) -> list[Value]:
        """For each of the two packets, whether the device under test says that it is there."""
        slot = fixed(m, self.config.slot_width, "slot")
        m.d.comb += self.dut.slot.eq(slot)
        return [(slot != one + 1) | self.dut.pending.any() for one in range(2)]

    def destinations(self, m: Module, entry: int, packet: Any) -> Value:
        """The exits, a bit for each, to which `packet` goes from an entry."""
        raise NotImplementedError

    def places(self, m: Module, packet: Any) -> list[Place]:
        """All places for packets; `reach` is right where they hold `packet`."""
        raise NotImplementedError

    def lemmas(self) -> list[Value]:
        """Other invariants."""
        raise NotImplementedError

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = self.dut
        shape = struct(self.packet())
        self.prepare(m)
        entry = fixed(m, range(len(self.entries)), "entry")
        choose = free(m, 2, "choose")
        began = Signal(2)
        m.d.comb += Assume(entry < len(self.entries))
        tag = Signal(2)
        with m.If(~began[0] & choose[0]):
            m.d.comb += tag.eq(1)
        with m.Elif(began[0] & ~began[1] & choose[1]):
            m.d.comb += tag.eq(2)
        rests = [Signal(len(self.exits), name=f"rest{n}") for n in range(2)]
        packets = [Signal(shape, name=f"packet{n}") for n in range(2)]
        for number, port in enumerate(self.entries):
            packet = free(m, shape, f"packet_in{number}")
            here = entry == number
            m.d.comb += [
                port.valid.eq(free(m, 1, f"valid{number}")),
                port.p.eq(packet),
                Assume(self.tag(packet) == Mux(here, tag, 0)),
            ]
            for one in range(2):
                with m.If(here & transfer(port) & (tag == one + 1)):
                    m.d.sync += [
                        began[one].eq(1),
                        packets[one].eq(packet),
                        rests[one].eq(self.destinations(m, number, packet)),
                    ]
        for number, port in enumerate(self.exits):
            m.d.comb += [
                port.ready.eq(free(m, 1, f"ready{number}")),
                Assert(holds(m, port), "valid and payload hold"),
            ]
            for one in range(2):
                with m.If(transfer(port) & (self.tag(port.p) == one + 1)):
                    m.d.sync += rests[one][number].eq(0)
                    m.d.comb += [
                        Assert(rests[one][number], "to a destination, and once"),
                        Assert(port.p == packets[one], "unchanged"),
                    ]
            with m.If(transfer(port) & (self.tag(port.p) == 2)):
                m.d.comb += Assert(~rests[0][number], "in order")
            m.d.comb += Cover(transfer(port) & (self.tag(port.p) == 2), "comes out")
        for one, present in enumerate(self.present(m)):
            m.d.comb += Assert(~rests[one].any() | present, "none is lost")
        m.d.comb += Cover(began.all() & ~(rests[0] | rests[1]).any(), "all have come")

        if self.with_lemmas:
            self.claim_lemmas(m, began, entry, rests, packets)
        return m

    def claim_lemmas(
        self, m: Module, began: Signal, entry: Signal, rests: list[Signal], packets: list[Any]
    ) -> None:
        held: list[list[Value]] = []  # for each packet, of each place the exits it goes to
        for one in range(2):
            places = self.places(m, packets[one])
            held.append([])
            for place in places:
                at = Signal()
                going = Signal(len(self.exits))
                come = Cat(entry == number for number in place.entries).any()
                m.d.comb += [
                    at.eq(place.occupied & (self.tag(place.packet) == one + 1)),
                    going.eq(Mux(at, place.reach, 0)),
                    Assert(~at | began[one], "lemma: not before it came"),
                    Assert(~at | come, "lemma: where it can come"),
                    Assert(~at | (place.packet == packets[one]), "lemma: unchanged inside"),
                ]
                held[one].append(going)
            for number in range(len(self.exits)):
                bits = Cat(going[number] for going in held[one])
                m.d.comb += [
                    Assert(bits.any() == rests[one][number], "lemma: on its way"),
                    Assert((bits & (bits - 1)) == 0, "lemma: on its way once"),
                ]
        for number in range(len(self.exits)):
            ranks = [place.ranks[number] for place in places]
            nearer: Value = Const(0)  # the second packet is no farther from the exit
            for rank in sorted(set(ranks)):
                first, second = (
                    Cat(held[one][n][number] for n, other in enumerate(ranks) if other == rank)
                    for one in range(2)
                )
                reached = Signal()
                m.d.comb += [
                    reached.eq(nearer | second.any()),
                    Assert(~(first.any() & reached), "lemma: in order"),
                ]
                nearer = reached
        m.d.comb += Assert(began[0] | ~began[1], "lemma: one after the other")
        m.d.comb += [Assert(lemma, "lemma: units") for lemma in self.lemmas()]


def input_lemmas(unit: RouterInput, row: Value) -> list[Value]:
    """Its queue is filled from the head, and L has its row of the table."""
    occupied = [place.wants.any() for place in unit.queue]
    expected = [number < unit.level for number in range(len(occupied))]
    named = Cat(row[turn] for turn in unit.turns)
    return [
        unit.level + unit.l_valid <= len(occupied),
        Cat(occupied) == Cat(expected),
        ~unit.l_valid | (unit.ports == named),
    ]


def turn_lemmas(unit: RouterOutput) -> list[Value]:
    """It is always one input's turn."""
    turn = unit.arbiter.turn
    return [turn.any(), (turn & (turn - 1)) == 0]


class RouterDelivery(Delivery):
    """A router; its exits are its outputs."""

    def __init__(self, config: FabricConfig, tile: int, fault: Fault | None = None) -> None:
        self.config = config
        self.dut = open_router(fault)(config, tile)
        self.ports = list(self.dut.units)
        self.outs = [p for p in Port if p is Port.LOCAL or config.neighbour(tile, p) is not None]
        self.entries = [self.dut.inputs[port] for port in self.ports]
        self.exits = [self.dut.outputs[port] for port in self.outs]

    def prepare(self, m: Module) -> None:
        m.d.comb += self.dut.load.word.data.eq(fixed(m, self.config.routes * len(Port), "table"))

    def row(self, route: Value) -> Value:
        return self.dut.load.word.data.word_select(route, len(Port))

    def destinations(self, m: Module, entry: int, packet: Any) -> Value:
        turns = TURNS[self.ports[entry]]
        row = self.row(packet.route)
        return Cat(row[port] if port in turns else 0 for port in self.outs)

    def places(self, m: Module, packet: Any) -> list[Place]:
        listed = []
        for entry, unit in enumerate(self.dut.units.values()):

            def wanted(wants: Value, unit: Any = unit) -> Value:
                bits = dict(zip(unit.turns, wants, strict=True))
                return Cat(bits.get(port, 0) for port in self.outs)

            last = self.config.buffer + 1
            listed.append(
                Place(
                    unit.l_valid,
                    unit.l_packet,
                    wanted(unit.ports),
                    [last] * len(self.exits),
                    [entry],
                )
            )
            for number, place in enumerate(unit.queue):
                listed.append(
                    Place(
                        place.wants.any(),
                        place.packet,
                        wanted(place.wants),
                        [number + 1] * len(self.exits),
                        [entry],
                    )
                )
        for number, port in enumerate(self.exits):
            feeding = [
                entry
                for entry, unit in enumerate(self.dut.units.values())
                if self.outs[number] in unit.turns
            ]
            reach = Cat(int(other == number) for other in range(len(self.exits)))
            listed.append(Place(port.valid, port.p, reach, [0] * len(self.exits), feeding))
        return listed

    def lemmas(self) -> list[Value]:
        return [
            lemma
            for unit in self.dut.units.values()
            for lemma in input_lemmas(unit, self.row(unit.l_packet.route))
        ] + [lemma for unit in self.dut.sinks.values() for lemma in turn_lemmas(unit)]


class MeshDelivery(Delivery):
    """A mesh; its entries are the host's and the tiles', its exits lead to the tiles."""

    def __init__(self, config: FabricConfig, fault: Fault | None = None) -> None:
        self.config = config
        if fault and fault[0] is Mesh:
            self.dut = opened(Mesh, {fault[1]: fault[2]}, Router=open_router())(config)
        else:
            self.dut = using(Mesh, Router=open_router(fault))(config)
        tiles = range(config.tiles)
        self.entries = [self.dut.host, *self.dut.inject]
        self.ways = [(0, Port.WEST), *((tile, Port.LOCAL) for tile in tiles)]
        self.exits = list(self.dut.deliver)
        self.tables: list[Value] = []

    def prepare(self, m: Module) -> None:
        for tile, load in enumerate(self.dut.loads):
            table = fixed(m, self.config.routes * len(Port), f"table{tile}")
            m.d.comb += load.word.data.eq(table)
            self.tables.append(table)

    def row(self, tile: int, route: Value) -> Value:
        return self.tables[tile].word_select(route, len(Port))

    def beyond(self, m: Module, route: Value) -> dict[tuple[int, Port], Value]:
        """For each output of each router the exits that packets of `route` reach through it."""
        listed: dict[tuple[int, Port], Value] = {}

        def visit(tile: int, port: Port) -> Value:
            if (tile, port) not in listed:
                listed[tile, port] = reach = Signal(self.config.tiles, name=f"beyond{tile}")
                if port is Port.LOCAL:
                    m.d.comb += reach.eq(1 << tile)
                else:
                    other = self.config.neighbour(tile, port)
                    turns = self.dut.routers[other].units[FACING[port]].turns
                    row = self.row(other, route)
                    ways = [Mux(row[turn], visit(other, turn), 0) for turn in turns]
                    m.d.comb += reach.eq(reduce(or_, ways))
            return listed[tile, port]

        for tile, router in enumerate(self.dut.routers):
            for port in router.sinks:
                visit(tile, port)
        return listed

    def destinations(self, m: Module, entry: int, packet: Any) -> Value:
        tile, port = self.ways[entry]
        beyond = self.beyond(m, packet.route)
        row = self.row(tile, packet.route)
        turns = self.dut.routers[tile].units[port].turns
        return reduce(or_, (Mux(row[turn], beyond[tile, turn], 0) for turn in turns))

    def arrival(self, entry: int, tile: int) -> Port:
        """The port of the router of `tile` through which packets from an entry come."""
        source, port = self.ways[entry]
        row, column = divmod(tile, self.config.columns)
        first_row, first_column = divmod(source, self.config.columns)
        if row != first_row:
            return Port.NORTH if row > first_row else Port.SOUTH
        if column != first_column:
            return Port.WEST if column > first_column else Port.EAST
        return port

    def hops(self, tile: int, other: int) -> int:
        row, column = divmod(tile, self.config.columns)
        other_row, other_column = divmod(other, self.config.columns)
        return abs(row - other_row) + abs(column - other_column)

    def places(self, m: Module, packet: Any) -> list[Place]:
        listed = []
        beyond = self.beyond(m, packet.route)
        length = self.config.buffer + 2
        for tile, router in enumerate(self.dut.routers):
            hops = [self.hops(tile, other) for other in range(self.config.tiles)]
            ports = {entry: self.arrival(entry, tile) for entry in range(len(self.ways))}
            for way, unit in router.units.items():
                entries = [entry for entry, other in ports.items() if other is way]
                contents = [(place.wants.any(), place.packet, place.wants) for place in unit.queue]
                contents.append((unit.l_valid, unit.l_packet, unit.ports))
                for number, (occupied, held, bits) in enumerate(contents, 1):
                    wants = dict(zip(unit.turns, bits, strict=True))
                    ways = (Mux(want, beyond[tile, port], 0) for port, want in wants.items())
                    reach = reduce(or_, ways)
                    ranks = [hop * length + number for hop in hops]
                    listed.append(Place(occupied, held, reach, ranks, entries))
            for port in router.sinks:
                entries = [entry for entry, way in ports.items() if port in router.units[way].turns]
                output = router.outputs[port]
                reach = beyond[tile, port]
                ranks = [hop * length for hop in hops]
                listed.append(Place(output.valid, output.p, reach, ranks, entries))
        return listed

    def lemmas(self) -> list[Value]:
        listed = []
        for tile, router in enumerate(self.dut.routers):
            for unit in router.units.values():
                listed += input_lemmas(unit, self.row(tile, unit.l_packet.route))
            for sink in router.sinks.values():
                listed += turn_lemmas(sink)
        return listed


class CollectorDelivery(Delivery):
    """The collector; its only exit leads to the host. `kind` tells the packets apart."""

    def __init__(self, config: FabricConfig, fault: Fault | None = None) -> None:
        self.config = config
        hooks: dict[type, dict[str, str]] = {
            Collector: {"nodes: dict[int, CollectorNode] = {}": "nodes = self.nodes = {}"},
            CollectorNode: {
                "queue = Signal(": "queue = self.queue = Signal(",
                "level = Signal(": "level = self.level = Signal(",
                "arbiter = RoundRobin(": "arbiter = self.arbiter = RoundRobin(",
            },
            RoundRobin: {"turn = Signal(": "turn = self.turn = Signal("},
        }
        if fault:
            hooks[fault[0]][fault[1]] = fault[2]
        arbiter = opened(RoundRobin, hooks[RoundRobin])
        node = opened(CollectorNode, hooks[CollectorNode], RoundRobin=arbiter)
        self.dut = opened(Collector, hooks[Collector], CollectorNode=node)(config)
        self.entries = list(self.dut.tiles)
        self.exits = [self.dut.host]

    def packet(self) -> Layout:
        return self.config.host_out

    def tag(self, packet: Any) -> Value:
        return packet.kind

    def present(self, m: Module) -> list[Value]:
        return [self.dut.occupied.any()] * 2

    def destinations(self, m: Module, entry: int, packet: Any) -> Value:
        return Const(1, 1)

    def places(self, m: Module, packet: Any) -> list[Place]:
        listed = []
        for tile, node in self.dut.nodes.items():
            row, column = divmod(tile, self.config.columns)
            # Those to the east; in column 0 also everything to the south.
            entries = [
                other
                for other in range(self.config.tiles)
                if (other // self.config.columns == row and other % self.config.columns >= column)
                or (column == 0 and other // self.config.columns > row)
            ]
            for number, held in enumerate(node.queue):
                rank = (row + column) * len(node.queue) + number
                listed.append(Place(node.level > number, held, Const(1, 1), [rank], entries))
        return listed

    def lemmas(self) -> list[Value]:
        full = [node.level <= len(node.queue) for node in self.dut.nodes.values()]
        return full + [lemma for node in self.dut.nodes.values() for lemma in turn_lemmas(node)]


class Progress(MeshDelivery):
    """Something moves in a mesh in every clock, unless it is empty or an exit makes it wait.

    Every move brings a copy of a packet to a later place of its way, and ways end, so what is
    there can only make so many moves: a mesh that gets no new packets and whose exits accept
    again and again becomes empty. With new packets each of the old ones still has its turn,
    because every output that asks is served in turn (see the proofs about a router). The tables
    may hold anything.

    For a mesh of any size: let the first links of the order be those along the rows, east or
    west, by their distance to the edge that they lead to, then those along the columns in the
    same way, then the ports to the tiles. `TURNS` lets a packet at the end of a link wait only
    for later ones (`test_no_links_wait_for_each_other` computes it up to 8 x 8). Tiles always
    accept again: integrate waits for nobody but fire's fetches, which are at most as many as
    there are groups. So the last links of the order drain, and by induction all others, whatever
    the tables say. Branches of a packet do not wait for each other, as each is taken as soon as
    its output is free.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        config = self.config
        self.prepare(m)
        for number, port in enumerate(self.entries):
            m.d.comb += [
                port.valid.eq(free(m, 1, f"valid{number}")),
                port.p.eq(free(m, struct(config.event), f"packet{number}")),
            ]
        waits = []
        for number, port in enumerate(self.exits):
            m.d.comb += port.ready.eq(free(m, 1, f"ready{number}"))
            waits.append(port.valid & ~port.ready)
        moves: list[Value] = []
        there: list[Value] = []
        for router in dut.routers:
            outputs = [router.outputs[port] for port in router.sinks]
            moves += [transfer(port) for port in outputs]
            there += [port.valid for port in outputs]
            for unit in router.units.values():
                moves += [unit.granted.any(), unit.l_valid]
                there += [unit.l_valid, unit.wants.any()]
        m.d.comb += Assert(~Cat(there).any() | Cat(waits).any() | Cat(moves).any(), "moves")
        if self.with_lemmas:
            m.d.comb += [Assert(lemma, "lemma: units") for lemma in self.lemmas()]
        full = [unit.level == config.buffer for unit in dut.routers[-1].units.values()]
        m.d.comb += Cover(Cat(full).all() & Cat(waits).all(), "full, and an exit makes it wait")
        return m
