"""The passes of a word of weights through fewer lanes than it has."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from amaranth import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data

from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.shapes import lanes


class Weight(NamedTuple):
    """What a lane works on: its weight, a clock before its pass and in it; its eligibility."""

    before: Value
    now: Value
    eligibility: Value


class Passes:
    """Takes a word of weights apart, and what becomes of it together.

    Pass p has lanes p * `lanes` and following. With a single pass nothing is held.

    Timing: a word that is read in clock n comes in clock n + 1, a clock after that of its plane.
    Pass p begins in clock n + 2 + p. No other word comes before the last pass.

    Parameters
    ----------
    config
        Sizes of the fabric.
    valid
        A word is being read.
    weights
        What was read in the clock before.
    """

    def __init__(self, m: Module, config: FabricConfig, valid: Value, weights: data.View) -> None:
        self.count = config.learn_passes
        self.lanes = config.synapses_learned
        self._valid = valid
        self._weights = weights
        self._bits = config.weight_bits
        if self.count == 1:
            return
        self._comes = delayed(m, valid, 1)
        self._number = Signal(range(self.count), name="pass_number")
        self._is_last = self._number == self.count - 1
        with m.If(self._comes):
            m.d.sync += self._number.eq(0)
        with m.Elif(~self._is_last):
            m.d.sync += self._number.eq(self._number + 1)
        # Before the first pass a word moves on, then its lanes do.
        word, plane = (
            Signal(weights.shape(), name=name, reset_less=True) for name in ("word", "plane")
        )
        self._next = self._moved(word, weights)
        self._word, self._plane = word, plane
        m.d.sync += [word.eq(self._next), plane.eq(self._moved(plane, word))]

    def _moved(self, word: data.View, following: data.View) -> data.View:
        """What `word` becomes: the lanes of the next pass lowest, or `following`."""
        moved = word.as_value()[self.lanes * self._bits :]
        return data.View(word.shape(), Mux(self._is_last, following.as_value(), moved))

    def weight(self, m: Module, lane: int) -> Weight:
        """That of a lane."""
        if self.count > 1:
            return Weight(self._next[lane], self._word[lane], self._plane[lane])
        before = self._weights[lane]
        now = delayed(m, before, 1, reset_less=True)
        return Weight(before, now, delayed(m, now, 1, reset_less=True))

    def hold(self, m: Module, value: Value) -> Value:
        """`value` of the clock in which a word comes, in all of its passes."""
        if self.count == 1:
            return delayed(m, value, 1)
        held = Signal.like(value)
        with m.If(self._comes):
            m.d.sync += held.eq(value)
        return held

    def turn(self, values: Sequence[Value], lane: int) -> Value:
        """Of the values of all lanes of the word, that of the pass in a lane."""
        own = values[lane :: self.lanes]
        return Array(own)[self._number] if self.count > 1 else own[0]

    def after(self, m: Module, clocks: int) -> AbstractContextManager[None]:
        """Where a word was read that many clocks before; always, with a single pass."""
        return nullcontext() if self.count == 1 else m.If(delayed(m, self._valid, clocks))

    def gathered(self, m: Module, word: data.View) -> data.View:
        """What is assigned to it in each pass is all of `word` in the last one."""
        if self.count == 1:
            return word
        new = Signal(lanes(self.lanes, self._bits), name="new")
        size = len(new.as_value())
        earlier = Signal(len(word.as_value()) - size, name="earlier", reset_less=True)
        whole = Cat(earlier, new)
        m.d.sync += earlier.eq(whole[size:])
        m.d.comb += word.eq(whole)
        return new


def goes_on(m: Module, config: FabricConfig, valid: Value) -> Signal:
    """Whether a word that was read, when `valid` was 1, has passes to come: no other is read."""
    left = Signal(range(config.learn_passes + 1), name="passes_left")  # compared with 1
    some = Signal(name="passes_go_on")  # left != 0
    m.d.sync += [left.eq(left - some), some.eq(left > 1)]
    with m.If(valid):
        m.d.sync += [left.eq(config.learn_passes - 1), some.eq(1)]
    return some
