"""Parts: the share of a population that lies on one tile."""

from collections.abc import Sequence
from dataclasses import dataclass

from spikeloom.golden.network import AnyConnection, Input, Network, Population


@dataclass(frozen=True)
class Part:
    """Channels `start`..`start + size - 1` of a population at all its positions, on `tile`.

    `size` is a multiple of `lanes`, except in the part with the population's last channel.
    """

    population: str
    tile: int
    start: int
    size: int
    positions: int = 1

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return self.size * self.positions

    def groups(self, lanes: int) -> int:
        """Groups of `lanes` neurons in the memories of its tile."""
        return groups_of(self.size, lanes) * self.positions


def groups_of(size: int, lanes: int) -> int:
    """Groups of `lanes` channels that hold `size` channels."""
    return -(-size // lanes)


def neuron_rows(groups: int, last: int, lanes: int) -> int:
    """Rows of the state memory for `groups` groups of neurons, the last part with `last` channels.

    Each part starts in a new group; the padding after the last channel takes no rows.
    """
    return groups * lanes - -last % lanes


def firing_order(network: Network) -> list[Population]:
    """The populations by phase; the index in this list is a population's number in packets."""
    return sorted(network.populations, key=lambda population: population.phase)


def outgoing(network: Network, node: Input | Population) -> list[tuple[int, AnyConnection]]:
    """The connections that carry events of `node`, with their numbers."""
    if isinstance(node, Population) and not node.spiking:
        return []
    return [(n, c) for n, c in enumerate(network.connections) if c.source == node.name]


def recorded(population: Population, record: frozenset[str]) -> bool:
    """Whether the population sends spikes to the host."""
    return population.spiking and population.name in record


def destinations(network: Network, parts: Sequence[Part]) -> list[frozenset[int]]:
    """For each connection, in order, the tiles that hold a part of its target."""
    tiles: dict[str, set[int]] = {}
    for part in parts:
        tiles.setdefault(part.population, set()).add(part.tile)
    return [frozenset(tiles[c.target]) for c in network.connections]
