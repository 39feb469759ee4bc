"""The systems in `examples/`: what each shows, on a few samples, in golden and in RTL."""

import numpy as np
import pytest
from locking import one_at_a_time

import spikeloom
from examples.hybrid import WEIGHTS, Hybrid, shown
from examples.hybrid import evaluate as hybrid_evaluate
from examples.radix import BITS, Layers, upper_bits
from examples.radix.evaluate import program
from examples.sampler import Machine, divergence, states
from examples.sampler.evaluate import no_input
from examples.winner import argmax, network
from examples.winner.evaluate import inputs, outcome
from spikeloom.compare import compare
from spikeloom.golden.step.run import simulate


@pytest.mark.parametrize("bits", BITS)
def test_radix_potentials_are_matrix_products(bits: int) -> None:
    """Of images of noise, which use every bit; in the integer model, and a few in the RTL."""
    layers = Layers.load(bits)
    images = np.random.default_rng(bits).integers(0, 256, (40, 28, 28), np.uint8)
    images[:20] //= 5
    pixels = upper_bits(images, bits)
    events = layers.encode(pixels)
    made = program(layers)
    with one_at_a_time("example-radix"):
        result = compare(made, {name: values[[0, 30]] for name, values in events.items()})
    assert result.mismatches == 0, str(result.first)
    products = layers.products(pixels)
    np.testing.assert_array_equal(result.rtl.states["classes"], products[[0, 30]])
    with spikeloom.open(made, backend="golden") as device:
        run = device.run(events)
    np.testing.assert_array_equal(run.states["classes"], products)
    assert run.spikes["hidden"].any()


@pytest.mark.parametrize("inverse", WEIGHTS)
def test_hybrid_rates_and_residuals(inverse: int) -> None:
    """Of images of noise: rates are exact to a spike, and residuals stay below a threshold."""
    hybrid = Hybrid(Layers.load(4), inverse)
    images = np.random.default_rng(inverse).integers(0, 256, (30, 28, 28), np.uint8)
    images //= np.arange(4, 34, dtype=np.uint8)[:, np.newaxis, np.newaxis]
    pixels = upper_bits(images, 4)
    least, most, of_classes = hybrid_evaluate.residuals(hybrid, pixels, 9)
    assert least >= 0
    assert 0.9 < most < 1
    assert of_classes < 1
    run = simulate(hybrid.network(), shown(pixels, 9))
    errors = hybrid_evaluate.rate_errors(hybrid, pixels, run.spikes)
    assert all(0.5 < error <= 1 for error in errors.values())
    assert run.spikes["classes"].min() < 0 < run.spikes["classes"].max()
    if inverse == 1:
        made = hybrid_evaluate.program(hybrid)
        with one_at_a_time("example-hybrid"):
            result = compare(made, shown(pixels[[0, 20]], 3))
        assert result.mismatches == 0, str(result.first)


def test_coins_leave_one_winner() -> None:
    run = simulate(network(64, 3), inputs(64, 20))
    settled, ended = outcome(run.spikes)
    assert (settled >= 0).all()
    assert ended
    assert settled.mean() + 1 < 2 * np.log2(64)


def test_a_selection_finds_the_largest_in_a_step() -> None:
    for size in (2, 5, 40):
        rng = np.random.default_rng(size)
        for potentials in rng.integers(1, 9, (10, size)):  # so that many are equal
            spikes = simulate(argmax(potentials), np.zeros((1, 1, 1), np.bool_)).spikes["y"]
            assert spikes[0, 0].nonzero()[0].tolist() == [potentials.argmax()]


@pytest.mark.parametrize(("tau", "together"), [(4, False), (8, True)])
def test_a_sampler_is_near_its_distribution(tau: int, together: bool) -> None:
    machine = Machine.random(5, 0, tau)
    spikes = simulate(machine.network(1, together), no_input(100, 300)).spikes
    exact = machine.exact()
    sampled = states(spikes, tau)[:, 50:]
    assert divergence(sampled, exact) < 0.02
    assert divergence(sampled, exact[::-1]) > 0.2
