"""Delay lines."""

from amaranth import Module, Signal, Value


def delayed(m: Module, value: Value, clocks: int, reset_less: bool = False) -> Value:
    """`value` of `clocks` clocks ago, through as many registers.

    Without a reset synthesis can take those of a multiplier.
    """
    for _ in range(clocks):
        register = Signal.like(value, reset_less=reset_less)
        m.d.sync += register.eq(value)
        value = register
    return value
