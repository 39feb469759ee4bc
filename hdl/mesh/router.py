"""Router: one node of the mesh."""

from collections.abc import Sequence
from functools import reduce
from operator import or_

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from spikeloom.golden.contents import NO_ROWS, Rows
from spikeloom.golden.spec import TURNS, FabricConfig, LoadTarget, Port, ReadTarget, index_bits
from spikeloom.hdl.common.arbiter import RoundRobin
from spikeloom.hdl.common.load import connect_load, load_signature
from spikeloom.hdl.common.read import ask, connect_read, read_member
from spikeloom.hdl.common.shapes import memory, struct


class RouterInput(wiring.Component):
    """Looks up the ports of a packet and holds it until it has left through each of them.

    Timing: a packet taken in clock n is at the head in clock n + `latency`; one packet per clock.
    `ready` depends on registers alone.

    Parameters
    ----------
    config
        Sizes of the fabric.
    turns
        The ports through which packets may leave; others in the table are ignored.
    contents
        Initial rows of the route table.

    Members
    -------
    packet : In(stream.Signature(config.event))
        Packets from the link.
    load : In(load_signature(config))
        Writes the route table.
    read : In(read_signature(config))
        With `readable` only: reads the route table.
    head : Out(config.event)
        The oldest packet.
    wants : Out(len(turns))
        The ports, in the order of `turns`, through which the head still has to leave.
    granted : In(len(turns))
        The ports through which it leaves in this clock.
    dropped : Out(1)
        A packet is dropped in this clock: its route has none of the ports.
    slot : In(config.slot_width)
        The slot that is being fired.
    pending : Out(1)
        Holds a packet due in `slot`.
    occupied : Out(1)
        Holds a packet.
    """

    def __init__(
        self, config: FabricConfig, turns: tuple[Port, ...], contents: Rows = NO_ROWS
    ) -> None:
        self.config = config
        self.turns = turns
        self.contents = contents
        super().__init__(
            {
                "packet": In(stream.Signature(struct(config.event))),
                "load": In(load_signature(config)),
                **read_member(config),
                "head": Out(struct(config.event)),
                "wants": Out(len(turns)),
                "granted": In(len(turns)),
                "dropped": Out(1),
                "slot": In(config.slot_width),
                "pending": Out(1),
                "occupied": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from `packet` to `head`, if no packet is ahead."""
        return 2

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()

        m.submodules.routes = routes = memory(
            struct(config.route_row),
            1 << index_bits(config.routes),
            self.contents.get(LoadTarget.ROUTE, ()),
        )
        connect_load(m, self.load, LoadTarget.ROUTE, routes)
        route_read = routes.read_port()

        # Stage L: the packet and its row of the route table.
        l_valid = Signal()
        l_packet = Signal(struct(config.event))
        level = Signal(range(config.buffer + 1))
        taken = Signal()
        m.d.comb += [
            self.packet.ready.eq(level + l_valid < config.buffer),
            taken.eq(self.packet.valid & self.packet.ready),
            route_read.addr.eq(self.packet.p.route),
            route_read.en.eq(taken),
        ]
        m.d.sync += l_valid.eq(taken)
        with m.If(taken):
            m.d.sync += l_packet.eq(self.packet.p)
        ports = Cat(route_read.data[port.name.lower()] for port in self.turns)
        queued = Signal()
        m.d.comb += [
            queued.eq(l_valid & ports.any()),
            self.dropped.eq(l_valid & ~ports.any()),
        ]

        # Entry 0 of the queue is the head; `wants` of an empty entry is 0.
        place = data.StructLayout({"packet": struct(config.event), "wants": len(self.turns)})
        queue = Signal(data.ArrayLayout(place, config.buffer))
        left = Signal.like(self.wants)
        popped = Signal()
        m.d.comb += [
            self.head.eq(queue[0].packet),
            self.wants.eq(queue[0].wants),
            left.eq(self.wants & ~self.granted),
            popped.eq((level != 0) & ~left.any()),
        ]
        m.d.sync += [level.eq(level + queued - popped), queue[0].wants.eq(left)]
        with m.If(popped):
            for number in range(config.buffer - 1):
                m.d.sync += queue[number].eq(queue[number + 1])
            m.d.sync += queue[config.buffer - 1].wants.eq(0)
        for number in range(config.buffer):
            with m.If(queued & (level == number + popped)):
                m.d.sync += [queue[number].packet.eq(l_packet), queue[number].wants.eq(ports)]

        due = [l_valid & (l_packet.slot == self.slot)]
        for number in range(config.buffer):
            due.append(queue[number].wants.any() & (queue[number].packet.slot == self.slot))
        m.d.comb += [
            self.pending.eq(Cat(due).any()),
            self.occupied.eq(l_valid | (level != 0)),
        ]
        if config.readable:
            byte = connect_read(m, self.read, {ReadTarget.ROUTE: route_read})
            m.d.comb += self.read.data.eq(byte)
        return m


class RouterOutput(wiring.Component):
    """Takes packets from the inputs by round robin, from each as many as it has sources.

    So the link is shared equally between the sources behind the inputs, not between the inputs.

    Timing: a packet granted in clock n is valid in clock n + `latency`; one packet per clock. A
    requesting input waits for at most as many grants to others as the other inputs have sources in
    total.

    Parameters
    ----------
    config
        Sizes of the fabric.
    sources
        For each input the number of sources that send packets through it, 1 or more.

    Members
    -------
    wanted : In(len(sources))
        The inputs whose head wants to leave here.
    heads : In(config.event).array(len(sources))
        Their heads.
    granted : Out(len(sources))
        The input whose head is taken in this clock.
    packet : Out(stream.Signature(config.event))
        Packets to the link.
    slot : In(config.slot_width)
        The slot that is being fired.
    pending : Out(1)
        Holds a packet due in `slot`.
    """

    def __init__(self, config: FabricConfig, sources: Sequence[int]) -> None:
        self.config = config
        self.sources = tuple(sources)
        inputs = len(self.sources)
        super().__init__(
            {
                "wanted": In(inputs),
                "heads": In(struct(config.event)).array(inputs),
                "granted": Out(inputs),
                "packet": Out(stream.Signature(struct(config.event))),
                "slot": In(config.slot_width),
                "pending": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from a grant to `packet`."""
        return 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.arbiter = arbiter = RoundRobin(self.sources)
        free = Signal()
        m.d.comb += [
            free.eq(~self.packet.valid | self.packet.ready),
            self.pending.eq(self.packet.valid & (self.packet.p.slot == self.slot)),
            arbiter.requests.eq(self.wanted),
            arbiter.enable.eq(free),
            self.granted.eq(arbiter.grant),
        ]
        with m.If(free):
            m.d.sync += self.packet.valid.eq(self.wanted.any())
        for number in range(len(self.sources)):
            with m.If(self.granted[number]):
                m.d.sync += self.packet.p.eq(self.heads[number])
        return m


class Router(wiring.Component):
    """Sends each packet through the ports that its route names: along the row, then the column.

    A multicast packet is taken in once and leaves through each of its ports as soon as that is
    free. Every output serves its inputs by round robin, weighted by their numbers of sources.

    Timing: `latency` clocks from the input of a router to the input of the next if no packet is
    ahead; one packet per clock and port. No stream output depends on an input in the same clock.

    Parameters
    ----------
    config
        Sizes of the fabric.
    tile
        Number of the tile.
    contents
        Initial rows of the route tables.

    Members
    -------
    inputs : In(stream.Signature(config.event)).array(5)
        By `Port`; ports at an edge are not connected, but for WEST of tile 0: the host's events.
    outputs : Out(stream.Signature(config.event)).array(5)
        By `Port`; ports at an edge are not connected.
    load : In(load_signature(config))
        Writes the route table.
    read : In(read_signature(config))
        With `readable` only: reads the table of the input whose port is `byte`.
    slot : In(config.slot_width)
        The slot that is being fired.
    pending : Out(1)
        Holds a packet due in `slot`.
    occupied : Out(1)
        Holds a packet.
    dropped : Out(3)
        Number of packets dropped in this clock: their route has no port here.
    """

    def __init__(self, config: FabricConfig, tile: int, contents: Rows = NO_ROWS) -> None:
        self.config = config
        self.tile = tile
        self.contents = contents
        packet = stream.Signature(struct(config.event))
        super().__init__(
            {
                "inputs": In(packet).array(len(Port)),
                "outputs": Out(packet).array(len(Port)),
                "load": In(load_signature(config)),
                **read_member(config),
                "slot": In(config.slot_width),
                "pending": Out(1),
                "occupied": Out(1),
                "dropped": Out(3),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from an input to the next router's."""
        return 3

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        exits = [
            port
            for port in Port
            if port is Port.LOCAL or config.neighbour(self.tile, port) is not None
        ]
        entries = [*config.links(self.tile), Port.LOCAL]

        inputs: dict[Port, RouterInput] = {}
        for port in entries:
            turns = tuple(turn for turn in TURNS[port] if turn in exits)
            inputs[port] = unit = RouterInput(config, turns, self.contents)
            m.submodules[f"from_{port.name.lower()}"] = unit
            connect(m, flipped(self.inputs[port]), unit.packet)
            connect(m, flipped(self.load), unit.load)
            m.d.comb += unit.slot.eq(self.slot)
        pending = [unit.pending for unit in inputs.values()]
        occupied: list[Value] = [unit.occupied for unit in inputs.values()]

        for port in exits:
            feeding = [entry for entry in entries if port in inputs[entry].turns]
            unit = RouterOutput(config, [config.sources(self.tile, entry) for entry in feeding])
            m.submodules[f"to_{port.name.lower()}"] = unit
            connect(m, unit.packet, flipped(self.outputs[port]))
            m.d.comb += unit.slot.eq(self.slot)
            pending.append(unit.pending)
            occupied.append(unit.packet.valid)
            for number, entry in enumerate(feeding):
                bit = inputs[entry].turns.index(port)
                m.d.comb += [
                    unit.wanted[number].eq(inputs[entry].wants[bit]),
                    unit.heads[number].eq(inputs[entry].head),
                    inputs[entry].granted[bit].eq(unit.granted[number]),
                ]

        m.d.comb += [
            self.pending.eq(Cat(pending).any()),
            self.occupied.eq(Cat(occupied).any()),
            self.dropped.eq(sum(unit.dropped for unit in inputs.values())),
        ]
        if config.readable:
            word = self.read.word
            row = (
                ask(m, [unit.read], self.read.active & (word.byte == port), word)
                for port, unit in inputs.items()
            )
            m.d.comb += self.read.data.eq(reduce(or_, row))
        return m
