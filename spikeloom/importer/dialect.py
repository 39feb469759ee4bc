"""Choices that a NIR file leaves open, as explicit options: one record per framework.

A NIR file carries no time step, reset mode or compare rule, and frameworks compute different
things from the same file. A `Dialect` states each choice, by default the one that the framework's
own layers make with their defaults; `load_nir` takes other choices as keyword arguments, or a
record of your own in place of a name.
"""

import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from spikeloom.golden.checks import check_integer
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import MAX_DELAY
from spikeloom.golden.random_numbers import MAX_SEED
from spikeloom.golden.spec import SPIKES_PER_STEP, SWITCHES

ResetName = Literal["value", "zero", "subtract", "none"]
Compare = Literal[">", ">="]
Decay = Literal["euler", "exponential"]
Gain = Literal["euler", "one", "decay"]
SynapticGain = Literal["euler", "one", "decayed"]
Integrator = Literal["time", "step"]
Start = Literal["zero", "leak"]
AxisOrder = Literal["channels_first", "channels_last"]
Padding = Literal["stated", "same"]
LoopEntry = Literal["edge", "neuron"]
Clamp = bool | float | tuple[str | tuple[str, float], ...]
Values = float | tuple[Any, ...]
"""A number for all neurons, or numbers for each, in nested tuples where these are an image."""

SPIKING = ("CubaLIF", "IF", "LIF")
"""Kinds of node that reset."""

PARAMETERS = {
    "threshold": ("v_threshold", "threshold"),
    "v_reset": ("v_reset",),
    "v_leak": ("v_leak",),
    "v_init": ("v_init",),
    "tau": ("tau", "tau_mem"),
    "tau_syn": ("tau_syn",),
}
"""Options that stand for a parameter of neuron nodes, with its names in a file."""

OF_NODES = (
    *PARAMETERS,
    *SWITCHES,
    "decay",
    "gain",
    "synaptic_gain",
    "integrator",
    "reset",
    "reset_delay",
    "reset_first",
    "restore",
    "compare",
    "start",
    "synaptic_leak",
    "clamp",
    "max_spikes",
    "signed",
    "clip",
    "forward_delay",
)
"""Options that neuron nodes may have one by one."""


@dataclass(frozen=True)
class Dialect:
    """The meaning of the nodes of a graph.

    Parameters
    ----------
    name
        Name of the framework whose meaning this is.
    dt
        Time step, in the unit of the file's time constants (usually seconds), > 0; None where the
        framework does not fix one and the user has to.
    decay
        Fraction that a time constant tau forgets per step: dt / tau ("euler") or
        1 - exp(-dt / tau) ("exponential").
    gain
        Gain of a potential's input: r times the fraction that the potential forgets ("euler"), 1
        ("one"), or that fraction ("decay", and 1 for an IF and I); the last two do not read r.
    synaptic_gain
        Gain of a synaptic current's input: w_in times the fraction that the current forgets
        ("euler"), 1 ("one"), or the fraction that the current keeps ("decayed"); the last two do
        not read w_in, and "decayed" holds for an LI as well.
    integrator
        Gain of an IF and I node with `gain` "euler": "time" integrates dv/dt = r I, so r * dt;
        "step" is r.
    reset
        Effect of a spike on the potential v: v_reset ("value"), 0 ("zero"), v - v_threshold
        ("subtract"), or no effect ("none").
    reset_delay
        Whether a spike resets its neuron in the next step only, after the decay of that step; or
        the kinds of node ("LIF", "CubaLIF", "IF") of which this is true.
    reset_first
        With a delayed reset to a value, an LIF or IF without a connection to itself is reset before
        the decay of the next step, which is the same as a reset at once.
    restore
        With reset "subtract" and no delay: a potential that a reset left above the threshold is
        reset again before the comparison of the next step, and gets that back afterwards.
    compare
        A neuron spikes where v is ">" or ">=" v_threshold.
    start
        Potential before the first step: "zero", or "leak" for v_leak.
    synaptic_leak
        The synaptic current of a CubaLIF or CubaLI leaks to v_leak, too, and starts there.
    clamp
        Lower bound of potentials: False for none, True for -v_threshold, or a number <= 0; or a
        tuple of the kinds of node that have one, each by its name (-v_threshold) or as a pair of
        name and number, such as (("LIF", -1.0),).
    max_spikes
        Maximum spikes of a neuron per step: 1, 3, 7, 15 or 31. With more than one, each subtracts
        the threshold.
    signed
        A potential below 0 spikes by its magnitude, with spikes of -1.
    clip
        A time constant that stands for a decay outside 0..1 forgets nothing, or everything, as
        frameworks clip a learned decay in every step; only where the gains of the file show that
        it was written with this `dt`. Otherwise it is refused.
    input_delay
        Steps that every connection takes from an input.
    forward_delay
        Steps that every connection takes from a neuron; or pairs of a kind of node and its steps,
        0 for other kinds.
    recurrent_delay
        Steps, >= 1, of a connection that closes a cycle which has no other delay.
    recurrent_bias_from
        First step, 0 or 1, in which the bias of a connection that closes a cycle acts.
    repeat
        A parameter of one element, of whatever shape, holds for all neurons of its node.
    flatten
        Order in which a Flatten of an image of shape (channels, height, width) lines it up:
        "channels_first", or "channels_last" for (height, width, channels).
    padding
        Zeros around a pooled image, and around one that a "same" convolution with a stride reads:
        as "stated" on both sides; or as many as make the output ceil(size / stride) ("same"), an
        odd one at the end.
    loop_entry
        Where the input of a nested graph goes that leads only to the weight of the loop around a
        neuron node: along its "edge", or past that weight to the "neuron".
    threshold, v_reset, v_leak
        Potentials in place of those of the file, in its unit: a number, or one for each neuron.
    v_init
        Potential before the first step, likewise, in place of `start`.
    tau, tau_syn
        Time constants in place of those of the file, of the potential and of the synaptic current.
        They change what a step forgets, not the gain of an input.
    switches
        Switches of spiking neuron nodes: pairs of a name of `SWITCHES` and what its module in
        `spikeloom.importer.switches` takes. `load_nir` makes them of options with these names.
    seed
        Of the random numbers that noise draws, 0..2**32-1; noise needs one.
    nodes
        Options of single neuron nodes: pairs of a node's name, or of a nested graph's for all nodes
        in it, and a tuple of pairs of an option and its value. `load_nir` makes them of options
        that are a mapping from names to values.
    fixed
        Pairs of a parameter ("r", or "LIF.r" for one kind of node) and the only value the framework
        gives it. Where a file has another, framework and file disagree, and the node is refused.
    differences
        Where the framework computes something other than these options say, one line each.
    unstated
        Features of the framework that a file does not carry, one line each with the option for it.

    Raises
    ------
    SpikeloomError
        An option has an impossible value.
    """

    name: str
    dt: float | None = None
    decay: Decay = "euler"
    gain: Gain = "euler"
    synaptic_gain: SynapticGain = "euler"
    integrator: Integrator = "time"
    reset: ResetName = "value"
    reset_delay: bool | tuple[str, ...] = False
    reset_first: bool = False
    restore: bool = False
    compare: Compare = ">"
    start: Start = "zero"
    synaptic_leak: bool = False
    clamp: Clamp = False
    max_spikes: int = 1
    signed: bool = False
    clip: bool = False
    input_delay: int = 0
    forward_delay: int | tuple[tuple[str, int], ...] = 0
    recurrent_delay: int = 1
    recurrent_bias_from: int = 0
    repeat: bool = False
    flatten: AxisOrder = "channels_first"
    padding: Padding = "stated"
    loop_entry: LoopEntry = "edge"
    threshold: Values | None = None
    v_reset: Values | None = None
    v_leak: Values | None = None
    v_init: Values | None = None
    tau: Values | None = None
    tau_syn: Values | None = None
    switches: tuple[tuple[str, Any], ...] = ()
    seed: int | None = None
    nodes: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...] = ()
    fixed: tuple[tuple[str, float], ...] = ()
    differences: tuple[str, ...] = ()
    unstated: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, frozen(getattr(self, field.name)))
        for option in ("differences", "unstated"):
            lines = getattr(self, option)
            if not isinstance(lines, tuple) or not all(isinstance(line, str) for line in lines):
                raise SpikeloomError(f"{option} must be a tuple of lines, not {lines!r}")
        if not isinstance(self.name, str):
            raise SpikeloomError(f"name must be the name of a framework, not {self.name!r}")
        for option, choices in CHOICES.items():
            value = getattr(self, option)
            # True is 1 and 1.0 in Python, but not here.
            if not any(type(value) is type(choice) and value == choice for choice in choices):
                raise SpikeloomError(f"{option} must be {either(choices)}, not {value!r}")
        if not isinstance(self.reset_delay, bool) and not (
            isinstance(self.reset_delay, tuple)
            and all(kind in SPIKING for kind in self.reset_delay)
        ):
            raise SpikeloomError(
                f"reset_delay must be True, False or a tuple of {either(SPIKING)}, "
                f"not {self.reset_delay!r}"
            )
        for option in PARAMETERS:
            value = getattr(self, option)
            if value is not None and not _are_numbers(value):
                raise SpikeloomError(
                    f"{option} must be a number, or one for each neuron, not {value!r:.80}"
                )
        if not _is_clamp(self.clamp):
            raise SpikeloomError(
                "clamp must be True, False, a number <= 0, or a tuple of "
                f"{either(SPIKING)} or of pairs of these and a number <= 0, not {self.clamp!r}"
            )
        delays: list[tuple[str, object, int]] = [
            ("input_delay", self.input_delay, 0),
            ("recurrent_delay", self.recurrent_delay, 1),
        ]
        if isinstance(self.forward_delay, tuple) and all(map(_is_fixed, self.forward_delay)):
            delays += [("forward_delay", steps, 0) for _, steps in self.forward_delay]
        else:
            delays.append(("forward_delay", self.forward_delay, 0))
        for option, value, minimum in delays:
            if isinstance(value, bool) or not isinstance(value, int):
                raise SpikeloomError(f"{option} must be a number of steps, not {value!r}")
            if not minimum <= value <= MAX_DELAY:
                raise SpikeloomError(f"{option} must be {minimum}..{MAX_DELAY} steps, not {value}")
        if self.dt is not None and not (_is_number(self.dt) and self.dt > 0):
            raise SpikeloomError(f"dt must be a positive number of seconds, not {self.dt!r}")
        if not isinstance(self.fixed, tuple) or not all(map(_is_fixed, self.fixed)):
            raise SpikeloomError(
                "fixed must be a tuple of pairs of a parameter and a number, such as "
                f"(('r', 1.0),), not {self.fixed!r}"
            )
        if not isinstance(self.switches, tuple) or not all(map(_is_switch, self.switches)):
            raise SpikeloomError(
                f"switches must be a tuple of pairs such as ('refractory', 0.002), "
                f"not {self.switches!r}"
            )
        if self.seed is not None:
            check_integer("seed", self.seed, 0, MAX_SEED)
        if self.max_spikes > 1 and (self.reset != "subtract" or self.reset_delay):
            raise SpikeloomError(
                'max_spikes above 1 needs reset="subtract" and no reset_delay, because each spike '
                "subtracts the threshold at once; pass max_spikes=1 or another reset"
            )
        if self.signed and (self.reset_delay or self.restore):
            raise SpikeloomError(
                "signed=True needs a reset that acts at once; pass reset_delay=False and "
                "restore=False, or signed=False"
            )
        if not isinstance(self.nodes, tuple) or not all(map(_is_stated, self.nodes)):
            raise SpikeloomError(
                "nodes must be a tuple of pairs such as ('lif', (('reset', 'zero'),)), "
                f"not {self.nodes!r}"
            )
        for name, options in self.nodes:
            try:
                self.stating(dict(options), nodes=())
            except SpikeloomError as error:
                raise SpikeloomError(f"node {name!r}: {error}") from None

    def stated(self, node: str) -> dict[str, Any]:
        """The options that are stated for this very node, or for a graph around it."""
        return {
            option: value
            for name, options in sorted(self.nodes, key=lambda pair: len(pair[0]))
            if within(node, name)
            for option, value in options
        }

    def of(self, node: str) -> "Dialect":
        """The options of this node."""
        return self.stating(self.stated(node), nodes=()) if self.nodes else self

    def stating(self, options: Mapping[str, Any], **fields: Any) -> "Dialect":
        """The same with other options, switches among them, and other `fields`."""
        switches = {name: value for name, value in options.items() if name in SWITCHES}
        others = {name: value for name, value in options.items() if name not in SWITCHES}
        together = dict(self.switches) | switches
        return dataclasses.replace(self, switches=tuple(together.items()), **others, **fields)

    def resets_late(self, kind: str) -> bool:
        """Whether a spike of a node of this kind resets it in the next step only."""
        return self.reset_delay if isinstance(self.reset_delay, bool) else kind in self.reset_delay

    def delay_from(self, kind: str) -> int:
        """Steps that a connection from a node of this kind takes."""
        if isinstance(self.forward_delay, tuple):
            return dict(self.forward_delay).get(kind, 0)
        return self.forward_delay

    def only(self, kind: str, parameter: str) -> float | None:
        """The only value that the framework gives a parameter of a node of this kind, if any."""
        for name, value in self.fixed:
            if name in (parameter, f"{kind}.{parameter}"):
                return value
        return None

    def lower_bound(self, kind: str) -> bool | float:
        """Lower bound of the potential of a node of this kind; True for -v_threshold."""
        if not isinstance(self.clamp, tuple):
            return self.clamp
        for entry in self.clamp:
            name, bound = (entry, True) if isinstance(entry, str) else entry
            if name == kind:
                return bound
        return False


CHOICES: dict[str, tuple[object, ...]] = {
    "decay": get_args(Decay),
    "gain": get_args(Gain),
    "synaptic_gain": get_args(SynapticGain),
    "integrator": get_args(Integrator),
    "reset": get_args(ResetName),
    "reset_first": (False, True),
    "restore": (False, True),
    "compare": get_args(Compare),
    "start": get_args(Start),
    "synaptic_leak": (False, True),
    "max_spikes": SPIKES_PER_STEP,
    "signed": (False, True),
    "clip": (False, True),
    "recurrent_bias_from": (0, 1),
    "repeat": (False, True),
    "flatten": get_args(AxisOrder),
    "padding": get_args(Padding),
    "loop_entry": get_args(LoopEntry),
}
"""Values of each option that is one of a few."""


def within(node: str, name: str) -> bool:
    """Whether a node has this name or lies in the nested graph that has it."""
    return node == name or node.startswith(f"{name}.")


def frozen(value: Any) -> Any:
    """The value with Python's numbers for those of NumPy, and tuples for lists, to any depth."""
    if isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.ndim):
        return tuple(map(frozen, value))
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, np.floating) and value.dtype.itemsize < 8:
        return float(str(value))  # the number that was written: 0.001, not its float32 rounding
    return value.item() if isinstance(value, np.generic) else value


def _is_number(value: object) -> bool:
    """Whether it is a finite number and no bool."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= sys.float_info.max


def _are_numbers(values: object) -> bool:
    """Whether they are a number or an array of them, and none is a bool."""
    try:
        return np.asarray(values).dtype.kind in "iuf"
    except ValueError:
        return False


def _is_fixed(pair: object) -> bool:
    if not isinstance(pair, tuple) or len(pair) != 2:
        return False
    return isinstance(pair[0], str) and _is_number(pair[1])


def _is_switch(pair: object) -> bool:
    return isinstance(pair, tuple) and len(pair) == 2 and pair[0] in SWITCHES


def _is_stated(pair: object) -> bool:
    """Whether it is the name of a node and a tuple of pairs of an option and its value."""
    if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], str):
        return False
    return isinstance(pair[1], tuple) and all(
        isinstance(stated, tuple) and len(stated) == 2 and stated[0] in OF_NODES
        for stated in pair[1]
    )


def _is_clamp(clamp: Clamp) -> bool:
    if isinstance(clamp, bool):
        return True
    if not isinstance(clamp, tuple):
        return _is_number(clamp) and clamp <= 0
    return all(
        entry in SPIKING
        if isinstance(entry, str)
        else _is_fixed(entry) and entry[0] in SPIKING and entry[1] <= 0
        for entry in clamp
    )


def either(choices: tuple[object, ...]) -> str:
    """Choices in an error message."""
    return " or ".join(repr(choice) for choice in choices)


NIR = Dialect("nir")
"""The equations of the NIR specification, forward Euler, at a dt that the user states."""
