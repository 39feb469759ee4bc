"""One node of a NIR graph, with access to its parameters that checks them."""

import dataclasses
import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from spikeloom.golden.convolution import Pair
from spikeloom.golden.errors import SpikeloomError
from spikeloom.importer.dialect import PARAMETERS, Dialect
from spikeloom.importer.float_network import PerNeuron
from spikeloom.importer.graph import brief
from spikeloom.importer.linear_maps import ROUNDING, Floats, same

Shape = tuple[int, ...]

SPREAD = 1e3
"""Ratio between neurons of one node above which a parameter is hardly meant."""

FORGETS = 0.98
"""Fraction forgotten per step above which a time constant is hardly meant."""


@dataclass(frozen=True)
class Node:
    """A node, and access to its parameters that checks them.

    Parameters
    ----------
    name, node
        Its name in the flat graph, and the node of NIR.
    dialect
        The choices that the file leaves open, those stated for this node among them.
    used
        Options of the dialect that nodes asked for, added to by `uses`.
    warnings
        Remarks on values that are hardly meant, added to by `warn`.
    stated
        Options that are stated for this very node, and so are no choice of the dialect.
    """

    name: str
    node: Any
    dialect: Dialect
    used: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    stated: Collection[str] = ()

    @property
    def kind(self) -> str:
        """Name of its type."""
        return type(self.node).__name__

    def refuse(self, problem: str) -> NoReturn:
        """Raise an error that names the node."""
        raise SpikeloomError(f"node {self.name!r} ({self.kind}): {problem}")

    def warn(self, problem: str) -> None:
        """Note a value that is hardly meant, and its remedy."""
        self.warnings.append(f"node {self.name!r} ({self.kind}): {problem}")

    def option(self, name: str) -> Any:
        """An option of the dialect, which is noted as one that matters."""
        self.uses(name)
        return getattr(self.dialect, name)

    def uses(self, name: str) -> None:
        """Note that an option of the dialect matters."""
        if name not in self.stated:
            self.used.add(name)

    def replaced(self, parameter: str) -> Any:
        """What the user states in place of a parameter of the file; None where it holds."""
        for option, names in PARAMETERS.items():
            if parameter == option or parameter in names:
                return getattr(self.dialect, option)
        return None

    def value(self, parameter: str) -> Any:
        """A parameter as the user states it, or else the file."""
        stated = self.replaced(parameter)
        return getattr(self.node, parameter, None) if stated is None else stated

    def in_file(self) -> "Node":
        """The node with the parameters of the file alone."""
        none: dict[str, Any] = dict.fromkeys(PARAMETERS)
        dialect = dataclasses.replace(self.dialect, **none)
        return dataclasses.replace(self, dialect=dialect)

    def array(self, parameter: str, infinite: bool = False) -> Floats:
        """A parameter as float64 numbers, of whatever shape: finite, or + infinity if allowed."""
        value = self.value(parameter)
        try:
            values = np.asarray(value)
        except (TypeError, ValueError, RuntimeError):
            values = np.asarray(None)
        if values.dtype.kind not in "biuf":
            self.refuse(f"{parameter} must be an array of numbers, not {brief(value)}")
        values = values.astype(np.float64)
        allowed = np.isfinite(values)
        if infinite:
            allowed |= values == np.inf
        if not allowed.all():
            self.refuse(f"{parameter} has NaN or infinite elements; export the network again")
        return values

    def each(self, parameter: str, shape: Shape, infinite: bool = False) -> Floats:
        """A parameter of every element of a signal of `shape`, flattened.

        A scalar (of shape ()) is repeated, as frameworks export a parameter that all neurons share.
        One element of any other shape is repeated where the dialect says so; NIR itself does not.
        """
        values = self.array(parameter, infinite)
        stated = self.replaced(parameter) is not None
        if stated and values.size in (1, math.prod(shape)):
            values = values.reshape(shape if values.size > 1 else ())
        if values.size == 1 and values.shape not in ((), shape) and math.prod(shape) > 1:
            if not self.option("repeat"):
                self.refuse(
                    f"{parameter} has shape {values.shape}, but its input has shape {shape}; make "
                    "them equal or the parameter a scalar, or pass repeat=True"
                )
            values = values.reshape(())
        if values.shape not in ((), shape) and values.size != 1:
            self.refuse(
                f"{parameter} has shape {values.shape}, but its input has shape {shape}; "
                "make them equal"
            )
        expected = self.dialect.only(self.kind, parameter)
        if expected is not None and not stated and not same(values, expected):
            self.refuse(
                f"{parameter} must be {expected:g}, the only value {self.dialect.name} knows; "
                'set it so, or import with dialect="nir" and a dt'
            )
        return self.level(np.broadcast_to(values.reshape(-1), math.prod(shape)))

    def level(self, values: Floats) -> Floats:
        """The values, all the same where they differ by float32 rounding only."""
        first = values[:1]
        return np.broadcast_to(first, values.shape) if same(values, first) else values

    def per_neuron(self, values: Floats) -> PerNeuron:
        """The number that all values are, or the values."""
        return float(values[0]) if same(values, values[:1]) else values.copy()

    def declared_shape(self, end: str) -> Shape | None:
        """The shape that the node declares for its "input" or "output", if it does."""
        types = getattr(self.node, f"{end}_type", None)
        declared = types.get(end) if isinstance(types, dict) else types
        if declared is None:
            return None
        try:
            sizes = np.asarray(declared)
        except (TypeError, ValueError, RuntimeError):
            sizes = np.asarray(None)
        if sizes.size == 0:
            return ()
        if sizes.ndim > 1 or sizes.dtype.kind not in "iuf" or not (sizes % 1 == 0).all():
            self.refuse(f"its shape must be integers, not {brief(declared)}")
        if sizes.min() < 1:
            self.refuse(f"its shape must be positive, not {brief(declared)}")
        return tuple(int(size) for size in sizes.reshape(-1))

    def expect(self, end: str, shape: Shape) -> None:
        """Refuse a signal of another shape than the one declared."""
        expected = self.declared_shape(end)
        # Exporters of scalar parameters write an end of no dimension, or of one element.
        if expected in (None, (), shape) or (self.dialect.repeat and expected == (1,)):
            return
        if without_batch(expected) != without_batch(shape):
            self.refuse(f"it expects {expected}, but its input has shape {shape}; make them equal")

    def integers(self, parameter: str, count: int, least: int) -> tuple[int, ...]:
        """A parameter of `count` integers; one is repeated."""
        values = self.array(parameter).reshape(-1)
        if values.size not in (1, count) or (values % 1).any():
            self.refuse(f"{parameter} must be {_integers(count)}, not {brief(values.tolist())}")
        if values.min() < least:
            self.refuse(f"{parameter} must be at least {least}, not {int(values.min())}")
        return tuple(int(value) for value in np.broadcast_to(values, count))

    def pair(self, parameter: str, least: int, flat: bool = False) -> Pair:
        """A parameter of rows and columns; where the image is `flat`, of columns only."""
        if flat:
            [columns] = self.integers(parameter, 1, least)
            return least, columns
        rows, columns = self.integers(parameter, 2, least)
        return rows, columns

    def integer(self, parameter: str) -> int:
        """A parameter that is one integer."""
        values = self.array(parameter)
        if values.size != 1 or values.item() % 1:
            self.refuse(f"{parameter} must be an integer, not {brief(values.tolist())}")
        return int(values.item())

    def time_step(self) -> float:
        """The time step of the dialect."""
        dt: float | None = self.option("dt")
        if dt is None:
            self.refuse("its meaning depends on the time step, which NIR does not store; pass dt=")
        return dt

    def rate(self, parameter: str, shape: Shape) -> Floats:
        """Fraction that a time constant forgets per step, before `clip`; 0 for an infinite one."""
        tau, dt = self.each(parameter, shape, infinite=True), self.time_step()
        if not tau.all():
            self.refuse(f"{parameter} must be positive, not 0; an IF node has no leak")
        return -np.expm1(-dt / tau) if self.option("decay") == "exponential" else dt / tau

    def decay(self, parameter: str, shape: Shape, written: bool = False) -> Floats:
        """Fraction, 0..1, that a time constant forgets per step.

        `written` says that the dialect's framework wrote the time constant with this time step.
        """
        rate, dt = self.rate(parameter, shape), self.time_step()
        tau = self.each(parameter, shape, infinite=True)
        shortest, longest = float(tau.min()), float(tau.max())
        if min(shortest, 1 - rate.max() + ROUNDING) < 0 and written and self.option("clip"):
            return np.clip(rate, 0.0, 1.0)
        if shortest < 0:
            self.refuse(
                f"{parameter} must be positive, not {shortest:g}; an IF node has no leak, and a "
                "decay above 1 (beta of snnTorch and Spyx) is clipped to 1 under their dialects"
            )
        if shortest * SPREAD <= longest < math.inf:
            self.warn(
                f"{parameter} differs between neurons by a factor of {longest / shortest:g} "
                f"({shortest:g}..{longest:g}); check the array"
            )
        if rate.max() > 1 + ROUNDING:
            self.refuse(
                f"{parameter} ({shortest:g}) is shorter than dt ({dt:g}); pass a dt of at most that"
            )
        decay = np.minimum(rate, 1.0)
        # An exporter writes tau_syn = dt for a neuron without a synaptic current.
        meant = written or (parameter == "tau_syn" and same(tau, dt))
        if decay.max() >= FORGETS and not meant:
            self.warn(
                f"{parameter} ({shortest:g}) is no longer than dt ({dt:g}) allows: nothing of a "
                "step is left in the next; pass the dt of the training"
            )
        return decay

    def gain(self, parameter: str, per_step: Floats | float, shape: Shape) -> Floats:
        """A gain; exporters choose it to be 1 per step, which float32 gives only nearly."""
        factor = self.each(parameter, shape, infinite=True)
        steps = np.broadcast_to(per_step, factor.shape)
        endless = factor == np.inf
        if (endless & (steps != 0)).any():
            self.refuse(f"{parameter} has infinite elements, but the time constant has not")
        # Both are infinite where an exporter divided by a decay of 0 to make the gain 1.
        gain = np.where(endless, 1.0, np.where(endless, 0.0, factor) * steps)
        return np.where(np.abs(gain - 1) <= ROUNDING, 1.0, gain)


def without_batch(shape: Shape) -> Shape:
    """A shape without leading dimensions of 1, which exporters write for the batch."""
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    return shape


def _integers(count: int) -> str:
    return "an integer" if count == 1 else f"an integer or {count} of them"
