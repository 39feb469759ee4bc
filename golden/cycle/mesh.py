"""Cycle-level golden model of a mesh, in a fabric or alone: section Mesh of `docs/hardware.md`."""

from collections.abc import Sequence

from spikeloom.golden.cycle.packing import offsets
from spikeloom.golden.cycle.router import MEMBERS, Router
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import FACING, FabricConfig, Layout, Port, layout

LOCAL = int(Port.LOCAL)
WEST = int(Port.WEST)


def mesh_probe(config: FabricConfig) -> Layout:
    """Layout of the probe word of a mesh without tiles, for cycle-by-cycle benches.

    For each tile t: the streams into its router from neighbours or the host (`links`), to the tile
    (`t.event`) and from the tile (`t.emit_event`), in the order and with the names of
    `FabricConfig.probe`. Then, for each router, the number of packets it dropped.
    """
    fields: list[tuple[str, int]] = []
    for tile in range(config.tiles):
        links = [port.name.lower() for port in config.links(tile)]
        for name in (*links, "event", "emit_event"):
            fields += [
                (f"{tile}.{name}.valid", 1),
                (f"{tile}.{name}.ready", 1),
                (f"{tile}.{name}.payload", config.event.width),
            ]
    for tile in range(config.tiles):
        fields.append((f"counters.errors.{tile}", config.counter_bits))
    return layout(*fields)


class Mesh:
    """Routers and the links between them.

    Packets are packed `config.event` payloads.

    Attributes
    ----------
    flying
        For each slot, the number of L registers, queue entries and output registers that hold a
        packet due in it.
    taken
        For each tile, whether the packet it offered in the last clock was accepted.
    host_taken
        Whether the host's packet was accepted in the last clock.
    delivered
        For each tile, the packet it accepted in the last clock, or None.
    streams
        With `trace`, for each tile its links, `event` and `emit_event` in the last clock, packed as
        in the probe word from the first link on.
    """

    __slots__ = (
        "active",
        "delivered",
        "event_shifts",
        "flying",
        "host_taken",
        "inputs",
        "links",
        "ready_bits",
        "routers",
        "streams",
        "taken",
        "trace",
    )

    def __init__(self, config: FabricConfig, trace: bool) -> None:
        self.flying = [0] * (1 << config.slot_width)
        tiles = range(config.tiles)
        self.routers = [Router(config, tile, self.flying) for tile in tiles]
        self.active: set[int] = set()  # tiles whose routers hold a packet
        # The tile and input at the other end of each output but LOCAL, by tile.
        self.links: list[list[tuple[int, int]]] = []
        for tile in tiles:
            neighbours = [config.neighbour(tile, port) for port in FACING]
            self.links.append(
                [
                    (tile if neighbour is None else neighbour, facing)
                    for neighbour, facing in zip(neighbours, FACING.values(), strict=True)
                ]
            )
        self.taken = [False] * config.tiles
        self.host_taken = False
        self.delivered: list[int | None] = [None] * config.tiles

        self.trace = trace
        self.streams: list[int] = []
        # Offsets of the streams of a tile: the inputs of its router by port, and `event`.
        at = offsets(mesh_probe(config))
        self.inputs: list[dict[int, int]] = []
        self.event_shifts: list[int] = []
        for tile in tiles:
            names = {int(port): port.name.lower() for port in config.links(tile)}
            names[LOCAL] = "emit_event"
            first = min(at[f"{tile}.{name}.valid"] for name in (*names.values(), "event"))
            self.inputs.append(
                {port: at[f"{tile}.{name}.valid"] - first for port, name in names.items()}
            )
            self.event_shifts.append(at[f"{tile}.event.valid"] - first)
        # `ready` of all inputs of a router at rest.
        self.ready_bits = [sum(2 << shift for shift in part.values()) for part in self.inputs]

    def clock(
        self, offered: Sequence[int | None], ready: Sequence[bool], host: int | None = None
    ) -> None:
        """Advance by one clock.

        Parameters
        ----------
        offered
            The packet that each tile offers, if any.
        ready
            Whether each tile accepts a packet.
        host
            The packet offered at the WEST port of tile 0, if any.
        """
        routers, links = self.routers, self.links
        if self.trace:
            self.streams = self._streams(offered, ready, host)

        # Transfers depend on registers alone.
        delivered: list[int | None] = [None] * len(routers)
        accepted: list[tuple[int, int, int]] = []  # tile, port, packet
        leaving: list[tuple[Router, int]] = []
        for tile in self.active:
            router = routers[tile]
            outputs = 0
            for output in MEMBERS[router.o_valid]:
                packet = router.o_packet[output]
                if output == LOCAL:
                    if not ready[tile]:
                        continue
                    delivered[tile] = packet
                else:
                    target, port = links[tile][output]
                    if not routers[target].ready(port):
                        continue
                    accepted.append((target, port, packet))
                outputs |= 1 << output
            leaving.append((router, outputs))
        taken = [False] * len(routers)
        for tile, offer in enumerate(offered):
            if offer is not None and routers[tile].ready(LOCAL):
                accepted.append((tile, LOCAL, offer))
                taken[tile] = True
        self.host_taken = host is not None and routers[0].ready(WEST)
        if host is not None and self.host_taken:
            accepted.append((0, WEST, host))

        # The edge.
        for router, outputs in leaving:
            router.clock(outputs)
        self.active = {tile for tile in self.active if not routers[tile].empty}
        for tile, port, packet in accepted:
            routers[tile].accept(port, packet)
            self.active.add(tile)
        self.taken = taken
        self.delivered = delivered

    def _streams(
        self, offered: Sequence[int | None], ready: Sequence[bool], host: int | None
    ) -> list[int]:
        """The value of `streams` after a clock, from the registers before it."""
        streams = [
            bits | taking << shift + 1
            for bits, taking, shift in zip(self.ready_bits, ready, self.event_shifts, strict=True)
        ]
        for tile in self.active:
            router = self.routers[tile]
            for port, shift in self.inputs[tile].items():
                if not router.ready(port):
                    streams[tile] ^= 2 << shift
            for output in MEMBERS[router.o_valid]:
                if output == LOCAL:
                    target, shift = tile, self.event_shifts[tile]
                else:
                    target, port = self.links[tile][output]
                    shift = self.inputs[target][port]
                streams[target] |= (1 | router.o_packet[output] << 2) << shift
        for tile, packet in enumerate(offered):
            if packet is not None:
                streams[tile] |= (1 | packet << 2) << self.inputs[tile][LOCAL]
        if host is not None:
            streams[0] |= (1 | host << 2) << self.inputs[0][WEST]
        return streams


class MeshModel:
    """A mesh of routers without tiles, clock by clock.

    Each tile is a source and a sink; the host is one more source, at the WEST port of tile 0.
    Packets are packed `config.event` payloads.

    Parameters
    ----------
    config
        Sizes of the fabric, of two tiles or more.
    trace
        Make `clock` return the probe word, which is slower.

    Attributes
    ----------
    taken
        For each tile, whether the packet it offered in the last clock was accepted.
    host_taken
        Whether the host's packet was accepted in the last clock.
    delivered
        For each tile, the packet it accepted in the last clock, or None.

    Raises
    ------
    SpikeloomError
        The fabric is a single tile, which has no router.
    """

    __slots__ = (
        "config",
        "counter_mask",
        "delivered",
        "host_taken",
        "mesh",
        "shifts",
        "taken",
        "trace",
    )

    def __init__(self, config: FabricConfig, trace: bool = False) -> None:
        if config.tiles == 1:
            raise SpikeloomError(
                "a single tile has no router: FabricConfig needs two tiles or more"
            )
        self.config = config
        self.trace = trace
        self.mesh = Mesh(config, trace)
        self.taken = self.mesh.taken
        self.host_taken = False
        self.delivered = self.mesh.delivered
        self.counter_mask = (1 << config.counter_bits) - 1
        at = offsets(mesh_probe(config))
        # For each tile the offsets of its first stream and its counter.
        self.shifts = [
            (
                at[f"{tile}.{config.links(tile)[0].name.lower()}.valid"],
                at[f"counters.errors.{tile}"],
            )
            for tile in range(config.tiles)
        ]

    @property
    def empty(self) -> bool:
        """Whether no router holds a packet."""
        return not self.mesh.active

    @property
    def errors(self) -> list[int]:
        """For each tile, the number of packets its router dropped, wrapped at `counter_bits`."""
        return [router.errors & self.counter_mask for router in self.mesh.routers]

    def write(self, tile: int, route: int, ports: int) -> None:
        """Write a packed `config.route_row` to a route table without advancing the clock."""
        self.mesh.routers[tile].table[route] = ports

    def clock(
        self, offered: Sequence[int | None], ready: Sequence[bool], host: int | None = None
    ) -> int:
        """Advance by one clock.

        Parameters
        ----------
        offered
            The packet that each tile offers in this clock, if any.
        ready
            Whether each tile accepts a packet in this clock.
        host
            The packet that the host offers in this clock, if any.

        Returns
        -------
        int
            With `trace`, the packed `mesh_probe` word of this clock, else 0.
        """
        errors = self.errors if self.trace else []
        self.mesh.clock(offered, ready, host)
        self.taken = self.mesh.taken
        self.host_taken = self.mesh.host_taken
        self.delivered = self.mesh.delivered
        probe = 0
        for (first, counter), streams, count in zip(
            self.shifts if self.trace else [], self.mesh.streams, errors, strict=True
        ):
            probe |= streams << first | count << counter
        return probe
