"""A small network that learns in every way that devices and files must carry over."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.learning import SPIKED, Rule, Term, Trace
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Factor

AXONS, STEPS = 12, 6

STDP = Rule(
    (
        Term(Factor.PRE_TRACE, Factor.ABOVE, post=SPIKED),
        Term(Factor.POST_TRACE, Factor.BELOW, pre=SPIKED, negative=True),
    ),
    (-60, 100),
    shift=12,
    rounding="stochastic",
    pre=Trace.exponential(4.0, 120),
    post=Trace.exponential(6.0, 60),
)
"""Pair STDP with soft bounds and random numbers."""

THREE_FACTOR = Rule(
    (Term(Factor.THIRD, Factor.PRE_TRACE),),
    (-128, 127),
    pre=Trace.exponential(5.0, 40),
    third="error",
    third_shift=5,
)


def plastic_network(seed: int = 3) -> Network:
    """An input, a hidden population that learns by STDP, and an output that has a third factor."""
    rng = np.random.default_rng(seed)

    def weights(sources: int, targets: int, low: int, high: int) -> NDArray[np.int64]:
        return rng.integers(low, high, (sources, targets))

    zero = np.zeros(10, np.int64)
    return Network(
        (Input("in", AXONS),),
        (
            Population("hidden", 10, zero, threshold=90, decay=400),
            Population("out", 9, zero[:9], phase=1, threshold=70),
            Population("error", 9, zero[:9] + 3, phase=1, spiking=False, decay=800),
        ),
        (
            Connection("in", "hidden", weights(AXONS, 10, 0, 60), plasticity=STDP),
            Connection("hidden", "out", weights(10, 9, -20, 60), plasticity=THREE_FACTOR),
            Connection("hidden", "error", weights(10, 9, -40, 40)),
        ),
        sum_bits=16,
        seed=seed,
    )


def network_with_plane() -> Network:
    """The network with an eligibility in place of the trace of the third factor's rule."""
    network = plastic_network()
    plane = Rule(
        (
            Term(Factor.CONSTANT, pre=SPIKED, constant=160),
            Term(Factor.CONSTANT, Factor.WEIGHT, constant=2, negative=True),
        ),
        (-100, 100),
        shift=4,
        rounding="floor",
    )
    rule = Rule(
        (Term(Factor.THIRD, Factor.ELIGIBILITY),),
        (-128, 127),
        third="error",
        third_shift=4,
        eligibility=plane,
    )
    connections = list(network.connections)
    connections[1] = dataclasses.replace(network.connections[1], plasticity=rule)
    return dataclasses.replace(network, connections=tuple(connections))


def network_with_kernel() -> Network:
    """A convolution that learns between images, and a matrix that learns behind it."""
    rng = np.random.default_rng(5)
    kernel, dense = rng.integers(0, 60, (5, 1, 2, 3)), rng.integers(0, 40, (6, 9))
    rule = dataclasses.replace(STDP, rounding="nearest", post=None, terms=STDP.terms[:1])
    joined = Convolution("in", "map", kernel, stride=(2, 1), padding=((1, 0), (0, 1)))
    joined = dataclasses.replace(joined, plasticity=rule)
    image = joined.output((1, 3, 4))
    neurons = np.zeros(image[0] * image[1] * image[2], np.int64)
    return Network(
        (Input("in", AXONS, image=(1, 3, 4)), Input("more", 6)),
        (
            Population("map", len(neurons), neurons, threshold=90, decay=400, image=image),
            Population("out", 9, neurons[:9], threshold=70),
        ),
        (joined, Connection("more", "out", dense, plasticity=STDP)),
        seed=4,
    )


def spikes(samples: int, seed: int = 1) -> NDArray[np.bool_]:
    """Random input."""
    return np.random.default_rng(seed).random((samples, STEPS, AXONS)) < 0.4
