"""The check of a population's values."""

from typing import Protocol

import numpy as np

from spikeloom.golden.checks import (
    MAX_SIZE,
    check_array,
    check_flag,
    check_image,
    check_integer,
    check_leak,
)
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers, signed_range
from spikeloom.golden.several_spikes import SeveralSpikes, check_max_spikes
from spikeloom.golden.spec import DECAY_ONE, Reset
from spikeloom.golden.switches.switch import Neurons, Switch, check_switches

PARAMETERS = ("decay", "synaptic_decay", "threshold", "v_reset", "v_init", "subtrahend")
"""The fields of `Population` that can differ between its neurons."""

DECAYS = {"decay": (-DECAY_ONE, DECAY_ONE), "synaptic_decay": (0, DECAY_ONE)}
"""Minimum and maximum of those that are decays."""


class Checked(Neurons, SeveralSpikes, Protocol):
    """What the check reads of a population; `Population` documents each."""

    @property
    def name(self) -> str: ...
    @property
    def phase(self) -> int: ...
    @property
    def bias(self) -> Integers: ...
    @property
    def leak(self) -> Integers | None: ...
    @property
    def synaptic_decay(self) -> int | Integers | None: ...
    @property
    def switches(self) -> tuple[Switch, ...]: ...


def check_population(population: Checked, state_bits: int, bias_bits: int) -> None:
    """Raise `SpikeloomError` if a value of `population` has the wrong type, shape or range."""
    where = f"population {population.name!r}"
    low, high = signed_range(state_bits)
    check_integer(f"{where}: size", population.size, 1, MAX_SIZE)
    check_integer(f"{where}: phase", population.phase, 0, 255)
    for name in PARAMETERS:
        limits = DECAYS.get(name, (low, high))
        value = getattr(population, name)
        if isinstance(value, np.ndarray):
            check_array(f"{where}: {name}", value, (population.size,), limits)
        elif value is not None or name not in ("synaptic_decay", "subtrahend"):
            check_integer(f"{where}: {name}", value, *limits)
    if population.v_min is not None:
        check_integer(f"{where}: v_min", population.v_min, low, high)
    for name in ("inclusive", "spiking", "delayed_reset", "signed"):
        check_flag(f"{where}: {name}", getattr(population, name))
    if not isinstance(population.reset, Reset):
        raise SpikeloomError(f"{where}: reset must be a Reset, not {population.reset!r}")
    if population.reset is Reset.RESTORE and population.delayed_reset:
        raise SpikeloomError(
            f"{where}: Reset.RESTORE subtracts in the next step by itself; leave out delayed_reset"
        )
    shape = (population.size,)
    check_array(f"{where}: bias", population.bias, shape, signed_range(bias_bits))
    check_image(where, population.image, population.size)
    has_current = population.synaptic_decay is not None
    check_leak(where, population.leak, has_current, shape, (low, high))
    check_max_spikes(where, population)
    check_switches(where, population.switches, population, state_bits)
