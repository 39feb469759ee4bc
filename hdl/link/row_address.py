"""The row address at the start of LOAD and READ: target, tile and address of a row."""

from amaranth import Module, Signal, Value

ROW_ADDRESS_BYTES = 5
"""Target, tile, and three bytes of the address, the lowest first."""


def keep_row_address(
    m: Module, number: Signal, byte: Value, target: Value, tile: Value, address: Value
) -> None:
    """Store a byte that is taken in this clock if it belongs to the row address.

    Parameters
    ----------
    number, byte
        The byte, and its number in the body.
    target, tile, address
        Registers; an `address` narrower than three bytes takes the low bits.
    """
    with m.Switch(number):
        with m.Case(0):
            m.d.sync += target.eq(byte)
        with m.Case(1):
            m.d.sync += tile.eq(byte)
        for n in range(ROW_ADDRESS_BYTES - 2):
            part = address[8 * n : 8 * n + 8]
            if len(part):
                with m.Case(2 + n):
                    m.d.sync += part.eq(byte)
