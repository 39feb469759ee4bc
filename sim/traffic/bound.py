"""An upper bound of the latency of a mesh of routers, derived from its arbitration."""

from spikeloom.golden.spec import FACING, TURNS, FabricConfig, Port


def latency_bound(config: FabricConfig, patience: int = 1) -> int:
    """Most clocks from the acceptance of a packet to its delivery, whatever the traffic.

    Let h(o) be the most clocks from the grant of a packet by output o to its transfer, and w(i) the
    most clocks for which a packet is the head of input i. A sink takes a packet `patience` clocks
    after its grant at the latest, so h(L) = `patience`. An output that is requested grants whenever
    it is free, at most h(o) clocks after the grant before, and grants to others before input i at
    most as often as the inputs of o other than i have sources together; that and 1 for its own is
    n(i, o). Branches wait at the same time. So

        w(i) = max n(i, o) * h(o) over the outputs o that input i leads to.

    An output into a router transfers when there is room in input i of that. If there is none the
    queue of i has a head, which leaves within w(i) clocks: h(o) = w(i).

    A packet that is accepted has at most `buffer` - 1 packets before it in its input, so it is
    granted at most `buffer` * w(i) clocks later, and transfers h(o) clocks after that. The bound is
    the sum over the routers of the longest way. It follows the order of links in which nothing
    can be locked, so it is finite. It grows geometrically with the way, because it takes the worst
    of every head in every router, and not all of them can be the last to have their turn.

    Parameters
    ----------
    config
        Sizes of the fabric.
    patience
        Clocks after the grant in which a sink takes a packet at the latest.
    """
    entries = {tile: (*config.links(tile), Port.LOCAL) for tile in range(config.tiles)}

    def exits(tile: int, entry: Port) -> list[Port]:
        return [
            port
            for port in TURNS[entry]
            if port is Port.LOCAL or config.neighbour(tile, port) is not None
        ]

    def held(tile: int, port: Port) -> int:  # h
        following = config.neighbour(tile, port)
        return patience if following is None else head(following, FACING[port])

    def grants(tile: int, entry: Port, port: Port) -> int:  # n
        others = (other for other in entries[tile] if other is not entry)
        return 1 + sum(
            config.sources(tile, other) for other in others if port in exits(tile, other)
        )

    def head(tile: int, entry: Port) -> int:  # w
        return max(grants(tile, entry, port) * held(tile, port) for port in exits(tile, entry))

    def rest(tile: int, entry: Port) -> int:
        """Clocks from acceptance by this router to the delivery farthest away."""
        longest = 0
        for port in exits(tile, entry):
            following = config.neighbour(tile, port)
            further = 0 if following is None else rest(following, FACING[port])
            longest = max(longest, held(tile, port) + further)
        return config.buffer * head(tile, entry) + longest

    return max(rest(tile, entry) for tile in entries for entry in entries[tile])
