"""Bit offsets and masks of the fields of a packed word, as laid out in `docs/hardware.md`."""

from spikeloom.golden.spec import Layout


def shifts(layout: Layout) -> list[int]:
    """Bit offset of every field, in order."""
    offset, result = 0, []
    for field in layout.fields:
        result.append(offset)
        offset += field.width
    return result


def masks(layout: Layout) -> list[int]:
    """Mask of every field, in order, not shifted."""
    return [(1 << field.width) - 1 for field in layout.fields]


def offsets(layout: Layout) -> dict[str, int]:
    """Bit offset of every field, by name."""
    names = (field.name for field in layout.fields)
    return dict(zip(names, shifts(layout), strict=True))
