"""The number of updates of an integer network that saturate."""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from spikeloom.golden.event_counts import EventCounts
from spikeloom.golden.fixed import Signed, signed_range
from spikeloom.golden.network import Network, Population
from spikeloom.golden.spec import Reset
from spikeloom.golden.step.neuron import Neurons, Spikes, initial_state
from spikeloom.golden.step.run import check_inputs, connection_sums, simulate

LOOKED_AT = 16
"""Samples that are looked at where a command says whether states saturate."""

WIDE = 48
"""A width in which nothing saturates, in bits."""


def saturations(network: Network, inputs: Mapping[str, ArrayLike] | ArrayLike) -> dict[str, int]:
    """For each population, the number of neuron updates that saturated on `inputs`.

    An update counts where its potential, its synaptic current or what a switch keeps, such as the
    adaptation of a threshold, would have left the range. `inputs` and errors are those of
    `spikeloom.golden.step.run.check_inputs`.
    """
    counts = check_inputs(network, inputs)
    events: dict[str, Spikes] = {**counts, **simulate(network, counts).spikes}
    return {p.name: _saturations(network, p, events) for p in network.populations}


def describe_saturations(
    network: Network, counts: Mapping[str, EventCounts]
) -> dict[str, str] | None:
    """For each population that saturates on the first samples, how often; None if none does."""
    few = {name: array[:LOOKED_AT] for name, array in counts.items()}
    samples, steps = next(iter(few.values())).shape[:2]
    cut = {
        name: f"{number:,} of {samples * steps * network.size(name):,} updates in the first "
        f"{samples} samples are cut off; compile with --calibration or more --state-bits"
        for name, number in saturations(network, few).items()
        if number
    }
    return cut or None


def _saturations(network: Network, population: Population, events: Mapping[str, Spikes]) -> int:
    low, high = signed_range(network.state_bits)
    x = _input(network, population, events)
    # The update without its clamp and without an immediate reset gives the exact potential.
    reset, delayed = population.reset, population.delayed_reset
    if reset is Reset.RESTORE:
        reset, delayed = Reset.SUBTRACT, True
    unclamped = dataclasses.replace(
        population,
        v_min=None,
        reset=reset if delayed else Reset.NONE,
        delayed_reset=delayed,
        max_spikes=1,
    )
    exactly, clamped = Neurons(unclamped, WIDE), Neurons(population, network.state_bits)
    count = 0
    before = None
    in_turn = any(switch.carries for switch in population.switches)
    for part in x[:, np.newaxis] if in_turn else [x]:
        state = initial_state(population, len(part), np.int64, before=before)
        for t in range(part.shape[1]):
            _, exact = exactly.update(state, part[:, t])
            kept = [values for fields in exact.kept.values() for values in fields.values()]
            outside = [(values < low) | (values > high) for values in (exact.v, exact.i, *kept)]
            count += int(functools.reduce(np.logical_or, outside).sum())
            _, state = clamped.update(state, part[:, t])
        before = state
    return count


def _input(network: Network, population: Population, events: Mapping[str, Spikes]) -> Signed:
    """The input of a population in each step, int64 (samples, steps, size)."""
    samples, steps = next(iter(events.values())).shape[:2]
    x = np.tile(population.bias, (samples, steps, 1))
    for connection in network.into(population.name):
        arriving = connection_sums(network, connection)(events[connection.source])
        x[:, connection.delay :] += arriving[:, : max(steps - connection.delay, 0)]
    return x
