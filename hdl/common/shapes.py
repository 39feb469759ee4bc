"""Amaranth shapes of the layouts in `spikeloom.golden.spec`."""

from collections.abc import Sequence

from amaranth import signed, unsigned
from amaranth.hdl import ShapeLike
from amaranth.lib import data
from amaranth.lib.memory import Memory

from spikeloom.golden.spec import Layout


def struct(layout: Layout) -> data.StructLayout:
    """The structure with the fields of `layout`."""
    return data.StructLayout(
        {
            field.name: signed(field.width) if field.signed else unsigned(field.width)
            for field in layout.fields
        }
    )


def lanes(count: int, width: int) -> data.ArrayLayout:
    """A row of `count` signed lanes, lane 0 in the least significant bits."""
    return data.ArrayLayout(signed(width), count)


def memory(shape: ShapeLike, depth: int, rows: Sequence[int] = ()) -> Memory:
    """A memory of `depth` rows that starts with `rows`, which are packed, and with 0 beyond.

    Nobody looks at a row that was read in the clock in which it is written: synthesis is told so,
    and needs no logic to make that the old one.

    It has two rows at least: the address of a single row has no bits, which Verilog cannot say.
    """
    init = [shape.from_bits(row) for row in rows]
    return Memory(shape=shape, depth=max(2, depth), init=init, attrs={"no_rw_check": 1})
