"""Keyed random numbers: the state of a step, and the mixing of it with a key."""

from typing import Any

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import RANDOM_BITS, FabricConfig, LoadTarget
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.load import load_signature, loads
from spikeloom.hdl.core.ports import Command

BETWEEN_SAMPLES = 0x9E3779B9
"""What is added from sample to sample."""
TAPS = 0x80200003
"""Of the shift register that goes on from step to step."""

MIXING_CLOCKS = 2
"""Clocks from the input of `mixed` to its result, the last sum of which takes no register."""


class StepState(wiring.Component):
    """What all random numbers of a step are made of, the same in every tile.

        state = start with the top bit set, start + 0x9E3779B9    in the first step of a sample
        state = (state >> 1) ^ (0x80200003 if its lowest bit was 1)    in every other step

    Timing: `state` follows a command with `restart` by one clock.

    Parameters
    ----------
    config
        Sizes of the fabric, with `noise` or `plasticity`.

    Members
    -------
    command : In(Command(config))
    load : In(load_signature(config))
        A RANDOM word sets `start`.
    state : Out(32)
    """

    def __init__(self, config: FabricConfig) -> None:
        super().__init__(
            {
                "command": In(Command(config)),
                "load": In(load_signature(config)),
                "state": Out(RANDOM_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        start = Signal(RANDOM_BITS)
        taps = Mux(self.state[0], Const(TAPS, RANDOM_BITS), 0)
        with m.If(self.command.valid & self.command.p.restart):
            m.d.sync += self.state.eq((self.state >> 1) ^ taps)
            with m.If(self.command.p.first):
                m.d.sync += [
                    self.state.eq(start | 1 << RANDOM_BITS - 1),
                    start.eq(start + BETWEEN_SAMPLES),
                ]
        with m.If(loads(self.load, LoadTarget.RANDOM)):
            m.d.sync += start.eq(self.load.word.data)
        return m


def mixed(m: Module, word: Value) -> Value:
    """32 bits that depend on all bits of `word`, `MIXING_CLOCKS` later; the lowest are the best.

    Timing: one in every clock. The last of three sums is not registered.
    """

    def plus(x: Value, shift: int) -> Value:
        return (x + (x << shift))[:RANDOM_BITS]

    x: Any = word
    for shift, back in ((7, 9), (10, 15)):
        total = plus(x, shift)
        x = delayed(m, total ^ (total >> back), 1)
    total = plus(x, 5)
    return total ^ (total >> 8) ^ (total >> 16) ^ (total >> 24)
