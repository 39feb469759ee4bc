"""Python's integers and booleans in place of NumPy's, which wrap, or are no instance of `int`."""

from typing import Any

import numpy as np


class PlainIntegers:
    """A frozen record whose NumPy integers and booleans, and those in its tuples, become Python's.

    Narrow NumPy integers wrap silently; Python's never do.
    """

    def __post_init__(self) -> None:
        for name, value in list(vars(self).items()):
            object.__setattr__(self, name, plain(value))


def plain(value: Any) -> Any:
    """`value`, or Python's where it is a NumPy integer or boolean, or a tuple of them."""
    if isinstance(value, (np.integer, np.bool_)):
        return value.item()
    return tuple(map(plain, value)) if type(value) is tuple else value
