"""Two layers of leaky neurons that learn digits without labels, one after the other.

Kernels of the first layer learn what is near a winner; a feature that spikes at a position silences
the others there. Neurons of the second layer see the pooled features of the whole image, compete
for it, and learn what they win, with thresholds that rise where one wins often. Labels serve only
afterwards, to say which digit each of them has come to stand for.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import spikeloom
from examples import spyketorch_learning, unsupervised
from examples.spyketorch import SIZE, WEIGHT_MAX
from examples.spyketorch_learning import Kernels, Spikes
from examples.unsupervised import FROZEN, PIXEL, Course, Digits
from spikeloom.golden.convolution import Convolution
from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Input, Network, Population
from spikeloom.golden.spec import Reset
from spikeloom.golden.switches.adaptive_threshold import AdaptiveThreshold
from spikeloom.golden.switches.selection import Selection
from spikeloom.golden.switches.spike_once import SpikeOnce
from spikeloom.golden.switches.switch import Switch
from spikeloom.program import Program

FILE = Path(__file__).parent / "hierarchical.npz"

STEPS = 20
"""Of a sample; the image spikes in the first 15."""
LEAKS = 400, 200
"""What is lost of a potential in a step, in 1/4096: of features, and of digits."""
THRESHOLD = 4 * WEIGHT_MAX
"""Of features."""
WINNERS, RADIUS = 5, 3
"""Features that learn from an image, and what each of them blocks."""
COURSE = 100
"""Images from which kernels learn at one rate."""
RATES = 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.15, 0.15, 0.15

HALF = SIZE // 2
WIDE = SIZE + 2 * spyketorch_learning.PADDING[0]
NEURONS = 200
"""Of the second layer."""
START, RISE = -70 * PIXEL, 4 * PIXEL
"""Its potentials before the first step, and what each step adds: so the best is the first."""
STATE_BITS = 18
COURSES = Course(10_000, 51, 3 * PIXEL), Course(10_000, 13, PIXEL // 2)
"""Of the second layer."""
RUN = 500
"""Images after which the host takes over the thresholds of the second layer."""

LAYERS = "features", "digits"
CONNECTIONS = "image->features", "pooled->digits"
"""That learn, of each layer."""


def encode(images: NDArray[np.uint8]) -> Spikes:
    """Spikes of the network's input, (images, STEPS, size): the strongest contrasts first."""
    spikes = spyketorch_learning.encode(images)
    return np.pad(spikes, ((0, 0), (0, STEPS - spikes.shape[1]), (0, 0)))


def as_kernels(weights: Integers) -> Integers:
    """Weights, (pooled features, digits), as kernels as large as the pooled image."""
    return weights.T.reshape(weights.shape[1], -1, HALF, HALF)


def winners(spikes: Spikes) -> Integers:
    """The neuron of the second layer that spikes in each sample, or -1."""
    return unsupervised.winners(spikes)


@dataclass(frozen=True)
class Hierarchy:
    """Both layers.

    Parameters
    ----------
    kernels
        Of the features, integers 0..`WEIGHT_MAX`, (features, channels, rows, columns).
    digits
        Weights from pooled features, thresholds and labels of the second layer.
    """

    kernels: Integers
    digits: Digits

    @classmethod
    def untrained(cls, seed: int) -> "Hierarchy":
        """Random kernels and weights."""
        return cls(Kernels.untrained(seed).first, Digits.untrained(seed, NEURONS))

    @classmethod
    def load(cls) -> "Hierarchy":
        """What the chip learned."""
        with np.load(FILE) as file:
            kernels, *digits = (
                file[name].astype(np.int64)
                for name in ("kernels", "weights", "thresholds", "labels")
            )
            return cls(kernels, Digits(*digits))

    def _features(self, *switches: Switch) -> Population:
        size = len(self.kernels) * SIZE * SIZE
        return Population(
            "features",
            size,
            np.zeros(size, np.int64),
            threshold=THRESHOLD,
            reset=Reset.NONE,
            decay=LEAKS[0],
            image=(len(self.kernels), SIZE, SIZE),
            switches=(*switches, SpikeOnce()),
        )

    def learning_kernels(self, rate: float, seed: int) -> Network:
        """The first layer, which learns; `seed` is that of the rounding."""
        return Network(
            (Input("image", 2 * WIDE * WIDE, image=(2, WIDE, WIDE)),),
            (self._features(Selection(WINNERS, radius=RADIUS, then="silence")),),
            (
                Convolution(
                    "image", "features", self.kernels, plasticity=spyketorch_learning.rule(rate)
                ),
            ),
            seed=seed,
        )

    def _digits(self, course: Course, phase: int) -> tuple[Population, Convolution]:
        """The second layer, and how it learns from pooled features."""
        neurons = len(self.digits.thresholds)
        population = Population(
            "digits",
            neurons,
            np.full(neurons, RISE),
            phase,
            threshold=self.digits.thresholds,
            decay=LEAKS[1],
            v_init=START,
            image=(neurons, 1, 1),
            switches=(
                AdaptiveThreshold(course.increment, 0, keep=course is not FROZEN),
                Selection(then="silence"),
                SpikeOnce(),
            ),
        )
        weights, rule = as_kernels(self.digits.weights), unsupervised.rule(course.rate)
        return population, Convolution("pooled", "digits", weights, plasticity=rule)

    def learning_digits(self, course: Course, seed: int) -> Network:
        """The second layer alone, which learns; its input are pooled features."""
        image = len(self.kernels), HALF, HALF
        digits, synapses = self._digits(course, 0)
        return Network(
            (Input("pooled", int(np.prod(image)), image=image),),
            (digits,),
            (synapses,),
            state_bits=STATE_BITS,
            sum_bits=STATE_BITS,
            seed=seed,
        )

    def network(self, course: Course = FROZEN, seed: int = 0) -> Network:
        """Both layers, of which the second one can learn; `seed` is that of the rounding."""
        count, size = len(self.kernels), len(self.kernels) * HALF * HALF
        pooled = Population(
            "pooled",
            size,
            np.zeros(size, np.int64),
            1,
            threshold=0,
            reset=Reset.NONE,
            switches=(SpikeOnce(),),
            image=(count, HALF, HALF),
        )
        digits, synapses = self._digits(course, 2)
        ones = np.ones((count, 1, 2, 2), np.int64)
        return Network(
            (Input("image", 2 * WIDE * WIDE, image=(2, WIDE, WIDE)),),
            (self._features(Selection(each="position", then="silence")), pooled, digits),
            (
                Convolution("image", "features", self.kernels),
                Convolution("features", "pooled", ones, stride=(2, 2), groups=count),
                synapses,
            ),
            state_bits=STATE_BITS,
            sum_bits=STATE_BITS,
            seed=seed,
        )

    def learned(self, weights: Integers) -> "Hierarchy":
        """With other weights of the second layer, `as_kernels`."""
        return self.having(replace(self.digits, weights=weights.reshape(len(weights), -1).T))

    def having(self, digits: Digits) -> "Hierarchy":
        """With another second layer."""
        return replace(self, digits=digits)


def program(network: Network) -> Program:
    """A network on the smallest fabric whose neurons have thresholds of their own."""
    return spikeloom.compile(network, {"neuron_parameters": True}, readout=())
