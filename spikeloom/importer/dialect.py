"""What a NIR file leaves open, as explicit options: one record per framework.

A NIR file carries no time step, no reset mode and no compare rule, and frameworks differ in what
they compute for the same file. A `Dialect` states each choice; `load_nir` takes other choices as
keyword arguments, or a record of your own in place of a name.
"""

import dataclasses
import sys
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import MAX_DELAY
from spikeloom.golden.spec import SPIKES_PER_STEP

ResetName = Literal["value", "subtract", "none"]
Compare = Literal[">", ">="]
Decay = Literal["euler", "exponential"]
Gain = Literal["euler", "one"]
SynapticGain = Literal["euler", "one", "decayed"]
Integrator = Literal["time", "step"]
Start = Literal["zero", "leak"]

SPIKING = ("CubaLIF", "IF", "LIF")
"""Kinds of node that reset."""


def _is_number(value: object) -> bool:
    """Whether it is a finite number that is no bool."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= sys.float_info.max


def _is_fixed(pair: object) -> bool:
    if not isinstance(pair, tuple) or len(pair) != 2:
        return False
    return isinstance(pair[0], str) and _is_number(pair[1])


@dataclass(frozen=True)
class Dialect:
    """How the nodes of a graph are to be understood.

    Parameters
    ----------
    name
        Name of the framework whose meaning this is.
    dt
        Time step, in the unit of the file's time constants (usually seconds), > 0; None where the
        framework does not fix one and the user has to.
    decay
        Fraction that a time constant tau forgets in a step: dt / tau ("euler") or
        1 - exp(-dt / tau) ("exponential").
    gain
        What a step adds to a potential: r * dt / tau times the input ("euler"), or the input as it
        is ("one"; r is not read).
    synaptic_gain
        What a step adds to a synaptic current: w_in * dt / tau_syn times the input ("euler"), the
        input as it is ("one"), or the input after one decay ("decayed"); the last two do not read
        w_in, and "decayed" holds for an LI as well.
    integrator
        Gain of an IF and I neuron: "time" integrates dv/dt = r I, so r * dt a step; "step" adds
        r * I. With `gain` "one" both add I.
    reset
        What a spike makes of the potential v: v_reset ("value"), v - v_threshold ("subtract"), or
        nothing ("none").
    reset_delay
        Whether a spike resets its neuron in the next step only, when that has decayed; or the
        kinds of node ("LIF", "CubaLIF", "IF") of which this is true.
    compare
        A neuron spikes where v is ">" or ">=" v_threshold.
    start
        Potential before the first step: "zero", or "leak" for v_leak.
    synaptic_leak
        The synaptic current of a CubaLIF or CubaLI leaks to v_leak, too, and starts there.
    clamp
        Whether a potential never goes below -v_threshold; or the kinds of node of which this is
        true.
    max_spikes
        Most spikes of a neuron in a step: 1, 3, 7, 15 or 31. With more than one, each subtracts
        the threshold.
    input_delay, forward_delay
        Steps that every connection takes, from an input, and from a neuron.
    recurrent_delay
        Steps that a connection takes which closes a cycle that has no other delay, >= 1.
    fixed
        Pairs of a parameter ("r", or "LIF.r" for one kind of node) and the only value the framework
        gives it. Where a file has another, framework and file disagree, and the node is refused.
    differences
        In what the framework computes something else than these options say, a line each.
    """

    name: str
    dt: float | None = None
    decay: Decay = "euler"
    gain: Gain = "euler"
    synaptic_gain: SynapticGain = "euler"
    integrator: Integrator = "time"
    reset: ResetName = "value"
    reset_delay: bool | tuple[str, ...] = False
    compare: Compare = ">"
    start: Start = "zero"
    synaptic_leak: bool = False
    clamp: bool | tuple[str, ...] = False
    max_spikes: int = 1
    input_delay: int = 0
    forward_delay: int = 0
    recurrent_delay: int = 1
    fixed: tuple[tuple[str, float], ...] = ()
    differences: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        options = {
            "decay": get_args(Decay),
            "gain": get_args(Gain),
            "synaptic_gain": get_args(SynapticGain),
            "integrator": get_args(Integrator),
            "reset": get_args(ResetName),
            "compare": get_args(Compare),
            "start": get_args(Start),
            "synaptic_leak": (False, True),
            "max_spikes": SPIKES_PER_STEP,
        }
        for option, choices in options.items():
            value = getattr(self, option)
            if not isinstance(value, Hashable) or value not in choices:
                raise SpikeloomError(f"{option} must be {_either(choices)}, not {value!r}")
        for option in ("reset_delay", "clamp"):
            value = getattr(self, option)
            if not isinstance(value, bool) and (
                not isinstance(value, tuple) or any(kind not in SPIKING for kind in value)
            ):
                raise SpikeloomError(
                    f"{option} must be True, False or a tuple of {_either(SPIKING)}, not {value!r}"
                )
        for option, least in (("input_delay", 0), ("forward_delay", 0), ("recurrent_delay", 1)):
            value = getattr(self, option)
            if isinstance(value, bool) or not isinstance(value, int):
                raise SpikeloomError(f"{option} must be a number of steps, not {value!r}")
            if not least <= value <= MAX_DELAY:
                raise SpikeloomError(f"{option} must be {least}..{MAX_DELAY} steps, not {value}")
        if self.dt is not None and not (_is_number(self.dt) and self.dt > 0):
            raise SpikeloomError(f"dt must be a positive number of seconds, not {self.dt!r}")
        if not isinstance(self.fixed, tuple) or not all(map(_is_fixed, self.fixed)):
            raise SpikeloomError(
                "fixed must be a tuple of pairs of a parameter and a number, such as "
                f"(('r', 1.0),), not {self.fixed!r}"
            )
        if self.max_spikes > 1 and (self.reset != "subtract" or self.reset_delay):
            raise SpikeloomError(
                'max_spikes above 1 needs reset="subtract" and no reset_delay: each spike '
                "subtracts the threshold at once"
            )

    def resets_late(self, kind: str) -> bool:
        """Whether a spike of a node of this kind resets it in the next step only."""
        return _holds(self.reset_delay, kind)

    def only(self, kind: str, parameter: str) -> float | None:
        """The only value that the framework gives a parameter of a node of this kind, if any."""
        for name, value in self.fixed:
            if name in (parameter, f"{kind}.{parameter}"):
                return value
        return None

    def clamps(self, kind: str) -> bool:
        """Whether the potential of a node of this kind never goes below -v_threshold."""
        return _holds(self.clamp, kind)


_MANY = "a neuron spikes at most 31 times in a step here, and without limit there"

DIALECTS = {
    dialect.name: dialect
    for dialect in (
        # The equations of the NIR specification, forward Euler, at a dt the user states.
        Dialect("nir"),
        # Its importer and exporter hard-code dt; it knows neither leak nor reset potential, and
        # its IF is a Leaky of beta 1. The file does not say how training reset: the importer
        # makes every neuron reset to zero, at once.
        Dialect(
            "snntorch",
            1e-4,
            integrator="step",
            fixed=(("v_leak", 0.0), ("v_reset", 0.0)),
            differences=(
                "reset='subtract' at once: where v is above the threshold even after a reset, "
                "snnTorch takes that reset back in the next step (46 of 10,240 values of a raster "
                "in the recurrent network of the NIR paper)",
                "reset_delay with reset='value': a Leaky keeps the input of the step it resets in, "
                "which spikes as with reset_delay=False",
                "an IF: importers before the fix of its beta make a Leaky with beta 0.9 of it",
            ),
        ),
        # The default dt of its cells and of its importer, which ignores v_reset, and r except in
        # a CubaLIF; states start at the leak potential; IAFCell adds its input unscaled.
        Dialect(
            "norse",
            1e-3,
            integrator="step",
            start="leak",
            synaptic_leak=True,
            fixed=(("IF.r", 1.0), ("LI.r", 1.0), ("LIF.r", 1.0), ("v_reset", 0.0)),
            differences=(
                "a bias on a recurrent connection acts from step 0 here, from step 1 there (23 "
                "values of a raster in the recurrent network of the NIR paper)",
                "to_nir multiplies time constants by its dt: export with dt=1",
                "a LIFCell is exported without the gain of its synapse: for one, pass "
                "synaptic_gain='one' and synaptic_leak=False",
            ),
        ),
        # Time constants count steps; spikes are graded.
        Dialect(
            "sinabs",
            1.0,
            decay="exponential",
            gain="one",
            reset="subtract",
            compare=">=",
            clamp=("IF",),
            max_spikes=31,
            fixed=(("v_leak", 0.0),),
            differences=(
                _MANY,
                "its importer knows no CubaLIF or CubaLI; here they follow these options",
            ),
        ),
        # Every Dense of a network hands on what it computed a step before.
        Dialect(
            "lava",
            1e-4,
            input_delay=1,
            forward_delay=1,
            fixed=(("r", 1.0), ("v_leak", 0.0), ("v_reset", 0.0), ("bias", 0.0)),
            differences=(
                "these are the floating-point processes; the fixed-point ones round weights, "
                "decays and thresholds in their own way",
                "the importer published with the NIR paper puts one more Dense before each LIF: "
                "for it, pass input_delay=2 and forward_delay=2",
            ),
        ),
        # No time step is stored: its importer guesses one from r.
        Dialect(
            "rockpool",
            decay="exponential",
            gain="one",
            synaptic_gain="decayed",
            reset="subtract",
            compare=">=",
            max_spikes=31,
            fixed=(("v_leak", 0.0),),
            differences=(
                _MANY,
                "its importer takes min(tau_mem / (1 + r)) for dt, which is not quite the dt that "
                "was exported; pass the true one",
                "its importer leaves out the bias of a recurrent Affine",
            ),
        ),
        # It compares the potential from before the step, so spikes leave a step late.
        Dialect(
            "spyx",
            1.0,
            gain="one",
            synaptic_gain="one",
            integrator="step",
            reset="subtract",
            reset_delay=("IF", "LIF"),
            forward_delay=1,
            fixed=(("v_leak", 0.0),),
            differences=(
                "spikes are recorded in the step that makes them here, and a step later there",
                "an LI with a Threshold behind it (PSU_LIF) is refused: import an LIF with "
                "reset='none'",
            ),
        ),
    )
}


def resolve(dialect: str | Dialect, **options: Any) -> Dialect:
    """The dialect called `dialect` (or given as a record), with `options` that are not None put in.

    Raises `SpikeloomError` where a name is unknown or an option has an impossible value.
    """
    if not isinstance(dialect, Dialect):
        if dialect not in DIALECTS:
            raise SpikeloomError(f"dialect must be {_either(tuple(DIALECTS))}, not {dialect!r}")
        dialect = DIALECTS[dialect]
    check_options(options)
    given = {option: value for option, value in options.items() if value is not None}
    return dataclasses.replace(dialect, **given)


def check_options(options: Iterable[str]) -> None:
    """Raise `SpikeloomError` where a name is no option of a dialect."""
    known = {field.name for field in dataclasses.fields(Dialect)} - {"name", "differences"}
    for option in options:
        if option not in known:
            raise SpikeloomError(
                f"{option}: no such option of a dialect; there are {', '.join(sorted(known))}"
            )


def _holds(option: bool | tuple[str, ...], kind: str) -> bool:
    return option if isinstance(option, bool) else kind in option


def _either(choices: tuple[object, ...]) -> str:
    return " or ".join(repr(choice) for choice in choices)
