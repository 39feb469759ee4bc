"""A thousand updates by first spikes are those of SpykeTorch's equations, with the same draws.

There the wave of spikes is cumulative: an axon is 1 from its spike on, and potentials are products
with the weights in each step. The winner is the neuron that is first above the threshold, among
equals the one with the highest potential. The pairing is whether an axon's wave is 1 then.
"""

import numpy as np
from plain_learning import mixed

from spikeloom.golden.learning import first_spike_stdp
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.random_numbers import random_states
from spikeloom.golden.step.run import simulate
from spikeloom.golden.switches.selection import Selection
from spikeloom.golden.switches.spike_once import SpikeOnce

AXONS, NEURONS, STEPS, SEED, THRESHOLD = 48, 18, 10, 77, 900
LOW, HIGH = 0, 127
SHIFT, UP, DOWN = 12, 165, 124
"""round(rate * 2**12 * 256 / 127) for the rates 0.02 and 0.015."""


def first_spikes(samples: int) -> np.ndarray:
    """The step in which each axon spikes, like one of four patterns; `STEPS` for never."""
    rng = np.random.default_rng(5)
    patterns = rng.integers(0, 2 * STEPS, (4, AXONS))
    noise = rng.integers(-1, 2, (samples, AXONS))
    return np.clip(patterns[rng.integers(0, 4, samples)] + noise, 0, STEPS)


def updated(w: int, heard: bool, i: int, j: int, state: int) -> int:
    """ap or an times (w - lb) * (ub - w), to whole units by the number of the synapse."""
    between = (w - LOW) * (HIGH - w) >> 8
    draw = (mixed(state ^ (i | (j // 16) << 16)) + (j % 16) * 2 ** (SHIFT - 4)) % 2**SHIFT
    change = (UP if heard else -DOWN) * between
    return min(max(w + ((change + draw) >> SHIFT), LOW), HIGH)


def test_winners_and_weights_of_a_thousand_updates() -> None:
    times = first_spikes(1_100)
    weights = np.random.default_rng(6).integers(40, 100, (AXONS, NEURONS))
    rule = first_spike_stdp((LOW, HIGH), 0.02, 0.015)
    assert (rule.shift, rule.terms[0].constant, rule.terms[1].constant) == (SHIFT, UP, DOWN)
    once = (SpikeOnce(), Selection(then="silence"))
    neurons = Population("p", NEURONS, np.zeros(NEURONS, int), threshold=THRESHOLD, switches=once)
    network = Network(
        (Input("in", AXONS),),
        (neurons,),
        (Connection("in", "p", weights, plasticity=rule),),
        seed=SEED,
    )
    run = simulate(network, times[:, np.newaxis] == np.arange(STEPS)[:, np.newaxis], learn=True)
    states = random_states(SEED, 0, len(times), STEPS)
    updates, winners = 0, []
    for sample, spikes in enumerate(times):
        wave = spikes <= np.arange(STEPS)[:, np.newaxis]
        potentials = wave @ weights
        above = (potentials > THRESHOLD).any(axis=1)
        expected = np.zeros((STEPS, NEURONS), np.bool_)
        if above.any():
            step = int(above.argmax())
            j = int(potentials[step].argmax())
            expected[step, j] = True
            for i in range(AXONS):
                w, heard = int(weights[i, j]), bool(wave[step, i])
                weights[i, j] = updated(w, heard, i, j, int(states[step, sample]))
            winners.append(j)
            updates += 1
        assert np.array_equal(run.spikes["p"][sample], expected), sample
    assert updates > 1_000
    assert len(set(winners)) >= 4
    assert np.array_equal(run.weights[0], weights)
    assert run.updates == updates * AXONS
