"""Packed words: fields, layouts and the widths of indices and counts."""

from collections.abc import Mapping
from dataclasses import dataclass


def index_bits(count: int) -> int:
    """Width of an index 0..count-1, at least 1, so that every field exists."""
    return max(1, (count - 1).bit_length())


def count_bits(limit: int) -> int:
    """Width of a count 0..limit, at least 1."""
    return max(1, limit.bit_length())


@dataclass(frozen=True)
class Field:
    """One field of a packed word."""

    name: str
    width: int
    signed: bool = False


@dataclass(frozen=True)
class Layout:
    """Fields of a packed word, the first one in the least significant bits."""

    fields: tuple[Field, ...]

    @property
    def width(self) -> int:
        """Width of the word in bits."""
        return sum(field.width for field in self.fields)

    def pack(self, values: Mapping[str, int]) -> int:
        """Pack `values` into a word; fields without a value are 0.

        Raises
        ------
        ValueError
            A name is unknown, or a value does not fit its field.
        """
        unknown = set(values) - {field.name for field in self.fields}
        if unknown:
            raise ValueError(f"no such field: {', '.join(sorted(unknown))}")
        word = shift = 0
        for field in self.fields:
            value = int(values.get(field.name, 0))
            low = -(1 << (field.width - 1)) if field.signed else 0
            high = (1 << (field.width - field.signed)) - 1
            if not low <= value <= high:
                raise ValueError(f"{field.name} must be {low}..{high}, not {value}")
            word |= (value & ((1 << field.width) - 1)) << shift
            shift += field.width
        return word

    def unpack(self, word: int) -> dict[str, int]:
        """The value of every field of `word`."""
        values = {}
        for field in self.fields:
            value = word & ((1 << field.width) - 1)
            if field.signed and value >> (field.width - 1):
                value -= 1 << field.width
            values[field.name] = value
            word >>= field.width
        return values


def layout(*fields: tuple[str, int] | tuple[str, int, bool]) -> Layout:
    """A `Layout` from (name, width) or (name, width, signed) tuples.

    >>> bin(layout(("low", 3), ("high", 2, True)).pack({"low": 5, "high": -1}))
    '0b11101'
    """
    return Layout(tuple(Field(*field) for field in fields))
