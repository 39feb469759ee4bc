"""The parts of populations in a tile, and where they lie in its memories."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spikeloom.golden.convolution import ImageShape
from spikeloom.golden.network import Population
from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.partition import Part


@dataclass(frozen=True)
class TilePart:
    """A part in its tile.

    Parameters
    ----------
    number
        Of its population in packets.
    population, part
        What it is.
    image
        The population on the fabric.
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
    """The `parts` of one tile, one after the other in firing `order`."""
    group = 0
    for number, population in enumerate(order):
        for part in parts:
            if part.population == population.name:
                yield TilePart(number, population, part, nodes[population.name], group)
                group += part.groups(lanes)


def sum_base(resident: TilePart, config: FabricConfig) -> int:
    """Its first row of accumulators."""
    return resident.group * config.slots
