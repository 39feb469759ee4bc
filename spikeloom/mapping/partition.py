"""Which neurons share a tile: populations cut into parts of whole groups of `lanes` channels.

A channel group is there with all its places (see `mapping.geometry`); a plain population has one
place, so that its groups are of `lanes` neurons. Every population is spread over as many tiles as
its groups allow, group by group to the tile with the least work in the population's phase, so that
in every phase all tiles are busy for about the same time. Where that takes too many table rows,
every population is kept to fewer tiles, and to more only where those are full.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import AnyConnection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.geometry import (
    Geometry,
    additions,
    coordinate_rows,
    geometry,
    least_words,
    positions,
    shapes,
    weight_words,
)


@dataclass(frozen=True)
class Part:
    """Channels `start`..`start + size - 1` of a population at all its places, all on `tile`.

    Only the part with the population's last channel has a size that is no multiple of `lanes`.
    """

    population: str
    tile: int
    start: int
    size: int
    places: int = 1

    @property
    def neurons(self) -> int:
        """Neurons in all."""
        return self.size * self.places

    def groups(self, lanes: int) -> int:
        """Groups of `lanes` neurons in the memories of its tile."""
        return groups_of(self.size, lanes) * self.places


@dataclass(frozen=True)
class _Demand:
    """What a population asks of the tiles that hold it.

    Parameters
    ----------
    population
        The population.
    channels, places
        What it is on the fabric.
    geometries
        Of the connections into it.
    words
        Weight words that it takes at least, however it is cut into parts.
    targets, axes
        Rows of the target table and of the coordinate table of each part.
    work
        Clocks that a channel group takes in a step: one for each neuron fired and each word added.
    least
        Parts that it takes at least.
    """

    population: Population
    channels: int
    places: int
    geometries: tuple[Geometry, ...]
    words: int
    targets: int
    coordinates: int
    work: float
    least: int


class _Tile:
    """The channels that a tile holds of each population, by its place in firing order."""

    def __init__(self, demands: list[_Demand], config: FabricConfig) -> None:
        self.demands = demands
        self.lanes = config.lanes
        self.phases = len({demand.population.phase for demand in demands})
        self.sizes: dict[int, int] = {}
        self.work = dict.fromkeys(range(self.phases), 0.0)

    def needs(self, number: int, size: int) -> dict[str, int]:
        """Rows of each memory with `size` more channels of population `number`."""
        sizes = {**self.sizes, number: self.sizes.get(number, 0) + size}
        groups = {n: groups_of(channels, self.lanes) for n, channels in sizes.items()}
        phases = {self.demands[n].population.phase for n in sizes}
        return {
            "neurons": neuron_rows(
                [(sizes[n], self.demands[n].places) for n in sorted(sizes)], self.lanes
            ),
            "weight_words": sum(
                weight_words(joined, count, self.lanes)
                for n, count in groups.items()
                for joined in self.demands[n].geometries
            ),
            # Every phase has a row, even where it fires nothing.
            "populations": len(sizes) + self.phases - len(phases),
            "targets": sum(self.demands[n].targets for n in sizes),
            "coordinates": sum(self.demands[n].coordinates for n in sizes),
        }

    def add(self, number: int, size: int) -> None:
        self.sizes[number] = self.sizes.get(number, 0) + size
        demand = self.demands[number]
        self.work[demand.population.phase] += demand.work


def partition(
    network: Network, config: FabricConfig, record: frozenset[str], activity: Mapping[str, float]
) -> tuple[Part, ...]:
    """Cut the populations of `network` into parts that fit the tiles of `config`.

    Parameters
    ----------
    record
        Populations whose spikes are sent to the host.
    activity
        Events expected in a step from an axon or neuron of each input and population.

    Returns
    -------
    parts
        In firing order, those of a population in the order of their channels; a tile has at most
        one of each population.

    Raises
    ------
    SpikeloomError
        The network does not fit: every memory that is short, and by how much.
    """
    demands = list(_demands(network, config, record, activity))
    _check_totals(network, demands, config)
    spread = config.tiles
    while True:
        try:
            tiles = _pack(demands, config, spread)
            parts = tuple(_parts(demands, tiles))
            _check_routes(network, parts, config)
            return parts
        except SpikeloomError:
            if spread == 1:
                raise
        spread = spread * 3 // 4


def firing_order(network: Network) -> list[Population]:
    """The populations by phase; their place here is their number in packets."""
    return sorted(network.populations, key=lambda population: population.phase)


def outgoing(network: Network, node: Input | Population) -> list[tuple[int, AnyConnection]]:
    """The connections that carry events of `node`, with their numbers."""
    if isinstance(node, Population) and not node.spiking:
        return []
    return [(n, c) for n, c in enumerate(network.connections) if c.source == node.name]


def recorded(population: Population, record: frozenset[str]) -> bool:
    """Whether the population sends spikes to the host."""
    return population.spiking and population.name in record


def groups_of(size: int, lanes: int) -> int:
    """Groups of `lanes` channels that hold `size` channels."""
    return -(-size // lanes)


def neuron_rows(parts: Sequence[tuple[int, int]], lanes: int) -> int:
    """Rows of the state memory that hold parts of so many (channels, places), in this order.

    Each begins with a group of its own; behind the last group nothing follows.
    """
    if not parts:
        return 0
    groups = sum(groups_of(channels, lanes) * places for channels, places in parts)
    padding = -parts[-1][0] % lanes
    return groups * lanes - padding


def destinations(network: Network, parts: Sequence[Part]) -> list[frozenset[int]]:
    """Tiles that have a part of the target of each connection, by the connection's number."""
    tiles: dict[str, set[int]] = {}
    for part in parts:
        tiles.setdefault(part.population, set()).add(part.tile)
    return [frozenset(tiles[c.target]) for c in network.connections]


def _demands(
    network: Network,
    config: FabricConfig,
    record: frozenset[str],
    activity: Mapping[str, float],
) -> Iterator[_Demand]:
    """What each population asks of the tiles, in firing order."""
    nodes = shapes(network)
    lanes = config.lanes
    for population in firing_order(network):
        image = nodes[population.name]
        into = [(c.source, geometry(c, nodes)) for c in network.into(population.name)]
        words = sum(least_words(joined, lanes) for _, joined in into)
        groups = groups_of(image[0], lanes)
        added = sum(additions(joined, lanes) * activity[source] for source, joined in into)
        yield _Demand(
            population,
            image[0],
            positions(image),
            tuple(joined for _, joined in into),
            words,
            len(outgoing(network, population)) + recorded(population, record),
            # Connections of the same geometry share their coordinate tables.
            sum(coordinate_rows(joined) for joined in {joined for _, joined in into}),
            lanes * positions(image) + added / groups,
            max(
                -(-groups * positions(image) // config.groups),
                -(-words // config.weight_words),
            ),
        )


def _pack(demands: list[_Demand], config: FabricConfig, spread: int) -> list[_Tile]:
    """Give every group a tile; a population has more than `spread` parts only if it must."""
    tiles = [_Tile(demands, config) for _ in range(config.tiles)]

    def words(number: int) -> float:
        """Of a channel group."""
        return demands[number].words / groups_of(demands[number].channels, config.lanes)

    for number in sorted(range(len(demands)), key=words, reverse=True):
        left = demands[number].channels
        while left:
            size = min(left, config.lanes)
            _choose(tiles, number, size, config, spread).add(number, size)
            left -= size
    return tiles


def _choose(tiles: list[_Tile], number: int, size: int, config: FabricConfig, spread: int) -> _Tile:
    """The tile with the least work that has room for `size` channels of population `number`."""
    demand = tiles[0].demands[number]
    phase = demand.population.phase
    full = sum(number in tile.sizes for tile in tiles) >= max(spread, demand.least)
    order = sorted(
        tiles,
        key=lambda t: (full and number not in t.sizes, t.work[phase], sum(t.work.values())),
    )
    closest = ""
    for tile in order:
        short = _shortages(tile.needs(number, size), config)
        if not short:
            return tile
        if not closest or short.count(",") < closest.count(","):
            closest = short
    raise _does_not_fit(
        f"no tile has room for {size * demand.places} more neurons of "
        f"{demand.population.name!r}; in the closest, {closest}"
    )


def _parts(demands: list[_Demand], tiles: list[_Tile]) -> Iterator[Part]:
    for number, demand in enumerate(demands):
        holders = [n for n, tile in enumerate(tiles) if number in tile.sizes]
        # The part that ends with a group that is not full comes last.
        holders.sort(key=lambda n: tiles[n].sizes[number] % tiles[n].lanes)
        start = 0
        for n in holders:
            size = tiles[n].sizes[number]
            yield Part(demand.population.name, n, start, size, demand.places)
            start += size


def _check_totals(network: Network, demands: list[_Demand], config: FabricConfig) -> None:
    """Refuse what no partition could make fit, with everything that is short."""
    whole = _Tile(demands, config)
    for number, demand in enumerate(demands[:-1]):
        whole.add(number, demand.channels)
    last = len(demands) - 1
    totals = whole.needs(last, demands[last].channels)
    if config.tiles > 1:
        # On several tiles, other populations than the last may end with a group that is not full.
        totals["neurons"] = sum(
            neuron_rows([(demand.channels, demand.places)], config.lanes) for demand in demands
        )
        totals["weight_words"] = sum(demand.words for demand in demands)
    nodes = shapes(network)
    largest = max(demand.channels for demand in demands)
    sources = max((nodes[c.source][0] for c in network.connections), default=1)
    each = {
        "connections": len(network.connections),
        # Packets number the channels of a whole population.
        "axons": max(sources, largest) if largest > 1 << config.index_width else sources,
        "slots": network.max_delay + 1,
    }
    short = ", ".join(
        filter(None, (_shortages(totals, config, config.tiles), _shortages(each, config)))
    )
    if short:
        raise _does_not_fit(short)


def _check_routes(network: Network, parts: Sequence[Part], config: FabricConfig) -> None:
    needs = {"routes": len(set(destinations(network, parts)))}
    if config.tiles > 1 and (short := _shortages(needs, config)):
        raise _does_not_fit(short)


def _shortages(needs: dict[str, int], config: FabricConfig, tiles: int = 1) -> str:
    """What is short, with `tiles` memories of each kind together."""
    times = f"{tiles} x " if tiles > 1 else ""
    return ", ".join(
        f"{name} {need} of {times}{have} (short by {need - tiles * have})"
        for name, need in needs.items()
        if need > tiles * (have := getattr(config, name))
    )


def _does_not_fit(short: str) -> SpikeloomError:
    return SpikeloomError(
        f"the network does not fit the fabric: {short}; use a larger FabricConfig"
    )
