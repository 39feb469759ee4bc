"""Plastic kernels: how the axons of an image are numbered, and the fields of their rules."""

from collections.abc import Mapping

from spikeloom.golden.convolution import ImageShape
from spikeloom.mapping.geometry import Geometry


def axon_shifts(source: ImageShape) -> dict[str, int]:
    """The fields that say how far apart the axons of rows and columns lie; 0 where there is one.

    Axon (y, x, channel) is (y << axon_row) + (x << axon_column) + channel.
    """
    channels, height, width = source
    column = (channels - 1).bit_length() if width > 1 else 0
    row = (((width - 1) << column) + channels - 1).bit_length() if height > 1 else 0
    return {"axon_row": row, "axon_column": column}


def axon_rows(source: ImageShape) -> int:
    """Rows of AXON that a source takes, up to its last axon."""
    channels, height, width = source
    shifts = axon_shifts(source)
    return ((height - 1) << shifts["axon_row"]) + ((width - 1) << shifts["axon_column"]) + channels


def rule_axons(row: Mapping[str, int]) -> int:
    """Rows of AXON that the source of a rule takes, by the rule's fields."""
    if not row.get("kernel"):
        return row["sources"]
    return axon_rows((row["channels"], row["source_height"], row["source_width"]))


def kernel_fields(joined: Geometry) -> dict[str, int]:
    """The fields that a rule takes from the geometry of its convolution."""
    channels, height, width = joined.source
    (top, _), (left, _) = joined.padding
    return {
        "kernel": 1,
        "channels": channels,
        "kernel_columns": joined.kernel[1],
        "row_stride": joined.stride[0],
        "column_stride": joined.stride[1],
        "row_padding": top,
        "column_padding": left,
        "source_height": height,
        "source_width": width,
        "target_height": joined.target[1],
        "target_width": joined.target[2],
        **axon_shifts(joined.source),
    }


def kernel_extent(joined: Geometry) -> int:
    """The `extent` that a fabric needs for these fields."""
    (top, _), (left, _) = joined.padding
    return max(joined.kernel[1], *joined.stride, top, left)
