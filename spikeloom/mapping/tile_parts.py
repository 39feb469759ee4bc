"""The parts in a tile, and their addresses in its memories."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spikeloom.golden.convolution import ImageShape
from spikeloom.golden.network import Population
from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.parts import Part


@dataclass(frozen=True)
class TilePart:
    """A part in its tile.

    Parameters
    ----------
    number
        Number of its population in packets.
    population, part
        The population and the part.
    image
        Image shape of the population on the fabric.
    group
        Its first group of neurons in the tile's memories.
    """

    number: int
    population: Population
    part: Part
    image: ImageShape
    group: int


def tile_parts(
    order: Sequence[Population], nodes: dict[str, ImageShape], parts: Sequence[Part], lanes: int
) -> Iterator[TilePart]:
    """The `parts` of one tile, at most one of each population, one after another in `order`."""
    by_population = {part.population: part for part in parts}
    group = 0
    for number, population in enumerate(order):
        if part := by_population.get(population.name):
            yield TilePart(number, population, part, nodes[population.name], group)
            group += part.groups(lanes)


def sum_base(tile_part: TilePart, config: FabricConfig) -> int:
    """First row of its accumulators."""
    return tile_part.group * config.slots
