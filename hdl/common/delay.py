"""Delay lines."""

from amaranth import Module, Signal, Value


def delayed(m: Module, value: Value, clocks: int) -> Value:
    """`value` of `clocks` clocks ago, through as many registers."""
    for _ in range(clocks):
        register = Signal.like(value)
        m.d.sync += register.eq(value)
        value = register
    return value
