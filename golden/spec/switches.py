"""Switches of the neuron update: what a fabric that is built with one has more."""

import enum
from dataclasses import dataclass

from spikeloom.golden.spec.numbers import AGE_BITS, GAIN_BITS, RETAIN_BITS

STATE = 0
"""In place of a width: that of a membrane potential."""


class RefractoryMode(enum.IntEnum):
    """What becomes of the membrane potential in a refractory period."""

    HOLD = 0
    """It stays as it is; input is lost."""
    CLAMP = 1
    """It is `v_reset`; input is lost."""
    MUTE = 2
    """It goes on as ever, and only spikes are suppressed."""


class Then(enum.IntEnum):
    """What follows in a sample when a competition has all its winners."""

    AGAIN = 0
    """The next step is a new competition."""
    SILENCE = 1
    """Nobody else of the competition spikes in the sample."""
    FREE = 2
    """In later steps all of the competition spike as without a selection."""


class Status(enum.IntEnum):
    """Where a neuron stands in its competition."""

    COMPETES = 0
    LOST = 1
    FREE = 2
    """It has won, or the competition is over; it spikes as without a selection."""
    CANDIDATE = 3
    """Within a step only: it would spike, and it is not decided whether it may."""


@dataclass(frozen=True)
class SwitchLayout:
    """What a switch adds to a fabric.

    Parameters
    ----------
    clocks
        Stages of fire's pipeline.
    row
        Fields of the population row: name, width and, where it is signed, True. In front of them a
        bit with the name of the switch says whether the population has it.
    kept
        Fields that a neuron keeps from step to step beside its potential, 0 when a sample begins,
        or, where the population row's field `keep` is 1, as the sample before left them.
    constants
        Fields of the row of the bias memory. A switch that has some has no bit in the population
        row: rows of populations without it hold what changes nothing.
    """

    clocks: int
    row: tuple[tuple[str, int] | tuple[str, int, bool], ...] = ()
    kept: tuple[tuple[str, int], ...] = ()
    constants: tuple[tuple[str, int, bool], ...] = ()


SWITCHES = {
    "input_gain": SwitchLayout(1, constants=(("gain", GAIN_BITS, True),)),
    "constant_leak": SwitchLayout(1, (("amount", STATE), ("positive_only", 1))),
    "refractory": SwitchLayout(1, (("steps", 6), ("mode", 2)), (("count", 6),)),
    "floor_reset": SwitchLayout(1, (("minimum", STATE, True),)),
    "requantise": SwitchLayout(3, (("shift", 5), ("top", STATE))),
    "adaptive_threshold": SwitchLayout(
        0, (("increment", STATE), ("retain", RETAIN_BITS), ("keep", 1)), (("adaptation", STATE),)
    ),
    "noise": SwitchLayout(0, (("table", 4),)),
    "spike_once": SwitchLayout(0, kept=(("latch", 1),)),
    "selection": SwitchLayout(
        1,
        (
            *(("by_position", 1), ("winners", 4), ("blocks", 1), ("radius", 4)),
            *(("resets", 1), ("amount", STATE), ("then", 2)),
        ),
        (("status", 2), ("count", 4)),
    ),
}
"""Every switch, by the field of `FabricConfig` that says whether it is built, in the order in which
they act. In a packed row a field has the name of its switch in front: `refractory_steps`."""

LAYOUTS = SWITCHES | {
    "plasticity": SwitchLayout(
        0,
        (("always", 1), ("on_spike", 1), ("at_age", AGE_BITS)),
        (("spiked", 1), ("recent", AGE_BITS), ("potential", STATE)),
    )
}
"""The switches, and what learning keeps of neurons, which nobody asks for by itself."""
