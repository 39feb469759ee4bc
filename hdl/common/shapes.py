"""Amaranth shapes of the layouts in `spikeloom.golden.spec`."""

from collections.abc import Sequence

from amaranth import signed, unsigned
from amaranth.hdl import ShapeLike
from amaranth.lib import data
from amaranth.lib.memory import Memory

from spikeloom.golden.spec import Layout


def struct(layout: Layout) -> data.StructLayout:
    """A structure with the fields of `layout`, the first one in the least significant bits."""
    return data.StructLayout(
        {
            field.name: signed(field.width) if field.signed else unsigned(field.width)
            for field in layout.fields
        }
    )


def lanes(count: int, width: int) -> data.ArrayLayout:
    """A row of `count` signed lanes, lane 0 in the least significant bits."""
    return data.ArrayLayout(signed(width), count)


def memory(
    shape: ShapeLike, depth: int, rows: Sequence[int] = (), in_blocks: bool = False
) -> Memory:
    """A memory of `depth` rows whose first rows start as `rows` (packed), the others as 0.

    A read of the row that is written in the same clock is unspecified and unused. The attribute
    tells synthesis so, which saves the logic that would return the old row.

    It has at least two rows: the address of a single row has no bits, which Verilog cannot express.
    With `in_blocks` it is made of block RAM, even where RAM in LUTs would do.
    """
    init = [shape.from_bits(row) for row in rows]
    attrs: dict[str, int | str] = {"no_rw_check": 1}
    if in_blocks:
        attrs["ram_style"] = "block"
    return Memory(shape=shape, depth=max(2, depth), init=init, attrs=attrs)
