"""The points of a sweep."""

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from spikeloom.quantise.integers import Schedule


@dataclass(frozen=True)
class Point:
    """A way to build a network.

    Parameters
    ----------
    weight_bits
        Width of a weight: 2, 4, 8, or 16 as a pair.
    state_bits
        Width of a potential, 8..24; None to leave it to the quantiser.
    lanes
        Synapses per clock and tile.
    columns, rows
        Tiles of the mesh.
    schedule
        "layered" or "pipelined".
    board
        Board whose part holds it; None for none.
    """

    weight_bits: int = 8
    state_bits: int | None = None
    lanes: int = 8
    columns: int = 1
    rows: int = 1
    schedule: Schedule = "layered"
    board: str | None = None

    def __str__(self) -> str:
        state = "" if self.state_bits is None else f"/{self.state_bits}"
        tiles = f"{self.columns}x{self.rows}"
        place = f" on {self.board}" if self.board else ""
        return (
            f"{self.weight_bits}{state} bits, {self.lanes} lanes, {tiles}, {self.schedule}{place}"
        )


@dataclass(frozen=True)
class Space:
    """The values that a sweep tries, each with each."""

    weight_bits: Sequence[int] = (4, 8)
    state_bits: Sequence[int | None] = (None,)
    lanes: Sequence[int] = (4, 8, 16)
    tiles: Sequence[tuple[int, int]] = ((1, 1),)
    schedules: Sequence[Schedule] = ("layered",)
    boards: Sequence[str | None] = (None,)

    def points(self) -> list[Point]:
        """Every combination, without repetitions."""
        product = itertools.product(
            self.weight_bits,
            self.state_bits,
            self.lanes,
            self.tiles,
            self.schedules,
            self.boards,
        )
        return list(
            dict.fromkeys(
                Point(weights, states, lanes, *tiles, schedule, board)
                for weights, states, lanes, tiles, schedule, board in product
            )
        )


def as_json(point: Point) -> dict[str, int | str | None]:
    """A point as JSON values, which `Point(**values)` reads."""
    return dataclasses.asdict(point)
