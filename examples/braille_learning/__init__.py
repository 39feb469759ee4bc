"""Braille letters learned on the chip by e-prop: 42 inputs, 96 recurrent neurons, 27 letters.

Bellec et al. (2020), in the factored form of ReckOn (Frenkel and Indiveri, ISSCC 2022): a synapse
learns by a trace of its source, by whether its target is near its threshold, and by the error of
its target, which reaches hidden neurons through fixed random weights. A label is an input as the
touch of a letter is: who learns is the network, and the host only shows it recordings.
"""

import dataclasses
import math
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from examples.braille import HELD_OUT, SENSORS, STEPS, STRIDE
from spikeloom.golden.fixed import Integers
from spikeloom.golden.learning import Rule, Trace, e_prop
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Reset

FILE = Path(__file__).with_name("braille_learning.npz")

LOWEST, WIDTH, PLACES = -72, 5, 21
"""The places of a sensor's value, as its distance from the first one: where they begin, how wide
each is, and how many there are."""
TOUCHES, HIDDEN, LETTERS = len(SENSORS) * PLACES, 96, 27

RATES = (0.5,) * 6 + (0.25,) * 3 + (0.125,) * 3
"""What an error counts in each epoch."""
SEED = 1
"""Of the first weights, the feedback, and the order of recordings."""
SPREAD, RECURRENT_SPREAD, FEEDBACK_SPREAD = 30, 5, 24
"""Standard deviations of the first weights, and of the feedback."""

DECAY, THRESHOLD = 128, 200
"""Of hidden neurons; the decay is in 1/4096."""
WINDOW = -100, 800
"""Potentials of the hidden neurons that learn."""
OUTPUT_THRESHOLD = 512
MARGIN, MARGIN_OF_OTHERS = 3, 1
"""Output spikes that the right letter must reach, and minus which the others must stay below."""
MOST = 7
"""Spikes of a neuron in a step, and so the largest error."""
UNTAUGHT = -100
"""Potential of the error neurons without a label, so that they are silent."""
LIMIT = 127
"""Of weights, in both directions."""

Events = dict[str, NDArray[np.uint8]]


class Weights(NamedTuple):
    """The weights that learn: (touches, hidden), (hidden, hidden) and (hidden, letters)."""

    touch: Integers
    recurrent: Integers
    output: Integers


class Result(NamedTuple):
    """The weights before the last epoch, and after it."""

    before: Weights
    after: Weights

    def save(self, path: Path) -> None:
        """Write them."""
        arrays = {
            f"{name}_{when}": weights.astype(np.int8)
            for when, parts in self._asdict().items()
            for name, weights in parts._asdict().items()
        }
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path: Path = FILE) -> Self:
        """Read them."""
        with np.load(path) as file:
            before, after = (
                Weights(*(file[f"{name}_{when}"].astype(np.int64) for name in Weights._fields))
                for when in cls._fields
            )
        return cls(before, after)


@dataclasses.dataclass(frozen=True)
class Recordings:
    """Frames (n, 77, 12) of recordings, and their letters (n,)."""

    frames: NDArray[np.uint8]
    letters: Integers

    def __getitem__(self, index: Integers | slice) -> "Recordings":
        return Recordings(self.frames[index], self.letters[index])

    def __len__(self) -> int:
        return len(self.letters)


def load_data(data: Path) -> tuple[Recordings, Recordings]:
    """The recordings to learn from and those that are held out, of `braille_1350.npz`."""
    with np.load(data) as archive:
        recordings = Recordings(archive["frames"], archive["labels"].astype(np.int64))
    return recordings[np.setdiff1d(np.arange(len(recordings)), HELD_OUT)], recordings[HELD_OUT]


def feedback() -> Integers:
    """The fixed random weights by which errors reach hidden neurons, (letters, hidden)."""
    return drawn(0, FEEDBACK_SPREAD, (LETTERS, HIDDEN))


def first_weights() -> Weights:
    """Those that learning starts from: random ones, and half the feedback for the outputs."""
    return Weights(
        drawn(1, SPREAD, (TOUCHES, HIDDEN)),
        drawn(2, RECURRENT_SPREAD, (HIDDEN, HIDDEN)),
        feedback().T // 2,
    )


def drawn(number: int, spread: float, shape: tuple[int, int]) -> Integers:
    """Normal random weights."""
    weights = np.random.default_rng((SEED, number)).normal(0, spread, shape)
    return np.rint(weights).clip(-LIMIT, LIMIT).astype(np.int64)


def rule(error: str, amount: int, tau: float, window: tuple[int, int] | None) -> Rule:
    """E-prop after the last step of a recording, when its letter is known.

        w = clip(w + ((-trace * error + r) >> 12)),   r random in 0..4095

    for targets whose potential is in the `window`. A spike adds `amount` to the trace of its axon,
    of which what is left is rounded down.
    """
    each_step = e_prop(error, window, (-LIMIT, LIMIT), amount / 4096, tau)
    trace = Trace.exponential(tau, amount)
    return dataclasses.replace(each_step, pre=trace, at_end=True)


def network(weights: Weights, rate: float, seed: int) -> Network:
    """The network that learns, from these weights on.

    Phase 0: hidden neurons. 1: outputs send what they integrate as spikes with a sign. 2: error
    neurons, those of too much for each letter and then those of too little, which a label lets
    spike. 3: what errors add up to for each output and, through the feedback, for each hidden
    neuron: potentials that the rules read. An error counts `rate`; `seed` is that of the rounding.
    """
    identity = np.eye(LETTERS, dtype=np.int64)
    straight, back = np.rint(16 * rate) * identity, np.rint(rate * feedback())
    taught = (MARGIN_OF_OTHERS - UNTAUGHT) * (1 - identity), (MARGIN - UNTAUGHT) * identity
    membrane = -1 / math.log1p(-DECAY / 4096)

    def errors(weights: NDArray[np.float64]) -> Integers:
        return np.vstack([weights, -weights]).astype(np.int64)

    return Network(
        (Input("touch", TOUCHES), Input("label", LETTERS)),
        (
            Population(
                "hidden",
                HIDDEN,
                np.zeros(HIDDEN, np.int64),
                0,
                decay=DECAY,
                threshold=THRESHOLD,
                reset=Reset.SUBTRACT,
            ),
            Population(
                "output",
                LETTERS,
                np.zeros(LETTERS, np.int64),
                1,
                threshold=OUTPUT_THRESHOLD,
                reset=Reset.SUBTRACT,
                signed=True,
                max_spikes=MOST,
            ),
            Population(
                "errors",
                2 * LETTERS,
                np.zeros(2 * LETTERS, np.int64),
                2,
                threshold=1,
                inclusive=True,
                reset=Reset.SUBTRACT,
                v_init=UNTAUGHT,
                max_spikes=MOST,
            ),
            Population("output_error", LETTERS, np.zeros(LETTERS, np.int64), 3, spiking=False),
            Population("hidden_error", HIDDEN, np.zeros(HIDDEN, np.int64), 3, spiking=False),
        ),
        (
            Connection(
                "touch",
                "hidden",
                weights.touch,
                plasticity=rule("hidden_error", 24, membrane, WINDOW),
            ),
            Connection(
                "hidden",
                "hidden",
                weights.recurrent,
                delay=1,
                plasticity=rule("hidden_error", 1, math.inf, WINDOW),
            ),
            Connection(
                "hidden",
                "output",
                weights.output,
                plasticity=rule("output_error", 8, math.inf, None),
            ),
            Connection("output", "errors", np.hstack([identity, -identity])),
            Connection("label", "errors", np.hstack(taught)),
            Connection("errors", "output_error", errors(straight)),
            Connection("errors", "hidden_error", errors(back)),
        ),
        seed=seed,
    )


def encode(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn frames (n, 77, 12) into spikes (n, STEPS, TOUCHES).

    In each step one channel of a sensor spikes: that of the place of its value.
    """
    values = frames[:, ::STRIDE, SENSORS].astype(np.int64)
    places = ((values - values[:, :1] - LOWEST) // WIDTH).clip(0, PLACES - 1)
    spikes = places[..., np.newaxis] == np.arange(PLACES)
    return spikes.reshape(len(values), STEPS, TOUCHES).astype(np.uint8)


def events(recordings: Recordings, taught: bool = False) -> Events:
    """Events of recordings and, if `taught`, of their letters, in the last step."""
    label = np.zeros((len(recordings), STEPS, LETTERS), np.uint8)
    if taught:
        label[np.arange(len(recordings)), -1, recordings.letters] = 1
    return {"touch": encode(recordings.frames), "label": label}


def letters(spikes: Integers, potentials: Integers) -> NDArray[np.intp]:
    """The letter of each recording: the output that has integrated most, what it sent included."""
    sent = spikes.sum(axis=1, dtype=np.int64) * OUTPUT_THRESHOLD
    return (sent + potentials).argmax(axis=1)
