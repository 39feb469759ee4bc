"""Mesh: the routers and the links between them."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from spikeloom.golden.contents import NOTHING, Contents
from spikeloom.golden.spec import FACING, FabricConfig, Port
from spikeloom.hdl.common.load import load_signature
from spikeloom.hdl.common.read import read_signature
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.mesh.router import Router


class Mesh(wiring.Component):
    """Carries packets from the tiles and the host to the tiles of their route.

    Timing: 3 clocks per router on the path, if no packet is ahead.

    Parameters
    ----------
    config
        Sizes of the fabric; two tiles or more.
    contents
        Initial contents of the route tables.

    Members
    -------
    host : In(stream.Signature(config.event))
        Events from the host, into the west port of tile 0.
    inject : In(stream.Signature(config.event)).array(tiles)
        Events from each tile.
    deliver : Out(stream.Signature(config.event)).array(tiles)
        Events to each tile.
    loads : In(load_signature(config)).array(tiles)
        Write the route table of each router.
    reads : In(read_signature(config)).array(tiles)
        With `readable` only: read the route table of each router.
    slot : In(config.slot_width)
        The slot that is being fired.
    pending : Out(tiles)
        The routers that hold a packet due in `slot`.
    occupied : Out(tiles)
        The routers that hold a packet.
    dropped : Out(3).array(tiles)
        For each router how many packets it drops in this clock: their route has no port there.

    Attributes
    ----------
    links : dict
        For each tile and each of its `config.links`, the input of its router.
    """

    def __init__(self, config: FabricConfig, contents: Contents = NOTHING) -> None:
        self.config = config
        self.routers = [Router(config, tile, contents.of(tile)) for tile in range(config.tiles)]
        self.links = {
            (tile, port): router.inputs[port]
            for tile, router in enumerate(self.routers)
            for port in config.links(tile)
        }
        packet = stream.Signature(struct(config.event))
        reads = In(read_signature(config)).array(config.tiles)
        super().__init__(
            {
                "host": In(packet),
                "inject": In(packet).array(config.tiles),
                "deliver": Out(packet).array(config.tiles),
                "loads": In(load_signature(config)).array(config.tiles),
                **({"reads": reads} if config.readable else {}),
                "slot": In(config.slot_width),
                "pending": Out(config.tiles),
                "occupied": Out(config.tiles),
                "dropped": Out(3).array(config.tiles),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        routers = self.routers
        connect(m, flipped(self.host), routers[0].inputs[Port.WEST])
        for tile, router in enumerate(routers):
            m.submodules[f"router{tile}"] = router
            connect(m, flipped(self.inject[tile]), router.inputs[Port.LOCAL])
            connect(m, router.outputs[Port.LOCAL], flipped(self.deliver[tile]))
            connect(m, flipped(self.loads[tile]), router.load)
            if self.config.readable:
                connect(m, flipped(self.reads[tile]), router.read)
            m.d.comb += [
                router.slot.eq(self.slot),
                self.pending[tile].eq(router.pending),
                self.occupied[tile].eq(router.occupied),
                self.dropped[tile].eq(router.dropped),
            ]
            for port, facing in FACING.items():
                neighbour = self.config.neighbour(tile, port)
                if neighbour is not None:
                    connect(m, router.outputs[port], routers[neighbour].inputs[facing])
        return m
