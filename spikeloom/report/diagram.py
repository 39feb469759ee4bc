"""Layout of a drawing of the network: boxes in columns, from the inputs to the last layer."""

from collections.abc import Mapping
from dataclasses import dataclass

from spikeloom.golden.network import Network
from spikeloom.program import kind_of

WIDTH, HEIGHT, ACROSS, DOWN, MARGIN = 148, 58, 64, 26, 34
"""Size of a box, the gaps between boxes, and the margin, in pixels."""


@dataclass(frozen=True)
class Box:
    """An input or population; `x` and `y` are its upper left corner."""

    name: str
    detail: str
    is_input: bool
    x: int
    y: int


@dataclass(frozen=True)
class Arrow:
    """A connection: an SVG path, whether it goes back, and a description."""

    path: str
    back: bool
    text: str


@dataclass(frozen=True)
class Diagram:
    """Boxes and arrows in a picture of this size."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def diagram(network: Network) -> Diagram:
    """Lay out the network, each population in the column after those that drive it."""
    columns = _columns(network)
    place: dict[str, tuple[int, int]] = {}
    filled: dict[int, int] = {}
    for name, column in columns.items():
        row = filled.get(column, 0)
        filled[column] = row + 1
        x = MARGIN + column * (WIDTH + ACROSS)
        place[name] = x, MARGIN + row * (HEIGHT + DOWN)
    inputs = {node.name for node in network.inputs}
    boxes = tuple(
        Box(
            name,
            _shape(network.size(name), network.image(name), name in inputs),
            name in inputs,
            *at,
        )
        for name, at in place.items()
    )
    arrows = tuple(
        Arrow(
            _path(place[c.source], place[c.target]),
            columns[c.source] >= columns[c.target],
            f"{c.source} to {c.target}: {kind_of(c)}, "
            f"{int(network.fan_out(c).sum()):,} synapses, delay {c.delay}",
        )
        for c in network.connections
    )
    width = 2 * MARGIN + (max(columns.values()) + 1) * (WIDTH + ACROSS) - ACROSS
    height = 2 * MARGIN + max(filled.values()) * (HEIGHT + DOWN) - DOWN
    return Diagram(width, height, boxes, arrows)


def _columns(network: Network) -> Mapping[str, int]:
    """The column of each input and population; a connection to one before it does not count."""
    columns = {node.name: 0 for node in network.inputs}
    for population in sorted(network.populations, key=lambda p: p.phase):
        before = [
            columns[c.source]
            for c in network.connections
            if c.target == population.name and c.source in columns
        ]
        columns[population.name] = max(before, default=0) + 1
    return columns


def _path(source: tuple[int, int], target: tuple[int, int]) -> str:
    """From the right of one box to the left of another, or over the top, back."""
    (x, y), (to_x, to_y) = source, target
    if to_x > x:
        x, y, to_y = x + WIDTH, y + HEIGHT // 2, to_y + HEIGHT // 2
        half = (to_x - x) // 2
        return f"M{x} {y} C{x + half} {y} {to_x - half} {to_y} {to_x} {to_y}"
    x, to_x = x + WIDTH * 3 // 4, to_x + WIDTH // 4
    top = min(y, to_y) - DOWN
    return f"M{x} {y} C{x} {top} {to_x} {top} {to_x} {to_y}"


def _shape(size: int, image: tuple[int, int, int] | None, is_input: bool) -> str:
    unit = "axons" if is_input else "neurons"
    if image is None:
        return f"{size:,} {unit}"
    return f"{' x '.join(map(str, image))} {unit}"
