"""The tree of registers from the tiles to the sequencer."""

from functools import reduce
from operator import or_

from amaranth import Module, Value

from spikeloom.golden.spec import TREE_FAN_IN
from spikeloom.hdl.common.delay import delayed


def any_of(m: Module, values: list[Value], clocks: int) -> Value:
    """Bitwise OR of `values`, all as they were `clocks` clocks ago.

    A register follows each OR of up to `TREE_FAN_IN` signals, so `clocks` must be at least the
    number of levels, ceil(log(len(values)) / log(TREE_FAN_IN)), for no OR to be wider than that.
    """
    for _ in range(clocks):
        groups = range(0, len(values), TREE_FAN_IN)
        combined = [reduce(or_, values[start : start + TREE_FAN_IN]) for start in groups]
        values = [delayed(m, value, 1) for value in combined]
    return reduce(or_, values)
