"""Winner take all by coins (Lynch, Musco and Parter, arXiv:1904.12591): n neurons agree on one.

Each neuron that hears its input and nobody else throws a coin. As soon as one spikes, the first
inhibitor silences those that did not; while several do, the second one makes each of them throw
again. So about half of them drop out in each step.
"""

import numpy as np

from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.sparse import OneToOne
from spikeloom.golden.spec import DECAY_ONE, Reset
from spikeloom.golden.switches.noise import Noise
from spikeloom.golden.switches.selection import Selection


def network(neurons: int, seed: int) -> Network:
    """Inputs x, neurons y and two inhibitors a, all of them without memory.

        y_i(t) = 1 if 3 x_i(t) + 2 y_i(t-1) - a_1(t-1) - a_2(t-1) - 3 + coin > 0
        a_1(t) = 1 if any y(t) spikes;  a_2(t) = 1 if two or more do

    A coin is 0 or 1, so potentials above 0 spike, those below 0 do not, and 0 does in half of all
    cases.

    Parameters
    ----------
    neurons
        n, 2..1024.
    seed
        Of the coins.
    """
    ones = np.ones(neurons, np.int64)
    memoryless = {"decay": DECAY_ONE, "reset": Reset.NONE}
    coin = (Noise("coin", 1),)
    return Network(
        (Input("x", neurons),),
        (
            Population("y", neurons, -3 * ones, 0, switches=coin, **memoryless),
            Population("a", 2, np.array([0, -1]), 1, **memoryless),
        ),
        (
            OneToOne("x", "y", 3 * ones),
            OneToOne("y", "y", 2 * ones, 1),
            Connection("y", "a", np.ones((neurons, 2), np.int64)),
            Connection("a", "y", -np.ones((2, neurons), np.int64), 1),
        ),
        seed=seed,
    )


def argmax(potentials: Integers) -> Network:
    """Neurons with constant potentials above 0, the largest of which a selection lets spike.

    Parameters
    ----------
    potentials
        Shape (neurons,); of equal ones the first wins.
    """
    size = len(potentials)
    neurons = Population("y", size, potentials, decay=DECAY_ONE, switches=(Selection(),))
    return Network((Input("x", 1),), (neurons,), (Connection("x", "y", np.zeros((1, size), int)),))
