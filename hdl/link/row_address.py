"""The place that LOAD and READ begin with: target, tile and address of a row."""

from amaranth import Module, Signal, Value

PLACE = 5
"""Bytes of a place: target, tile, and three of the address, the lowest first."""


def keep_place(
    m: Module, count: Signal, byte: Value, target: Value, tile: Value, address: Value
) -> None:
    """In a clock in which byte number `count` of a body is taken, keep it if it is of the place.

    Parameters
    ----------
    count, byte
        The byte, and its number in the body.
    target, tile, address
        Registers that keep the place; a memory may be too small for all bytes of an address.
    """
    with m.Switch(count):
        with m.Case(0):
            m.d.sync += target.eq(byte)
        with m.Case(1):
            m.d.sync += tile.eq(byte)
        for number in range(PLACE - 2):
            part = address[8 * number : 8 * number + 8]
            if len(part):
                with m.Case(2 + number):
                    m.d.sync += part.eq(byte)
