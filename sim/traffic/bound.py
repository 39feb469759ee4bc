"""An upper bound of the latency of a mesh of routers, derived from its arbitration."""

from spikeloom.golden.spec import FACING, TURNS, FabricConfig, Port


def latency_bound(config: FabricConfig, patience: int = 1) -> int:
    """Maximum clocks from the acceptance of a packet to its delivery, for any traffic.

    Let h(o) be the maximum clocks from the grant of a packet by output o to its transfer, and w(i)
    the maximum clocks for which a packet is the head of input i. A sink takes a packet `patience`
    clocks after its grant at the latest, so h(L) = `patience`. An output that is requested grants
    whenever it is free, at most h(o) clocks after the grant before, and grants to others before
    input i at most as often as the inputs of o other than i have sources together; that and 1 for
    its own is n(i, o). The branches of a multicast wait concurrently. So

        w(i) = max n(i, o) * h(o) over the outputs o reachable from input i.

    An output into a router transfers when input i of that router has room. If it has none, the
    queue of i has a head, which leaves within w(i) clocks: h(o) = w(i).

    An accepted packet has at most `buffer` - 1 packets before it in its input, so it is granted at
    most `buffer` * w(i) clocks later, and transfers h(o) clocks after that. The bound is the sum
    over the routers of the longest path. The recursion follows the deadlock-free order of links, so
    it ends. The bound grows geometrically with the path, because it assumes the worst case of every
    head in every router, though not all of them can be last in turn.

    Parameters
    ----------
    config
        Sizes of the fabric.
    patience
        Maximum clocks from a grant until the sink takes the packet.
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
        """Clocks from acceptance by this router to the farthest delivery."""
        longest = 0
        for port in exits(tile, entry):
            following = config.neighbour(tile, port)
            further = 0 if following is None else rest(following, FACING[port])
            longest = max(longest, held(tile, port) + further)
        return config.buffer * head(tile, entry) + longest

    return max(rest(tile, entry) for tile in entries for entry in entries[tile])
