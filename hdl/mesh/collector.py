"""Collector: takes the packets of the tiles to the host."""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from spikeloom.golden.spec import FabricConfig, Port
from spikeloom.hdl.common.arbiter import RoundRobin
from spikeloom.hdl.common.shapes import struct

DEPTH = 2
"""Entries of a node's queue: the minimum for one packet per clock with a registered ready."""


class CollectorNode(wiring.Component):
    """Merges streams by round robin.

    Timing: a packet taken in clock n is valid in clock n + `latency`; one packet per clock. Whether
    there is room depends on registers alone.

    Parameters
    ----------
    config
        Sizes of the fabric.
    inputs
        Number of streams.

    Members
    -------
    inputs : In(stream.Signature(config.host_out)).array(inputs)
        Packets of the tile and of the nodes behind.
    output : Out(stream.Signature(config.host_out))
        The same packets.
    """

    def __init__(self, config: FabricConfig, inputs: int) -> None:
        self.config = config
        self.count = inputs
        packet = stream.Signature(struct(config.host_out))
        super().__init__({"inputs": In(packet).array(inputs), "output": Out(packet)})

    @property
    def latency(self) -> int:
        """Clocks from an input to the output, if no packet is ahead."""
        return 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        queue = Signal(data.ArrayLayout(struct(self.config.host_out), DEPTH))
        level = Signal(range(DEPTH + 1))
        m.submodules.arbiter = arbiter = RoundRobin([1] * self.count)
        taken = Signal()
        popped = Signal()
        second = Signal()  # the first entry stays occupied
        m.d.comb += [
            arbiter.requests.eq(Cat(port.valid for port in self.inputs)),
            arbiter.enable.eq(level < DEPTH),
            taken.eq(arbiter.grant.any()),
            self.output.valid.eq(level != 0),
            self.output.p.eq(queue[0]),
            popped.eq(self.output.valid & self.output.ready),
            second.eq((level == 1) & ~popped),
        ]
        with m.If(popped):
            m.d.sync += queue[0].eq(queue[1])
        for number, port in enumerate(self.inputs):
            m.d.comb += port.ready.eq(arbiter.grant[number])
            with m.If(arbiter.grant[number]):
                m.d.sync += queue[second].eq(port.p)
        m.d.sync += level.eq(level + taken - popped)
        return m


class Collector(wiring.Component):
    """A node for each tile: along each row to the west, then along column 0 to tile 0 and the host.

    Timing: 1 clock per node on the path.

    Parameters
    ----------
    config
        Sizes of the fabric; two tiles or more.

    Members
    -------
    tiles : In(stream.Signature(config.host_out)).array(tiles)
        Packets of the tiles.
    host : Out(stream.Signature(config.host_out))
        Packets to the host.
    occupied : Out(tiles)
        The nodes that hold a packet.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        packet = stream.Signature(struct(config.host_out))
        super().__init__(
            {
                "tiles": In(packet).array(config.tiles),
                "host": Out(packet),
                "occupied": Out(config.tiles),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        nodes: dict[int, CollectorNode] = {}
        for tile in reversed(range(config.tiles)):
            sides = [Port.EAST, Port.SOUTH] if tile % config.columns == 0 else [Port.EAST]
            neighbours = [config.neighbour(tile, side) for side in sides]
            feeding = [other for other in neighbours if other is not None]
            nodes[tile] = node = CollectorNode(config, 1 + len(feeding))
            m.submodules[f"node{tile}"] = node
            connect(m, flipped(self.tiles[tile]), node.inputs[0])
            for number, other in enumerate(feeding, 1):
                connect(m, nodes[other].output, node.inputs[number])
            m.d.comb += self.occupied[tile].eq(node.output.valid)
        connect(m, nodes[0].output, flipped(self.host))
        return m
