"""Cycle-level golden model of a router: the section Mesh of `docs/hardware.md`."""

from collections import deque

from spikeloom.golden.cycle.packing import masks, shifts
from spikeloom.golden.spec import TURNS, FabricConfig, Port, index_bits

PORTS = len(Port)

MEMBERS = [tuple(port for port in range(PORTS) if ports >> port & 1) for ports in range(1 << PORTS)]
"""The members of every set of ports; a set is an integer with a bit per port, as in a table row."""

CYCLIC = [tuple((turn + n) % PORTS for n in range(PORTS)) for turn in range(PORTS)]
"""All ports in cyclic order, once for each port to start from."""


class Router:
    """One router: the registers of its input and output units, in lists by port.

    Parameters
    ----------
    tile
        Number of its tile, which decides which neighbours it has.
    flying
        For each slot, the number of L registers, queue entries and output registers of the whole
        mesh that hold a packet due in it; the routers keep it up to date.
    """

    __slots__ = (
        "allowed",
        "buffer",
        "errors",
        "flying",
        "heads",
        "l_packet",
        "l_ports",
        "l_valid",
        "o_packet",
        "o_valid",
        "queues",
        "route_mask",
        "slot_shift",
        "sources",
        "table",
        "turns",
        "used",
    )

    def __init__(self, config: FabricConfig, tile: int, flying: list[int]) -> None:
        self.flying = flying
        self.buffer = config.buffer
        self.route_mask = masks(config.event)[0]
        self.slot_shift = shifts(config.event)[-1]
        outputs = [
            port for port in Port if port == Port.LOCAL or config.neighbour(tile, port) is not None
        ]
        # For each input, the set of outputs that its packets may take.
        self.allowed = [sum(1 << out for out in outputs if out in TURNS[port]) for port in Port]
        # A power of two of rows, so that any route can be read; the rest stay 0.
        self.table = [0] * (1 << index_bits(config.routes))
        self.l_valid = 0  # a set of ports
        self.l_packet = [0] * PORTS
        self.l_ports = [0] * PORTS
        # Packets, each with its set of outputs; `heads`: the outputs that the head packet has still
        # to take, 0 if the queue is empty.
        self.queues: list[deque[tuple[int, int]]] = [deque() for _ in Port]
        self.heads = [0] * PORTS
        self.o_valid = 0  # a set of ports
        self.o_packet = [0] * PORTS
        self.turns = [0] * PORTS
        self.used = [0] * PORTS
        self.sources = [config.sources(tile, port) for port in Port]
        self.errors = 0

    @property
    def empty(self) -> bool:
        """Whether it holds no packet."""
        return not self.l_valid and not self.o_valid and not any(self.heads)

    def ready(self, port: int) -> bool:
        """`ready` of an input."""
        return len(self.queues[port]) + (self.l_valid >> port & 1) < self.buffer

    def accept(self, port: int, packet: int) -> None:
        """Transfer `packet` into an input; call after `clock`."""
        self.l_valid |= 1 << port
        self.l_packet[port] = packet
        self.l_ports[port] = self.table[packet & self.route_mask] & self.allowed[port]
        self.flying[packet >> self.slot_shift] += 1

    def clock(self, leaving: int) -> None:
        """Advance by one clock in which the packets of the outputs `leaving` (a set) transfer."""
        heads, queues, flying, slot_shift = self.heads, self.queues, self.flying, self.slot_shift
        for output in MEMBERS[leaving]:
            flying[self.o_packet[output] >> slot_shift] -= 1
        self.o_valid &= ~leaving

        # Output units. A head with no outputs left is popped once all outputs have chosen.
        granted = 0
        requested = heads[0] | heads[1] | heads[2] | heads[3] | heads[4]
        for output in MEMBERS[requested & ~self.o_valid]:
            for port in CYCLIC[self.turns[output]]:
                if heads[port] >> output & 1:
                    break
            packet, _ = queues[port][0]
            flying[packet >> slot_shift] += 1
            self.o_packet[output] = packet
            self.o_valid |= 1 << output
            used = 1 + (self.used[output] if port == self.turns[output] else 0)
            if used < self.sources[port]:
                self.turns[output], self.used[output] = port, used
            else:
                self.turns[output], self.used[output] = (port + 1) % PORTS, 0
            heads[port] ^= 1 << output
            granted |= 1 << port
        for port in MEMBERS[granted]:
            if not heads[port]:
                packet, _ = queues[port].popleft()
                flying[packet >> slot_shift] -= 1
                if queues[port]:
                    _, heads[port] = queues[port][0]

        # Input units.
        for port in MEMBERS[self.l_valid]:
            packet, ports = self.l_packet[port], self.l_ports[port]
            if ports:
                if not queues[port]:
                    heads[port] = ports
                queues[port].append((packet, ports))
            else:
                self.errors += 1
                flying[packet >> slot_shift] -= 1
        self.l_valid = 0
