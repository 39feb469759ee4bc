"""One node of a NIR graph, with access to its parameters that checks them."""

import math
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from spikeloom.golden.convolution import Pair
from spikeloom.golden.errors import SpikeloomError
from spikeloom.importer.dialect import Dialect
from spikeloom.importer.graph import brief
from spikeloom.importer.linear_maps import Floats

Shape = tuple[int, ...]

ROUNDING = 1e-6
"""Relative difference that storing time constants as float32 can make."""


@dataclass(frozen=True)
class Node:
    """A node, and access to its parameters that checks them."""

    name: str
    node: Any
    dialect: Dialect

    @property
    def kind(self) -> str:
        """Name of its type."""
        return type(self.node).__name__

    def refuse(self, problem: str) -> NoReturn:
        """Raise an error that names the node."""
        raise SpikeloomError(f"node {self.name!r} ({self.kind}): {problem}")

    def array(self, parameter: str) -> Floats:
        """A parameter as finite float64 numbers, of whatever shape."""
        value = getattr(self.node, parameter, None)
        try:
            values = np.asarray(value)
        except (TypeError, ValueError, RuntimeError):
            values = np.asarray(None)
        if values.dtype.kind not in "biuf":
            self.refuse(f"{parameter} must be an array of numbers, not {brief(value)}")
        values = values.astype(np.float64)
        if not np.isfinite(values).all():
            self.refuse(f"{parameter} has NaN or infinite elements; export the network again")
        return values

    def each(self, parameter: str, shape: Shape) -> Floats:
        """A parameter of every element of a signal of `shape`, flattened.

        A scalar (of shape ()) is repeated, as frameworks export what all neurons share; one element
        of any other shape is not, because NIR repeats nothing.
        """
        values = self.array(parameter)
        if values.shape not in ((), shape) and (values.size, math.prod(shape)) != (1, 1):
            scalar = ", or make the parameter a scalar" if values.size == 1 else ""
            self.refuse(
                f"{parameter} has shape {values.shape}, but what arrives has shape {shape}; "
                f"make them equal{scalar}"
            )
        expected = self.dialect.only(self.kind, parameter)
        if expected is not None and (values != expected).any():
            self.refuse(
                f"{parameter} must be {expected:g}, the only value {self.dialect.name} knows; "
                'set it so, or import with dialect="nir" and a dt'
            )
        return np.broadcast_to(values.reshape(-1), math.prod(shape))

    def one(self, parameter: str, shape: Shape) -> float:
        """A parameter that all neurons share."""
        return self.same(parameter, self.each(parameter, shape))

    def same(self, parameter: str, values: Floats, tolerance: float = 0.0) -> float:
        """The value that all `values` of a parameter have."""
        low, high = float(values.min()), float(values.max())
        if high - low > tolerance * max(abs(low), abs(high)):
            self.refuse(
                f"{parameter} differs between neurons ({low:g}..{high:g}), and the hardware keeps "
                "one for a population; make it uniform, or use one node per value"
            )
        return low

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
        # Exporters of scalar parameters write an end of no dimension.
        if expected not in (None, (), shape):
            self.refuse(
                f"it expects {expected}, but what arrives has shape {shape}; make them equal"
            )

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
        if self.dialect.dt is None:
            self.refuse("its meaning depends on the time step, which NIR does not store; pass dt=")
        return self.dialect.dt

    def decay(self, parameter: str, shape: Shape) -> float:
        """Fraction that a time constant forgets per step."""
        tau, dt = self.one(parameter, shape), self.time_step()
        if tau <= 0:
            self.refuse(f"{parameter} must be positive, not {tau:g}; an IF node has no leak")
        if self.dialect.decay == "exponential":
            return -math.expm1(-dt / tau)
        decay = dt / tau
        if decay > 1 + ROUNDING:
            self.refuse(
                f"{parameter} ({tau:g}) is shorter than dt ({dt:g}); pass a dt of at most that"
            )
        return min(decay, 1.0)

    def gain(self, parameter: str, per_step: float, shape: Shape) -> Floats:
        """A gain; exporters choose it to be 1 per step, which float32 gives only nearly."""
        gain = self.each(parameter, shape) * per_step
        return np.where(np.abs(gain - 1) <= ROUNDING, 1.0, gain)


def _integers(count: int) -> str:
    return "an integer" if count == 1 else f"an integer or {count} of them"
