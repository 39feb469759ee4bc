"""The step-level golden model beside SpykeTorch, where both learn by first spikes, on one thread.

The layers are those of `examples/spyketorch_learning`, from MNIST, and a dense one of 784 axons and
128 neurons with one winner, from random first spikes. SpykeTorch learns in floats, with its own
update. It is on GitHub, miladmozafari/SpykeTorch; where it cannot be imported nothing is measured.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.beside import golden_beside
from bench.figure import Figure
from examples.evaluation import mnist
from examples.spyketorch import STEPS, WEIGHT_MAX, Wave
from examples.spyketorch_learning import (
    LAYERS,
    RADII,
    SHRINK,
    THRESHOLDS,
    WINNERS,
    Spikes,
    encode,
    order,
)
from examples.spyketorch_learning.equations import wave_into
from examples.spyketorch_learning.evaluate import MIDDLE, before
from examples.spyketorch_learning.original import Library
from spikeloom.golden.fixed import Integers
from spikeloom.golden.learning import first_spike_stdp
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.switches.selection import Selection
from spikeloom.golden.switches.spike_once import SpikeOnce

IMAGES = 100
ROUNDS = 1, 9
"""To warm up, and that count."""
RATE = 0.064
SIDE, NEURONS = 28, 128
THRESHOLD = 20 * WEIGHT_MAX


@dataclass(frozen=True)
class Layers:
    """Layers of SpykeTorch, the last of which learns.

    Parameters
    ----------
    kernels
        Integers, (features, channels, rows, columns), of each layer.
    thresholds
        Of each.
    winners, radius
        Those of the last.
    """

    kernels: Sequence[Integers]
    thresholds: Sequence[int]
    winners: int
    radius: int

    def learning(self, library: Library, waves: Iterable[Wave]) -> Callable[[], object]:
        """How the library learns from waves."""
        functional, snn, torch = library.functional, library.snn, library.torch
        tensors = [torch.from_numpy(np.ascontiguousarray(wave)).float() for wave in waves]
        pool = snn.Pooling(2, 2)
        levels = [threshold / WEIGHT_MAX for threshold in self.thresholds]

        def run() -> None:
            layers = []
            for weights in self.kernels:
                layers.append(snn.Convolution(weights.shape[1], len(weights), weights.shape[2]))
                layers[-1].load_weight(torch.from_numpy(weights / WEIGHT_MAX).float())
            stdp = snn.STDP(layers[-1], (RATE, -SHRINK * RATE))
            for wave in tensors:
                seen = wave
                for layer, level in zip(layers[:-1], levels, strict=False):
                    spikes = functional.fire(layer(seen), level)
                    seen = functional.pad(pool(spikes), (1, 1, 1, 1))
                after, above = functional.fire(layers[-1](seen), levels[-1], True)
                won = functional.get_k_winners(above, self.winners, self.radius, after)
                stdp(seen, above, after, won)

        return run


def measure(data: Path) -> Iterator[Figure]:
    """Images a second of both, in alternation; the ratio is the median of the rounds'."""
    try:
        library = Library()
    except ImportError:
        return
    images, _ = mnist(data / "mnist.npz", None, "train")
    events = encode(images[order(len(images))[:IMAGES]])
    for layer, number in MIDDLE:
        kernels = before(layer)
        every = (kernels.first, kernels.second)[: layer + 1]
        layers = Layers(every, THRESHOLDS[: layer + 1], WINNERS, RADII[layer])
        waves = [wave_into(0, sample, kernels.first) for sample in events]
        yield from _beside(
            LAYERS[layer],
            kernels.learning(layer, RATE, number),
            events,
            layers.learning(library, waves),
        )
    yield from _dense(library)


def _dense(library: Library) -> Iterator[Figure]:
    """A quarter of the axons spike in an image, and the first neuron wins."""
    rng = np.random.default_rng(0)
    axons = SIDE * SIDE
    times = rng.integers(0, STEPS, (IMAGES, 1, axons))
    events = (times == np.arange(STEPS)[:, np.newaxis]) & (rng.random((IMAGES, 1, axons)) < 0.25)
    weights = rng.integers(40, 100, (axons, NEURONS))
    neurons = Population(
        "neurons",
        NEURONS,
        np.zeros(NEURONS, np.int64),
        threshold=THRESHOLD,
        switches=(SpikeOnce(), Selection(then="silence")),
    )
    rule = first_spike_stdp((0, WEIGHT_MAX), RATE, SHRINK * RATE)
    connection = Connection("axons", "neurons", weights, plasticity=rule)
    network = Network((Input("axons", axons),), (neurons,), (connection,), sum_bits=18, seed=1)
    kernels = weights.T.reshape(NEURONS, 1, SIDE, SIDE)
    waves = np.logical_or.accumulate(events, axis=1).reshape(IMAGES, STEPS, 1, SIDE, SIDE)
    layers = Layers([kernels], [THRESHOLD], 1, 0)
    yield from _beside("dense", network, events, layers.learning(library, waves))


def _beside(
    name: str, network: Network, events: Spikes, theirs: Callable[[], object]
) -> Iterator[Figure]:
    names = f"stdp.{name}.golden_samples_per_second", f"stdp.{name}.golden_over_spyketorch"
    what = "SpykeTorch, same layers and images"
    yield from golden_beside(names, network, events, theirs, what, ROUNDS, 1.0, learn=True)
