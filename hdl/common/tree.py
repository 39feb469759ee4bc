"""Trees of registers between the sequencer and the tiles."""

from functools import reduce
from operator import or_

from amaranth import Module, Signal, Value

from spikeloom.golden.spec import TREE_FAN_IN


def delayed(m: Module, value: Value, clocks: int) -> Value:
    """`value` as it was `clocks` clocks before: what goes from the sequencer to the tiles."""
    for _ in range(clocks):
        register = Signal.like(value)
        m.d.sync += register.eq(value)
        value = register
    return value


def any_of(m: Module, values: list[Value], clocks: int) -> Value:
    """Whether any of `values` was 1, bit by bit, `clocks` clocks before, the same for all.

    A register stands after every `TREE_FAN_IN` signals that are combined, so `clocks` is at least
    the logarithm of their number.
    """
    for _ in range(clocks):
        groups = range(0, len(values), TREE_FAN_IN)
        combined = [reduce(or_, values[start : start + TREE_FAN_IN]) for start in groups]
        values = [delayed(m, value, 1) for value in combined]
    return reduce(or_, values)
