"""The coordinate table of a tile: targets and weights by row, column and channel of a source."""

from collections.abc import Sequence

from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.geometry import Geometry, Span, overlaps, positions, spans, steps
from spikeloom.mapping.parts import Part

Row = dict[str, int]
"""A row of a table by its fields; fields not named are 0."""


def first_channel(joined: Geometry, in_part: Sequence[Span]) -> int:
    """First channel of the source that has targets in a part."""
    return joined.sources * next(n for n, span in enumerate(in_part) if span.count)


def channels(joined: Geometry, in_part: Sequence[Span]) -> int:
    """Number of channels of the source that have targets in a part; they are consecutive."""
    return joined.sources * sum(span.count > 0 for span in in_part)


class CoordinateTable:
    """Collects the rows as connections are added.

    Connections of the same geometry into the same part share their rows.
    """

    def __init__(self, config: FabricConfig) -> None:
        self._config = config
        self._bases: dict[tuple[str, Geometry], Row] = {}
        self.rows: list[int] = []

    def fields(self, joined: Geometry, part: Part) -> Row:
        """The fields that the connection row takes from the geometry of a connection into `part`.

        Adds the rows of the coordinate table that they refer to.
        """
        lanes, slots = self._config.lanes, self._config.slots
        in_part = spans(joined, part.start, part.size, lanes)
        groups = max(span.count for span in in_part) * joined.copies
        column = channels(joined, in_part)
        row = column * joined.kernel[1]
        line = joined.target[2] * slots
        key = part.population, joined
        if key not in self._bases:
            bases = {
                "row_coordinates": self.add(_along(joined, 0, row, line)),
                "column_coordinates": self.add(_along(joined, 1, column, slots)),
            }
            if joined.grouped:
                group = positions(joined.target) * slots
                bases["channel_coordinates"] = self.add(_channels(joined, in_part, group))
            self._bases[key] = bases
        result = {
            "image": 1,
            "grouped": int(joined.grouped),
            "height": joined.source[1],
            "width": joined.source[2],
            "groups": groups,
            **self._bases[key],
            **_steps(joined, 0, "row", row, line),
            **_steps(joined, 1, "column", column, slots),
        }
        if not joined.grouped:
            result["synapses"] = in_part[0].channels * joined.copies
        if groups > 1:
            result["stride"] = column * joined.taps
            result["sum_stride"] = positions(joined.target) * slots
        return result

    def add(self, rows: Sequence[Row]) -> int:
        """Append `rows`, and return the address of the first."""
        base = len(self.rows)
        self.rows += [self._config.coordinate_row.pack(row) for row in rows]
        return base


def _along(joined: Geometry, axis: int, weights: int, sums: int) -> list[Row]:
    """A row of the table for each row, or column, of the source.

    `weights` is the distance between the weights of adjacent kernel rows, `sums` that between the
    accumulators of adjacent target rows; columns likewise.
    """
    return [
        {"weight": overlap.tap * weights, "sum": overlap.row * sums, "count": overlap.count}
        for overlap in overlaps(joined, axis)
    ]


def _channels(joined: Geometry, in_part: list[Span], sums: int) -> list[Row]:
    """A row of the table for each channel of the source; `sums` is the size of a channel group."""
    first = first_channel(joined, in_part)
    return [
        {
            "weight": group * joined.sources + channel - first,
            "sum": span.first * sums,
            "count": span.count,
            "synapses": span.channels,
        }
        if span.count
        else {}
        for group, span in enumerate(in_part)
        for channel in range(joined.sources)
    ]


def _steps(joined: Geometry, axis: int, name: str, weights: int, sums: int) -> Row:
    """The steps to the next kernel row, or column; empty if no row overlaps two of them."""
    if all(overlap.count < 2 for overlap in overlaps(joined, axis)):
        return {}
    taps, rows = steps(joined, axis)
    return {f"{name}_weights": taps * weights, f"{name}_sums": rows * sums}
