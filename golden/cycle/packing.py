"""Where the fields of a packed word lie."""

from spikeloom.golden.spec import Layout


def shifts(layout: Layout) -> list[int]:
    """Position of the least significant bit of every field."""
    positions, shift = [], 0
    for field in layout.fields:
        positions.append(shift)
        shift += field.width
    return positions


def masks(layout: Layout) -> list[int]:
    """For every field, ones in its width (not shifted)."""
    return [(1 << field.width) - 1 for field in layout.fields]


def offsets(layout: Layout) -> dict[str, int]:
    """Position of the least significant bit of every field, by its name."""
    names = (field.name for field in layout.fields)
    return dict(zip(names, shifts(layout), strict=True))
