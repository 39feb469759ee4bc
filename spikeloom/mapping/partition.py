"""Which neurons share a tile: cuts populations into parts of whole groups of `lanes` channels.

A channel group stays together at all its positions (see `mapping.geometry`); a plain population has
one position, so its groups are groups of `lanes` neurons. Every population is spread over as many
tiles as its groups allow, group by group to the tile with the least work in the population's phase,
so that in every phase all tiles are busy for about the same time. Where that takes too many table
rows, every population is limited to fewer tiles, and exceeds that limit only where those are full.
"""

import functools
import heapq
import operator
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Network, Population
from spikeloom.golden.schedule import row_sets
from spikeloom.golden.sparse import OneToOne, SparseConnection
from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.constants import Constants, constants
from spikeloom.mapping.geometry import (
    Geometry,
    additions,
    coordinate_rows,
    geometry,
    min_words,
    positions,
    selections,
    shapes,
    weight_words,
)
from spikeloom.mapping.learning import of_target, rule_of, with_planes
from spikeloom.mapping.parts import (
    Part,
    destinations,
    firing_order,
    groups_of,
    neuron_rows,
    outgoing,
    recorded,
)
from spikeloom.mapping.sparse import SparseSize


@dataclass(frozen=True)
class _Demand:
    """What a population takes of the tiles that hold it.

    Parameters
    ----------
    population
        The population.
    channels, positions
        Its shape on the fabric.
    geometries
        Geometries of the connections into it, other than sparse matrices.
    sparse
        The sparse matrices into it.
    one_to_one
        The number of connections one to one into it.
    words
        Minimum number of weight words in all, however it is cut into parts.
    targets, coordinates
        Rows of the target table and of the coordinate table that each part takes.
    work
        Clocks per step and channel group: one for each row of neurons fired and each word added.
    min_parts
        Minimum number of parts.
    lanes
        Channels of a group.
    constants
        Its rows of the bias memory, where they are not those of its neurons.
    whole
        It lies in one tile.
    rules, plastic_axons
        Rules of the connections into it, and their axons, that each part takes.
    """

    population: Population
    channels: int
    positions: int
    geometries: tuple[Geometry, ...]
    sparse: tuple[SparseSize, ...]
    one_to_one: int
    words: int
    targets: int
    coordinates: int
    work: float
    min_parts: int
    lanes: int
    constants: Constants | None
    whole: bool
    rules: int
    plastic_axons: int

    def bias_rows(self, size: int) -> int:
        """Rows of the bias memory of a part with `size` channels."""
        if self.constants is None or not size:
            return 0
        return self.constants.rows(Part("", 0, 0, size, self.positions), self.lanes)

    @functools.cached_property
    def part_words(self) -> list[int]:
        """Maximum weight words of a part with 0, 1, 2, ... channel groups."""
        return [
            sum(weight_words(joined, groups, self.lanes) for joined in self.geometries)
            + self.one_to_one * groups
            + sparse
            for groups, sparse in enumerate(self.sparse_words)
        ]

    @functools.cached_property
    def sparse_words(self) -> list[int]:
        """Of `part_words`, an estimate of those that are sparse."""
        groups = groups_of(self.channels, self.lanes)
        each = [size.part_words for size in self.sparse]
        return [sum(words[n] for words in each) for n in range(groups + 1)]


_Bundle = tuple[int, ...]
"""Numbers of populations that are cut alike, their parts side by side in the same tiles."""


class _Tile:
    """The channels that a tile holds of each population, by its number, and what they take.

    All totals are updated with each addition: computing them anew would make the partition of n
    groups on a tile with p populations take n * p steps.
    """

    def __init__(self, demands: list[_Demand], config: FabricConfig, sets: int) -> None:
        self.demands = demands
        self.sets = sets  # of rows of the population table
        self.lanes = config.lanes
        self.sizes: dict[int, int] = {}
        self.work = dict.fromkeys((demand.population.phase for demand in demands), 0.0)
        self.total_work = 0.0
        self._empty_phases = set(self.work)
        self._last = 0  # the highest population number
        self._groups = self._words = self._sparse = self._targets = self._coordinates = 0
        self._biases = self._rules = self._plastic_axons = 0

    def needs(self, bundle: _Bundle, size: int) -> dict[str, int]:
        """Rows of each memory with `size` more channels of each population of a bundle."""
        demands = [self.demands[number] for number in bundle]
        before = [self.sizes.get(number, 0) for number in bundle]
        added = [self._added(number, size) for number in bundle]
        first = [demand for demand, held in zip(demands, before, strict=True) if not held]
        last = max(self._last, *bundle)
        phases = {demand.population.phase for demand in demands}
        return {
            "neurons": neuron_rows(
                self._groups + sum(groups for groups, _, _ in added),
                self.sizes.get(last, 0) + size * (last in bundle),
                self.lanes,
            ),
            "weight_words": self._words + sum(words for _, words, _ in added),
            "sparse_words": self._sparse + sum(sparse for _, _, sparse in added),
            # Every phase has a row, even where it fires nothing.
            "populations": self.sets
            * (len(self.sizes) + len(first) + len(self._empty_phases - phases)),
            "targets": self._targets + sum(demand.targets for demand in first),
            "coordinates": self._coordinates + sum(demand.coordinates for demand in first),
            "bias_depth": self._biases
            + sum(
                demand.bias_rows(held + size) - demand.bias_rows(held)
                for demand, held in zip(demands, before, strict=True)
            ),
            "rules": self._rules + sum(demand.rules for demand in first),
            "plastic_axons": self._plastic_axons + sum(d.plastic_axons for d in first),
        }

    def add(self, number: int, size: int) -> None:
        demand = self.demands[number]
        phase = demand.population.phase
        groups, words, sparse = self._added(number, size)
        self._groups += groups
        self._words += words
        self._sparse += sparse
        if number not in self.sizes:
            self._targets += demand.targets
            self._coordinates += demand.coordinates
            self._rules += demand.rules
            self._plastic_axons += demand.plastic_axons
        self._empty_phases.discard(phase)
        self._last = max(self._last, number)
        before = self.sizes.get(number, 0)
        self._biases += demand.bias_rows(before + size) - demand.bias_rows(before)
        self.sizes[number] = before + size
        self.work[phase] += demand.work * groups_of(size, self.lanes)
        self.total_work = sum(self.work.values())

    def _added(self, number: int, size: int) -> tuple[int, int, int]:
        """Groups of neurons, weight words, and sparse ones of these, that the channels add."""
        demand = self.demands[number]
        before = self.sizes.get(number, 0)
        old, new = groups_of(before, self.lanes), groups_of(before + size, self.lanes)
        words = demand.part_words[new] - demand.part_words[old]
        sparse = demand.sparse_words[new] - demand.sparse_words[old]
        return (new - old) * demand.positions, words, sparse


def partition(
    network: Network, config: FabricConfig, record: frozenset[str], activity: Mapping[str, float]
) -> tuple[Part, ...]:
    """Cut the populations of `network` into parts that fit the tiles of `config`.

    Parameters
    ----------
    record
        Populations whose spikes are sent to the host.
    activity
        Expected events per step of an axon or neuron of each input and population.

    Returns
    -------
    parts
        In firing order, those of a population in the order of their channels; a tile has at most
        one part of each population.

    Raises
    ------
    SpikeloomError
        The network does not fit: names every memory that is short, and by how much. Totals are
        checked before, by `mapping.sizes.check_fits`.
    """
    demands = list(_demands(network, config, record, activity))
    bundles = _bundles(network, demands)
    spread = config.tiles
    while True:
        try:
            tiles = _pack(demands, bundles, config, spread, len(row_sets(network.schedule)))
            parts = tuple(_parts(demands, tiles))
            _check_routes(network, parts, config)
            _check_words(demands, parts, config)
            return parts
        except SpikeloomError:
            if spread == 1:
                raise
        spread = spread * 3 // 4


def _demands(
    network: Network,
    config: FabricConfig,
    record: frozenset[str],
    activity: Mapping[str, float],
) -> Iterator[_Demand]:
    """The demand of each population, in firing order."""
    nodes = shapes(network)
    lanes = config.lanes
    variants = {variant for variant, _ in row_sets(network.schedule)}
    for population in firing_order(network):
        image = nodes[population.name]
        sparse = [
            (c.source, SparseSize(c, image[0], positions(image), lanes))
            for c in network.into(population.name)
            if isinstance(c, SparseConnection)
        ]
        incoming = [
            (c.source, geometry(c, nodes))
            for c in network.into(population.name)
            if not isinstance(c, (SparseConnection, OneToOne))
        ]
        planes = [geometry(c, nodes) for c in with_planes(network) if c.target == population.name]
        single = [c.source for c in network.into(population.name) if isinstance(c, OneToOne)]
        joined_words = (*(joined for _, joined in incoming), *planes)
        words = sum(min_words(joined, lanes) for joined in joined_words)
        words += sum(size.all_words for _, size in sparse)
        groups = groups_of(image[0], lanes)
        words += len(single) * groups
        added = sum(additions(joined, lanes) * activity[source] for source, joined in incoming)
        added += sum(size.clocks * activity[source] for source, size in sparse)
        added += sum(population.size * activity[source] for source in single)
        yield _Demand(
            population,
            image[0],
            positions(image),
            joined_words,
            tuple(size for _, size in sparse),
            len(single),
            words,
            len(outgoing(network, population)) + recorded(population, record),
            # Connections of the same geometry share their coordinate tables.
            sum(coordinate_rows(joined) for joined in {joined for _, joined in incoming})
            + sum(size.sources for _, size in sparse),
            config.group_rows * positions(image) + added / groups,
            max(
                -(-groups * positions(image) // config.groups),
                -(-words // config.weight_words),
            ),
            lanes,
            constants(population, image[0], variants, config) if config.bias_blocks else None,
            bool(selections(population)),
            **of_target(network, population.name),
        )


def _bundles(network: Network, demands: Sequence[_Demand]) -> list[_Bundle]:
    """All populations; a third factor of a learning rule in one bundle with the rule's target."""
    bundle_of = {demand.population.name: {n} for n, demand in enumerate(demands)}
    for connection in network.plastic:
        for rule in rule_of(connection).in_order:
            if rule.third is not None:
                joined = bundle_of[connection.target] | bundle_of[rule.third]
                for number in joined:
                    bundle_of[demands[number].population.name] = joined
    return list(dict.fromkeys(tuple(sorted(numbers)) for numbers in bundle_of.values()))


def _pack(
    demands: list[_Demand], bundles: list[_Bundle], config: FabricConfig, spread: int, sets: int
) -> list[_Tile]:
    """Give every group a tile; a population has more than `spread` parts only if it must."""
    tiles = [_Tile(demands, config, sets) for _ in range(config.tiles)]
    parts = Counter[_Bundle]()

    def words(bundle: _Bundle) -> float:
        """Weight words of a channel group."""
        groups = groups_of(demands[bundle[0]].channels, config.lanes)
        return sum(demands[number].words for number in bundle) / groups

    def whole(bundle: _Bundle) -> bool:
        return any(demands[number].whole for number in bundle)

    for bundle in sorted(bundles, key=lambda each: (whole(each), words(each)), reverse=True):
        remaining = demands[bundle[0]].channels
        fewest = max(demands[number].min_parts for number in bundle)
        while remaining:
            size = remaining if whole(bundle) else min(remaining, config.lanes)
            full = parts[bundle] >= max(spread, fewest)
            tile = _choose(tiles, bundle, size, config, full)
            parts[bundle] += bundle[0] not in tile.sizes
            for number in bundle:
                tile.add(number, size)
            remaining -= size
    return tiles


def _choose(
    tiles: list[_Tile], bundle: _Bundle, size: int, config: FabricConfig, full: bool
) -> _Tile:
    """The tile with the least work that has room for `size` channels of each population.

    If the bundle is `full`, meaning that it has as many parts as it should, tiles that hold one of
    them come first.
    """
    demand = tiles[0].demands[bundle[0]]
    phase = demand.population.phase
    order = [
        (full and bundle[0] not in tile.sizes, tile.work[phase], tile.total_work, index)
        for index, tile in enumerate(tiles)
    ]
    sizes = [getattr(config, name) for name in tiles[0].needs(bundle, size)]
    heapq.heapify(order)
    shortages = []
    while order:
        tile = tiles[heapq.heappop(order)[-1]]
        needs = tile.needs(bundle, size)
        if all(map(operator.le, needs.values(), sizes)):
            return tile
        shortages.append(needs)
    closest = min(
        (_shortages(needs, config) for needs in shortages), key=lambda short: short.count(",")
    )
    together = ", which lie in one tile as they have a selection" if demand.whole else ""
    raise _does_not_fit(
        f"no tile has room for {size * demand.positions} more neurons of "
        f"{demand.population.name!r}{together}; in the closest, {closest}"
    )


def _parts(demands: list[_Demand], tiles: list[_Tile]) -> Iterator[Part]:
    for number, demand in enumerate(demands):
        holders = [n for n, tile in enumerate(tiles) if number in tile.sizes]
        # The part that ends with an incomplete group comes last.
        holders.sort(key=lambda n: tiles[n].sizes[number] % tiles[n].lanes)
        start = 0
        for n in holders:
            size = tiles[n].sizes[number]
            yield Part(demand.population.name, n, start, size, demand.positions)
            start += size


def _check_routes(network: Network, parts: Sequence[Part], config: FabricConfig) -> None:
    needs = {"routes": len(set(destinations(network, parts)))}
    if config.tiles > 1 and (short := _shortages(needs, config)):
        raise _does_not_fit(short)


def _check_words(demands: Sequence[_Demand], parts: Sequence[Part], config: FabricConfig) -> None:
    """Check the words of sparse matrices, which are estimated before."""
    by_name = {demand.population.name: demand for demand in demands}
    for tile in range(config.tiles):
        words = sparse = 0
        for part in parts:
            demand = by_name[part.population]
            if part.tile == tile:
                exact = sum(size.words(part.start, part.size) for size in demand.sparse)
                groups = groups_of(part.size, config.lanes)
                words += demand.part_words[groups] - demand.sparse_words[groups] + exact
                sparse += exact
        if short := _shortages({"weight_words": words, "sparse_words": sparse}, config):
            raise _does_not_fit(short)


def _shortages(needs: dict[str, int], config: FabricConfig) -> str:
    """The sizes of a tile that are exceeded by `needs`."""
    return ", ".join(
        f"{name.replace('bias_depth', 'bias_rows')} {need} of {size} (short by {need - size})"
        for name, need in needs.items()
        if need > (size := getattr(config, name))
    )


def _does_not_fit(short: str) -> SpikeloomError:
    return SpikeloomError(
        f"the network does not fit the fabric: {short}; use a larger FabricConfig"
    )
