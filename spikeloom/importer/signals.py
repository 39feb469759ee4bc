"""Signals: the values between two neuron nodes, as maps of the spikes that cause them."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.importer.linear_maps import Diagonal, Floats, Map, Operation, add, follow, same
from spikeloom.importer.node import Shape

Source = tuple[str, int]
"""An input or population, and the steps of delay on the way from it."""


@dataclass(frozen=True)
class Signal:
    """Value of an edge in each step: bias + sum over sources of maps of their spikes.

    Parameters
    ----------
    shape
        Shape of the signal; all else is flattened in C order.
    terms
        By source the maps to add up.
    bias
        Shape (elements,).
    order
        Where a Flatten has put the elements in another order that no map has applied yet: element i
        of the signal is element `order[i]` of `terms` and `bias`.
    """

    shape: Shape
    terms: dict[Source, tuple[Map, ...]]
    bias: Floats
    order: NDArray[np.intp] | None = None

    @classmethod
    def spikes_of(cls, name: str, shape: Shape) -> "Signal":
        """The spikes of one input or population."""
        size = math.prod(shape)
        return cls(shape, {(name, 0): (Diagonal(np.ones(size)),)}, np.zeros(size))

    @property
    def sources(self) -> list[str]:
        """Names of all inputs and populations that it depends on."""
        return sorted({name for name, _ in self.terms})

    def through(self, operation: Operation, shape: Shape) -> "Signal":
        """The signal after an operation."""
        terms = {
            source: tuple(follow(one, operation) for one in maps)
            for source, maps in self.terms.items()
        }
        return Signal(shape, terms, operation.apply(self.bias[np.newaxis])[0])

    def plus(self, bias: Floats) -> "Signal":
        """The signal and a constant."""
        return dataclasses.replace(self, bias=self.bias + bias)

    def delayed(self, steps: int) -> "Signal":
        """The signal later; its bias is constant, and was there before step 0."""
        terms = {(name, delay + steps): maps for (name, delay), maps in self.terms.items()}
        return dataclasses.replace(self, terms=terms)

    def __add__(self, other: "Signal") -> "Signal":
        terms = dict(self.terms)
        for source, maps in other.terms.items():
            terms[source] = add(terms.get(source, ()), maps)
        return Signal(self.shape, terms, self.bias + other.bias)

    def unchanged_source(self) -> str | None:
        """The source whose spikes this signal is, or None where it is anything more."""
        if len(self.terms) != 1 or self.bias.any() or self.order is not None:
            return None
        [((name, delay), maps)] = self.terms.items()
        match maps:
            case (Diagonal(gains),) if delay == 0 and same(gains, 1.0):
                return name
        return None
