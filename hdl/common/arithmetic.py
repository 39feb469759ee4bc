"""Combinational arithmetic."""

from amaranth import Cat, Const, Mux, Value


def saturate(value: Value, bits: int) -> Value:
    """`value` (signed) saturated to `bits` bits in two's complement."""
    width = len(value)
    if width <= bits:
        return value
    # It fits if all bits from the new sign upwards are equal.
    upper = value[bits - 1 :]
    fits = upper.all() | ~upper.any()
    sign = value[-1]
    clipped = Mux(sign, Const(-(1 << (bits - 1)), width), Const((1 << (bits - 1)) - 1, width))
    return Mux(fits, value, clipped)[:bits].as_signed()


def add_carry(a: Value, b: Value, carry: Value) -> Value:
    """`a` + `b` (signed) + `carry`, on a single carry chain."""
    return (Cat(carry, a).as_signed() + Cat(carry, b).as_signed()) >> 1


def add_modulo(a: Value, b: Value, modulus: int) -> Value:
    """(a + b) mod `modulus`, for a + b < 2 * `modulus`."""
    total = a + b
    return Mux(total >= modulus, total - modulus, total)
