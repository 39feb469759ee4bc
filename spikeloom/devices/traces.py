"""Traces: populations and neurons whose state a run returns after every step."""

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import ArrayLike

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Network

Traces = Mapping[str, ArrayLike | None] | Collection[str]
"""Names of populations; or, for each, its neurons, where None stands for all."""


def traced_neurons(network: Network, traces: Traces | None) -> dict[str, Integers]:
    """The neurons of each traced population.

    Raises
    ------
    SpikeloomError
        There is no such population or neuron.
    """
    names = () if traces is None else traces
    if (
        isinstance(names, str)
        or not isinstance(names, Collection)
        or not all(isinstance(name, str) for name in names)
    ):
        raise SpikeloomError(
            f"traces must be names of populations, such as ['hidden'], not {traces!r}"
        )
    asked = names if isinstance(names, Mapping) else dict.fromkeys(names)
    sizes = {population.name: population.size for population in network.populations}
    chosen: dict[str, Integers] = {}
    for name, given in asked.items():
        if name not in sizes:
            raise SpikeloomError(
                f"traces: there is no population {name!r}; there are {', '.join(sizes)}"
            )
        chosen[name] = np.arange(sizes[name]) if given is None else _neurons(name, given)
        if chosen[name].min() < 0 or chosen[name].max() >= sizes[name]:
            raise SpikeloomError(
                f"traces of {name!r}: neurons must be 0..{sizes[name] - 1}, "
                f"not {chosen[name].tolist()}"
            )
    return chosen


def _neurons(name: str, given: ArrayLike) -> Integers:
    try:
        neurons = np.asarray(given)
    except ValueError:
        neurons = np.array(None)
    if neurons.ndim != 1 or not neurons.size or neurons.dtype.kind not in "iu":
        raise SpikeloomError(
            f"traces of {name!r}: neurons must be a list of integers such as [0, 5], not {given!r}"
        )
    return neurons.astype(np.int64)
