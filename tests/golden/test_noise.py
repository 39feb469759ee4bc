"""Random numbers and noise: values by hand, statistics, and independence of mesh and batch."""

import dataclasses
from typing import Any

import numpy as np
import pytest

import spikeloom
from spikeloom.golden.convolution import Convolution
from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.host import decode_packets, host_words
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.random_numbers import NeuronNumbers, later, mixed, random_states, start
from spikeloom.golden.schedule import Variant
from spikeloom.golden.spec import DECAY_ONE, Reset
from spikeloom.golden.step.neuron import Neurons, initial_state
from spikeloom.golden.step.run import simulate
from spikeloom.golden.switches.noise import Noise, noise_table


def test_a_number_by_hand() -> None:
    # 1 + 128 = 0x81; * 1025 = 0x20481, ^ 4 = 0x20485; * 33 = 0x429525, ^ 0x4295 ^ 0x42
    assert mixed(np.array([0, 1], np.uint32)).tolist() == [0, 0x42D7F2]
    # The key of neuron 1 of population 2 leaves 1 of a state of 0x80020000.
    state = np.array([0x80020000], np.uint32)
    assert NeuronNumbers(state, 2)(2)[0].tolist() == [0, 0x42D7F2]


def test_states_by_hand() -> None:
    first = start(7, 0)
    assert first == int(mixed(np.array([7 + 0x9E3779B9], np.uint32))[0])
    states = random_states(7, 2, 3, 4)
    for sample in range(3):
        assert start(7, 2 + sample) == later(first, 2 + sample)
        expected = (first + (2 + sample) * 0x9E3779B9) % 2**32 | 1 << 31
        for step in range(4):
            assert states[step, sample] == expected
            expected = expected // 2 ^ (0x80200003 if expected % 2 else 0)


def test_tables() -> None:
    values, counts = np.unique(noise_table("uniform", 3), return_counts=True)
    assert values.tolist() == [-3, -2, -1, 0, 1, 2, 3]
    assert set(counts) == {36, 37}
    assert noise_table("uniform", 1000).min() == -noise_table("uniform", 1000).max() == -997
    assert np.unique(noise_table("coin", 5), return_counts=True)[1].tolist() == [128, 128]
    # 100 ln(1/511) and 100 ln(257/255)
    assert noise_table("logistic", 100)[[0, 128, 255]].tolist() == [-624, 1, 624]
    for kind in ("uniform", "logistic"):
        np.testing.assert_array_equal(noise_table(kind, 77), -noise_table(kind, 77)[::-1])


def test_noise_acts_on_the_comparison_alone() -> None:
    """The row that a number chooses is added where 3 is compared with 6; the reset takes 6 of 3."""
    zero = np.zeros(4, np.int64)
    neurons = Population(
        "p", 4, zero, threshold=6, reset=Reset.SUBTRACT, switches=(Noise("coin", 4),)
    )
    numbers: Any = lambda size: np.array([127, 128, 255 + 256, 256])  # noqa: E731
    state = initial_state(neurons, 1, np.int64)
    spikes, after = Neurons(neurons, 16).update(state, np.full((1, 4), 3), numbers)
    assert spikes.tolist() == [[False, True, True, False]]
    assert after.v.tolist() == [[3, -3, -3, 3]]


def numbers_of(samples: int, steps: int, neurons: int, seed: int = 1) -> np.ndarray:
    """The low bytes, (samples, steps, neurons)."""
    states = random_states(seed, 0, samples, steps)
    every = [NeuronNumbers(state, 0)(neurons) % 256 for state in states]
    return np.stack(every, axis=1)


@pytest.mark.parametrize("shape", [(1, 10000, 100), (1000, 10, 100), (100, 10000, 1)])
def test_numbers_are_uniform_and_do_not_follow_their_neighbours(
    shape: tuple[int, int, int],
) -> None:
    drawn = numbers_of(*shape)
    assert drawn.size == 10**6
    counts = np.bincount(drawn.ravel(), minlength=256)
    expected = drawn.size / 256
    # 99.9 % of chi-square with 255 degrees of freedom.
    assert ((counts - expected) ** 2 / expected).sum() < 330.5
    for axis, length in enumerate(shape):
        if length > 1:
            pairs = np.take(drawn, range(1, length), axis), np.take(drawn, range(length - 1), axis)
            assert abs(np.corrcoef(*(part.ravel() for part in pairs))[0, 1]) <= 0.02


@pytest.mark.parametrize("shape", [(1, 5000, 200), (5000, 1, 200), (50, 100, 200)])
def test_no_neuron_draws_more_of_some_numbers(shape: tuple[int, int, int]) -> None:
    """Each neuron's mean, and how often it is in the upper half, in standard errors."""
    drawn = numbers_of(*shape).reshape(-1, shape[2])
    draws = len(drawn)
    means = (drawn.mean(0) - 127.5) / np.sqrt((256**2 - 1) / 12 / draws)
    heads = ((drawn >= 128).mean(0) - 0.5) / np.sqrt(0.25 / draws)
    for errors in (means, heads):
        assert abs(errors).max() < 4.5
        assert 0.8 < errors.std() < 1.2
        assert abs(errors.mean()) < 4 / np.sqrt(shape[2])


@pytest.mark.parametrize("apart", [1, 2, 3, 4, 5, 8, 16])
def test_pairs_of_neurons_spike_independently(apart: int) -> None:
    """Neurons whose numbers differ by these bits, with thresholds at any eighths of the table."""
    drawn = numbers_of(1, 5000, 256) // 32
    others = drawn[..., np.arange(256) ^ apart]
    joint = np.bincount((drawn * 8 + others).ravel(), minlength=64).reshape(8, 8) / drawn.size
    above = joint[::-1, ::-1].cumsum(0).cumsum(1)[::-1, ::-1]  # both at or above so many eighths
    one, other = above[1:, 0], above[0, 1:]
    deviations = np.sqrt(np.outer(one * (1 - one), other * (1 - other)))
    assert (abs(above[1:, 1:] - np.outer(one, other)) <= 0.01 * deviations).all()


def test_seeds_and_populations_differ() -> None:
    one = numbers_of(1, 1000, 100)
    other = numbers_of(1, 1000, 100, seed=2)
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) <= 0.02
    (state,) = random_states(1, 0, 100, 1)
    pair = [NeuronNumbers(state, population)(100).ravel() % 256 for population in (0, 1)]
    assert abs(np.corrcoef(*pair)[0, 1]) <= 0.02


def test_a_sigmoid_neuron() -> None:
    """Neuron n stays at n * 5 - 160; how often it spikes, fitted by 1 / (1 + exp(-v / 25))."""
    v = np.arange(64) * 5 - 160
    neurons = Population(
        "p", 64, v, decay=DECAY_ONE, reset=Reset.NONE, switches=(Noise("logistic", 25),)
    )
    network = Network((Input("in", 1),), (neurons,), (), seed=3)
    spikes = simulate(network, np.zeros((10, 1000, 1), bool)).spikes["p"].mean((0, 1))
    expected = 1 / (1 + np.exp(-v / 25))
    left = ((spikes - expected) ** 2).sum() / ((spikes - spikes.mean()) ** 2).sum()
    assert 1 - left > 0.999


def noisy(seed: int = 77) -> Network:
    """Two populations, not in firing order, with noise of two kinds."""
    rng = np.random.default_rng(0)
    late, early = np.arange(30) * 3 - 45, np.arange(21) - 10
    return Network(
        (Input("in", 9),),
        (
            Population("late", 30, late, 1, DECAY_ONE, 4, switches=(Noise("uniform", 20),)),
            Population("early", 21, early, 0, threshold=4, switches=(Noise("logistic", 9),)),
        ),
        (
            Connection("in", "early", rng.integers(-9, 9, (9, 21))),
            Connection("early", "late", rng.integers(-9, 9, (21, 30))),
        ),
        seed=seed,
    )


def noisy_image() -> Network:
    """A convolution onto an image with noise."""
    rng = np.random.default_rng(1)
    neurons = Population(
        "p", 45, np.zeros(45, np.int64), 0, DECAY_ONE, 1, switches=(Noise("uniform", 9),)
    )
    return Network(
        (Input("in", 48, image=(3, 4, 4)),),
        (dataclasses.replace(neurons, image=(5, 3, 3)),),
        (Convolution("in", "p", rng.integers(-3, 4, (5, 3, 2, 2))),),
        seed=3,
    )


FABRICS = [
    (noisy(), {"lanes": 4}),
    (noisy(), {"lanes": 8}),
    (noisy(), {"lanes": 4, "columns": 2, "rows": 2, "neurons": 16}),
    (noisy_image(), {"lanes": 4}),
    (noisy_image(), {"lanes": 1, "columns": 2, "neurons": 27}),
]


@pytest.mark.parametrize(("network", "fabric"), FABRICS)
def test_the_numbers_are_the_same_on_every_mesh(network: Network, fabric: dict[str, int]) -> None:
    events = np.random.default_rng(2).random((3, 9, network.inputs[0].size)) < 0.4
    expected = simulate(network, events)
    program = spikeloom.compile(network, fabric=fabric)
    model = CycleModel(program.fabric)
    model.load(program.image)
    words = np.concatenate(host_words(program.image, {"in": events.astype(np.uint8)}))
    clocks, packets = np.array(model.run(words.tolist()), np.uint64).T
    run = decode_packets(program.image, clocks, packets, 3, 9)
    for name, spikes in expected.spikes.items():
        np.testing.assert_array_equal(run.spikes[name], spikes)
        assert 0.1 < spikes.mean() < 0.9


def test_the_numbers_are_the_same_in_every_batch() -> None:
    network = noisy()
    events = np.random.default_rng(3).random((6, 9, 9)) < 0.4
    whole = simulate(network, events).spikes["late"]
    for first in range(6):
        part = simulate(network, events[first : first + 1], first=first).spikes["late"]
        np.testing.assert_array_equal(part[0], whole[first])
    assert (simulate(noisy(78), events).spikes["late"] != whole).any()


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (Noise("coin", 1), {"seed": None}, "population 'p': noise needs a seed; give the network one"),
    (Noise("coin", 1), {"seed": -1}, "network: seed must be 0..4294967295, not -1"),
    (Noise("coin", 1), {"seed": 0.5}, "network: seed must be an integer, not 0.5"),
]


@pytest.mark.parametrize(("switch", "options", "message"), REFUSED)
def test_what_has_no_meaning_is_refused(
    switch: Noise, options: dict[str, Any], message: str
) -> None:
    neurons = Population("p", 1, np.zeros(1, np.int64), switches=(switch,))
    with pytest.raises(SpikeloomError) as error:
        Network((), (neurons,), (), **options)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_noise_of_a_variant_needs_a_seed_too() -> None:
    variant = Variant(switches=(Noise("coin", 1),))
    neurons = Population("p", 1, np.zeros(1, np.int64), variants=(variant,))
    with pytest.raises(SpikeloomError, match="'p': noise needs a seed"):
        Network((), (neurons,), (), schedule=(1,))


def test_a_fabric_says_how_many_tables_are_missing(tmp_path: Any) -> None:
    network = noisy()
    with pytest.raises(SpikeloomError, match=r"noise_tables 2 of 1 \(short by 1\)"):
        spikeloom.compile(network, fabric={"noise_tables": 1})
    program = spikeloom.compile(network)
    assert (program.fabric.noise, program.fabric.noise_tables) == (True, 2)
    program.save(tmp_path / "noisy.loom")
    loaded = spikeloom.Program.load(tmp_path / "noisy.loom")
    assert loaded.network.seed == 77
    assert loaded.image == program.image
