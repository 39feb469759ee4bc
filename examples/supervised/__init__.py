"""Supervised learning on the chip: 784-200-10 on MNIST by event-driven random back-propagation.

Neftci, Augustine, Paul and Detorakis (2017). Errors reach hidden neurons through fixed random
weights, and a synapse learns from its own source, its own target, and that error. A label is an
input as the image is: who learns is the network, and the host only shows it examples.
"""

from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.fixed import Integers
from spikeloom.golden.learning import Rule, Term, Trace, When
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Factor, Reset

FILE = Path(__file__).with_name("supervised.npz")

PIXELS, HIDDEN, CLASSES, STEPS = 784, 200, 10, 10
EPOCHS = 6
"""Parts of the training images, each of which is a run."""
DARKEST = 97
"""The darkest pixel that is an event."""
SEED = 1
"""Of the first weights and of the feedback."""
SPREAD, FEEDBACK_SPREAD = 10, 32
"""Standard deviations of the hidden neurons' first weights, and of the feedback."""

HIDDEN_THRESHOLD, OUTPUT_THRESHOLD = 532, 1024
MARGIN = 3
"""Output spikes that the right class must reach, and minus which the others must stay below."""
MOST = 7
"""Spikes of a neuron in a step, and so the largest error."""
UNTAUGHT = -100
"""Potential of the error neurons without a label, so that they are silent."""
LIMIT = 127
"""Of plastic weights, in both directions."""

Events = dict[str, NDArray[np.uint8]]


class Weights(NamedTuple):
    """The weights that learn: (pixels, hidden) and (hidden, classes)."""

    hidden: Integers
    output: Integers


class Result(NamedTuple):
    """The weights before the last epoch, and after it."""

    before: Weights
    after: Weights

    def save(self, path: Path) -> None:
        """Write those after it, and what it changed."""
        arrays = {}
        for name, before, after in zip(Weights._fields, self.before, self.after, strict=True):
            arrays |= {
                name: after.astype(np.int8),
                f"{name}_change": (after - before).astype(np.int8),
            }
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path: Path = FILE) -> Self:
        """Read them."""
        with np.load(path) as file:
            after = Weights(*(file[name].astype(np.int64) for name in Weights._fields))
            change = (file[f"{name}_change"].astype(np.int64) for name in Weights._fields)
            before = Weights(*(a - c for a, c in zip(after, change, strict=True)))
        return cls(before, after)


def feedback(neurons: int = HIDDEN) -> Integers:
    """The fixed random weights by which errors reach hidden neurons, (classes, neurons)."""
    weights = np.random.default_rng((SEED, 0)).normal(0, FEEDBACK_SPREAD, (CLASSES, neurons))
    return np.rint(weights).clip(-LIMIT, LIMIT).astype(np.int64)


def first_weights(neurons: int = HIDDEN) -> Weights:
    """Those that learning starts from: random ones, and half the feedback for the outputs."""
    hidden = np.random.default_rng((SEED, 1)).normal(0, SPREAD, (PIXELS, neurons))
    return Weights(np.rint(hidden).astype(np.int64), feedback(neurons).T // 2)


def rule(amount: int, third: str, window: tuple[int, int] | None = None) -> Rule:
    """The rule of both connections, after the last step of an image.

        w = clip(w + ((-amount * spikes * error + r) >> 12)),   r random in 0..4095

    `spikes` of the source in the image, up to 255 / `amount`, and `error` of the target, for
    targets whose potential is in the `window`.
    """
    term = Term(Factor.PRE_TRACE, Factor.THIRD, pre=When(now=True), negative=True, window=window)
    trace = Trace(decay=(256,) * 63 + (0,), amount=amount)
    return Rule(
        (term,),
        (-LIMIT, LIMIT),
        shift=12,
        rounding="stochastic",
        at_end=True,
        pre=trace,
        third=third,
    )


def network(weights: Weights, seed: int) -> Network:
    """The network that learns, from these weights on.

    Phase 0: hidden neurons integrate a constant current that the image starts, so they spike at a
    rate. 1: outputs send what they integrate as spikes with a sign. 2: error neurons, those of too
    much for each class and then those of too little, which a label lets spike. 3: what errors add
    up to for each output and, through the feedback, for each hidden neuron: potentials that
    the rules read. `seed` is that of the rounding.
    """
    neurons = len(weights.output)
    one, back = np.eye(CLASSES, dtype=np.int64), feedback(neurons)
    taught = MARGIN - UNTAUGHT
    subtract = {"reset": Reset.SUBTRACT}
    # A neuron below 0 does not spike, and one at twice the threshold spikes in every step: what
    # they get makes no difference to them.
    window = (0, 5 * HIDDEN_THRESHOLD // 2)
    return Network(
        (Input("image", PIXELS), Input("label", CLASSES)),
        (
            Population(
                "hidden",
                neurons,
                np.zeros(neurons, np.int64),
                0,
                threshold=HIDDEN_THRESHOLD,
                v_init=HIDDEN_THRESHOLD // 2,
                synaptic_decay=0,
                **subtract,
            ),
            Population(
                "output",
                CLASSES,
                np.zeros(CLASSES, np.int64),
                1,
                threshold=OUTPUT_THRESHOLD,
                signed=True,
                max_spikes=MOST,
                **subtract,
            ),
            Population(
                "errors",
                2 * CLASSES,
                np.zeros(2 * CLASSES, np.int64),
                2,
                threshold=1,
                inclusive=True,
                v_init=UNTAUGHT,
                max_spikes=MOST,
                **subtract,
            ),
            Population("output_error", CLASSES, np.zeros(CLASSES, np.int64), 3, spiking=False),
            Population("hidden_error", neurons, np.zeros(neurons, np.int64), 3, spiking=False),
        ),
        (
            Connection(
                "image", "hidden", weights.hidden, plasticity=rule(16, "hidden_error", window)
            ),
            Connection("hidden", "output", weights.output, plasticity=rule(8, "output_error")),
            Connection("output", "errors", np.hstack([one, -one])),
            Connection("label", "errors", taught * np.hstack([1 - one, one])),
            Connection("errors", "output_error", 16 * np.vstack([one, -one])),
            Connection("errors", "hidden_error", np.vstack([back, -back])),
        ),
        sum_bits=18,
        seed=seed,
    )


def events(images: NDArray[np.uint8], labels: Integers | None = None) -> Events:
    """Events of images, in their first step, and of their labels, in the last, or of none."""
    image = np.zeros((len(images), STEPS, PIXELS), np.uint8)
    image[:, 0] = images.reshape(len(images), -1) >= DARKEST
    label = np.zeros((len(images), STEPS, CLASSES), np.uint8)
    if labels is not None:
        label[np.arange(len(labels)), -1, labels] = 1
    return {"image": image, "label": label}


def classes(spikes: Integers, potentials: Integers) -> NDArray[np.intp]:
    """The class of each image: the output that has integrated most, what it sent included."""
    sent = spikes.sum(axis=1, dtype=np.int64) * OUTPUT_THRESHOLD
    return (sent + potentials).argmax(axis=1)
