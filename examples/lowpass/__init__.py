"""A low-pass recurrent network (Nair and Indiveri, arXiv:1905.10692), and its sigma-delta neuron.

    y[t] = a * y[t - 1] + (1 - a) * f(x[t] @ inward + y[t - 1] @ recurrent)

Two populations are a layer: neurons without a memory make f, which is as many spikes as the sum has
units, 0 to `TOP`; neurons that decay add these up, and send the upper bits of what they have, which
no spike lessens. Or they send how it changes, by sigma-delta, and neurons of f decay alike.
"""

import dataclasses
from pathlib import Path

import numpy as np

from examples import recurrent
from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.sparse import OneToOne
from spikeloom.golden.spec import DECAY_ONE, Reset

FILE = Path(__file__).parent / "lowpass.npz"

HIDDEN = 64
TOP = 31
"""The largest value of f and of y."""
UNIT = 100
"""What a unit of f is in a sum of products."""
DECAY = 1612
"""Of y: a is 1 - DECAY / 4096, a time constant of two steps."""
FRACTION = 7
"""Bits of y behind the unit of f."""
STEADY = round((1 << FRACTION) * DECAY_ONE / DECAY)
"""What a unit of y is in its potential: where f is constant, y is f."""


class Weights(recurrent.Weights):
    """Weights of 8 bits."""

    file = FILE

    def scores(self, values: Integers) -> Integers:
        """Scores after the last step, (n, classes), for values (n, steps, inputs), in integers."""
        potential = sent = np.zeros((len(values), HIDDEN), np.int64)
        for step in range(values.shape[1]):
            sums = values[:, step] @ self.inward + sent @ self.recurrent
            f = (sums // UNIT).clip(0, TOP)
            potential = potential * (DECAY_ONE - DECAY) // DECAY_ONE + (f << FRACTION)
            sent = (potential // STEADY).clip(0, TOP)
        scores: Integers = sent @ self.outward
        return scores

    def network(self) -> Network:
        """Its spiking network: potentials of `classes` after the last step are `scores`."""
        several = {"inclusive": True, "max_spikes": TOP}
        count = self.outward.shape[1]
        return Network(
            (Input("rows", recurrent.INPUTS, recurrent.TOP),),
            (
                Population(
                    "f",
                    HIDDEN,
                    np.zeros(HIDDEN, np.int64),
                    decay=DECAY_ONE,
                    threshold=UNIT,
                    reset=Reset.SUBTRACT,
                    **several,
                ),
                Population(
                    "y",
                    HIDDEN,
                    np.zeros(HIDDEN, np.int64),
                    1,
                    decay=DECAY,
                    fraction_bits=FRACTION,
                    threshold=STEADY,
                    reset=Reset.NONE,
                    **several,
                ),
                Population(
                    "classes",
                    count,
                    np.zeros(count, np.int64),
                    2,
                    decay=DECAY_ONE,
                    spiking=False,
                ),
            ),
            (
                Connection("rows", "f", self.inward),
                Connection("y", "f", self.recurrent, delay=1),
                OneToOne("f", "y", np.ones(HIDDEN, np.int64)),
                Connection("y", "classes", self.outward),
            ),
            state_bits=20,
            sum_bits=20,
        )

    def network_of_changes(self) -> Network:
        """The same network whose y is sent by sigma-delta: a spike for each unit that it changes.

        A neuron of f decodes, so it decays as y does: p[t] = a p[t - 1] + input. For y this is the
        low-passed signal; x, which is not low-passed, comes again a step later, times -a, and so
        leaves nothing behind. The classes decode, too.
        """
        network = self.network()
        f, y, classes = network.populations
        inward, recurrent, *others = network.connections
        gone = np.rint(-self.inward * (1 - DECAY / DECAY_ONE)).astype(np.int64)
        return dataclasses.replace(
            network,
            populations=(
                dataclasses.replace(f, decay=DECAY, reset=Reset.NONE),
                dataclasses.replace(y, reset=Reset.SUBTRACT, signed=True),
                dataclasses.replace(classes, decay=DECAY),
            ),
            connections=(inward, Connection("rows", "f", gone, delay=1), recurrent, *others),
        )


SPIKE, DRIVE, FINE = 100, 13, 4
"""Of sigma-delta neurons: what a spike is, and what a unit of their input is, in potentials that
have `FINE` bits more."""


def sigma_delta(size: int) -> Network:
    """Neurons whose spikes say how their low-passed input changes, and neurons that decode them.

    What an encoder keeps is what the decoder lacks: both decay alike, and what one subtracts with a
    spike the other adds.
    """
    zeros = np.zeros(size, np.int64)
    encoder = Population(
        "encoder",
        size,
        zeros,
        decay=DECAY,
        fraction_bits=FINE,
        threshold=SPIKE << FINE,
        inclusive=True,
        reset=Reset.SUBTRACT,
        max_spikes=TOP,
        signed=True,
    )
    decoder = Population("decoder", size, zeros, 1, decay=DECAY, fraction_bits=FINE, spiking=False)
    return Network(
        (Input("x", size, TOP, signed=True),),
        (encoder, decoder),
        (
            OneToOne("x", "encoder", np.full(size, DRIVE)),
            OneToOne("encoder", "decoder", np.full(size, SPIKE)),
        ),
    )
