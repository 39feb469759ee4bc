"""Sampling by spikes: a Boltzmann machine of sigmoid neurons with a refractory period.

A neuron stands for 1 in the `tau` steps from each of its spikes on, and for 0 otherwise. Buesing et
al. (2011) show which of these machines sample exactly; Petrovici et al. (arXiv:
1703.04145) build them from neurons of hardware, and Jang et al. (arXiv:1812.03929) train them.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import DECAY_ONE, Reset
from spikeloom.golden.switches.noise import Noise
from spikeloom.golden.switches.refractory import Refractory

UNIT = 24
"""Of potentials in one unit of energy; it is the amplitude of the logistic noise."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Machine:
    """p(z) is proportional to exp(z W z / 2 + b z), for z of zeros and ones.

    Parameters
    ----------
    weights
        W, symmetric with zeros on its diagonal, at most 5 in magnitude.
    biases
        b.
    tau
        Steps in which a neuron stands for 1 after a spike.
    """

    weights: Floats
    biases: Floats
    tau: int

    @classmethod
    def random(cls, neurons: int, seed: int, tau: int = 4) -> "Machine":
        """Weights and biases of standard deviation 1."""
        rng = np.random.default_rng(seed)
        upper = np.triu(rng.normal(size=(neurons, neurons)), 1)
        return cls((upper + upper.T).clip(-5, 5), rng.normal(size=neurons), tau)

    def exact(self) -> Floats:
        """The probability of each state; neuron 0 is the highest bit of its number."""
        states = np.array([*itertools.product((0, 1), repeat=len(self.biases))])
        energy = np.einsum("si,ij,sj->s", states, self.weights, states) / 2
        unnormalised = np.exp(energy + states @ self.biases)
        return unnormalised / unnormalised.sum()

    def network(self, seed: int, together: bool = False) -> Network:
        """Its spiking network: each neuron is a population, with a phase of its own.

        A neuron that reads b + W z spikes with probability sigma(b + W z - ln tau), except in the
        tau - 1 steps after a spike. In a step one neuron follows the other, so a neuron reads what
        those before it have just done. Each weight has tau connections, whose delays follow each
        other: so a spike is read in tau steps, as strong in each.

        Parameters
        ----------
        together
            All neurons in one phase: each reads what the others did in the step before, which is
            near the distribution where tau is large.
        """
        neurons = range(len(self.biases))
        threshold = round(UNIT * math.log(self.tau))
        refractory = () if self.tau == 1 else (Refractory(self.tau - 1, "mute"),)
        populations = tuple(
            Population(
                f"z{n}",
                1,
                np.array([round(UNIT * self.biases[n])]),
                phase=0 if together else n,
                decay=DECAY_ONE,
                threshold=threshold,
                reset=Reset.NONE,
                switches=(*refractory, Noise("logistic", UNIT)),
            )
            for n in neurons
        )

        def connections() -> Iterator[Connection]:
            for source, target in itertools.permutations(neurons, 2):
                weight = np.array([[round(UNIT * self.weights[source, target])]])
                first = 0 if source < target and not together else 1
                for delay in range(first, first + self.tau):
                    yield Connection(f"z{source}", f"z{target}", weight, delay)

        return Network((Input("steps", 1),), populations, tuple(connections()), seed=seed)


def states(spikes: dict[str, NDArray[np.bool_]], tau: int) -> NDArray[np.int64]:
    """The number of the machine's state after each step, (samples, steps)."""
    each = np.concatenate([spikes[f"z{n}"] for n in range(len(spikes))], axis=2)
    ones = each.copy()
    for delay in range(1, tau):
        ones[:, delay:] |= each[:, :-delay]
    numbers: NDArray[np.int64] = ones @ (1 << np.arange(len(spikes))[::-1])
    return numbers


def divergence(numbers: NDArray[np.int64], exact: Floats) -> float:
    """KL(measured || exact), in nats, of states by their numbers."""
    measured = np.bincount(numbers.ravel(), minlength=len(exact)) / numbers.size
    seen = measured > 0
    return float((measured[seen] * np.log(measured[seen] / exact[seen])).sum())
