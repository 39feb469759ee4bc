"""Products of the decays, with or without multipliers."""

from amaranth import Cat, Const, Module, Signal, Value

from spikeloom.golden.spec import DECAY_BITS, FabricConfig
from spikeloom.hdl.common.delay import delayed

_DIGIT = 3
"""Bits of a factor that a clock handles without multipliers: two additions."""


def product(m: Module, config: FabricConfig, value: Value, retain: Value, steady: bool) -> Value:
    """`value` * `retain` of `config.product_clocks` clocks ago.

    Without multipliers, one clock multiplies by a few bits of `retain` at a time, and the next one
    adds these products up to two halves; the user of the product adds the halves. No register of a
    product has a reset, so that synthesis can use the multiplier's own.

    Parameters
    ----------
    steady
        `retain` settles long before `value` comes.
    """
    if config.multipliers:
        return _register(m, value * retain)
    if steady:
        # A register shortens the path from the memory to so many adders.
        retain = delayed(m, retain, 1)
    digits = []
    for at in range(0, len(retain), _DIGIT):
        digit = retain[at : at + _DIGIT]
        if retain.shape().signed and at + _DIGIT >= len(retain):
            digit = digit.as_signed()
        digits.append(_register(m, value * digit) << at)
    low, high = _register(m, sum(digits[:3], Const(0))), _register(m, sum(digits[3:], Const(0)))
    return low + high


def decayed(product: Value, negative: Value, other: Value) -> Value:
    """The decayed value sign * floor(magnitude * retain / 4096), plus `other`.

    A shift rounds down, but a negative value must round toward zero: 4095 is added to it first.
    (The sign is not taken from the product: when Yosys packs the sum into the multiplier of an
    iCE40, it ignores that the product has another user.)
    """
    rest = negative.replicate(DECAY_BITS)
    return (product + Cat(rest, other).as_signed()) >> DECAY_BITS


def _register(m: Module, value: Value) -> Value:
    """`value` of the clock before, without a reset."""
    register = Signal.like(value, reset_less=True)
    m.d.sync += register.eq(value)
    return register
