"""The coordinate table of a tile: where the rows, columns and channels of sources lead."""

from collections.abc import Sequence

from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.geometry import Geometry, Span, meetings, positions, spans, steps
from spikeloom.mapping.partition import Part

Row = dict[str, int]
"""A row of a table by its fields; what is not named is 0."""


def first_channel(joined: Geometry, met: Sequence[Span]) -> int:
    """First channel of the source that leads to a part."""
    return joined.sources * next(n for n, span in enumerate(met) if span.count)


def channels(joined: Geometry, met: Sequence[Span]) -> int:
    """Channels of the source that lead to a part; they follow each other."""
    return joined.sources * sum(span.count > 0 for span in met)


class CoordinateTable:
    """The rows, as connections are added to it.

    Connections of one geometry into the same part share theirs.
    """

    def __init__(self, config: FabricConfig) -> None:
        self._config = config
        self._bases: dict[tuple[str, Geometry], Row] = {}
        self.rows: list[int] = []

    def fields(self, joined: Geometry, part: Part) -> Row:
        """What the connection row of such a connection into `part` says, but for its bases."""
        lanes, slots = self._config.lanes, self._config.slots
        met = spans(joined, part.start, part.size, lanes)
        groups = max(span.count for span in met) * joined.copies
        column = channels(joined, met)
        row = column * joined.kernel[1]
        line = joined.target[2] * slots
        key = part.population, joined
        if key not in self._bases:
            bases = {
                "row_coordinates": self._add(_along(joined, 0, row, line)),
                "column_coordinates": self._add(_along(joined, 1, column, slots)),
            }
            if joined.grouped:
                group = positions(joined.target) * slots
                bases["channel_coordinates"] = self._add(_channels(joined, met, group))
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
            result["synapses"] = met[0].channels * joined.copies
        if groups > 1:
            result["stride"] = column * joined.taps
            result["sum_stride"] = positions(joined.target) * slots
        return result

    def _add(self, rows: list[Row]) -> int:
        """Append `rows`; their base."""
        base = len(self.rows)
        self.rows += [self._config.coordinate_row.pack(row) for row in rows]
        return base


def _along(joined: Geometry, axis: int, weights: int, sums: int) -> list[Row]:
    """A row of the table for each row, or column, of the source.

    `weights` and `sums` lead from a kernel row to the next, and from a row of the target to the
    next; columns likewise.
    """
    return [
        {"weight": m.tap * weights, "sum": m.place * sums, "count": m.count}
        for m in meetings(joined, axis)
    ]


def _channels(joined: Geometry, met: list[Span], sums: int) -> list[Row]:
    """A row of the table for each channel of the source; `sums` is the size of a channel group."""
    first = first_channel(joined, met)
    return [
        {
            "weight": group * joined.sources + channel - first,
            "sum": span.first * sums,
            "count": span.count,
            "synapses": span.channels,
        }
        if span.count
        else {}
        for group, span in enumerate(met)
        for channel in range(joined.sources)
    ]


def _steps(joined: Geometry, axis: int, name: str, weights: int, sums: int) -> Row:
    """The steps to the next kernel row, or column; none where no row meets two of them."""
    if all(m.count < 2 for m in meetings(joined, axis)):
        return {}
    taps, rows = steps(joined, axis)
    return {f"{name}_weights": taps * weights, f"{name}_sums": rows * sums}
