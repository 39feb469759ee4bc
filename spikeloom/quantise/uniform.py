"""Thresholds made uniform, for fabrics on which neurons share all parameters of their population.

Multiplying everything that acts on a neuron's potential by a gain changes no spike. With a gain of
largest threshold / own threshold all thresholds are the largest. It costs precision: the weights of
a population have one scale, which the largest gain lowers.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from spikeloom.golden.spec import Reset
from spikeloom.importer.float_network import (
    AnyFloatConnection,
    FloatConvolution,
    FloatNetwork,
    FloatPopulation,
    PerNeuron,
)
from spikeloom.importer.linear_maps import Floats, by_channel, same


def with_uniform_thresholds(net: FloatNetwork) -> tuple[FloatNetwork, dict[str, Floats]]:
    """The same network with shared thresholds, and the gains of the populations that changed.

    Unchanged are populations that could not share all parameters even so: where time constants
    differ, reset, initial or minimum potentials would, or a kernel would differ between positions,
    or a switch names a potential or compares those of neurons.
    """
    gains = {}
    for population in net.populations:
        if not isinstance(population.threshold, np.ndarray):
            continue
        gain = population.threshold.max() / population.threshold
        if (population.threshold > 0).all() and _can_share(net, population, gain):
            gains[population.name] = gain
    populations = tuple(
        _scaled(population, gains[population.name]) if population.name in gains else population
        for population in net.populations
    )
    connections = tuple(_scaled_weights(net, c, gains) for c in net.connections)
    return dataclasses.replace(net, populations=populations, connections=connections), gains


def _can_share(net: FloatNetwork, population: FloatPopulation, gain: Floats) -> bool:
    decays = population.decay, population.synaptic_decay
    if any(isinstance(decay, np.ndarray) for decay in decays):
        return False
    if not all(switch.scales for switch in population.switches):
        return False
    potentials: list[PerNeuron] = [population.v_init, population.v_min or 0.0]
    if population.reset is Reset.VALUE or population.switches:
        potentials.append(population.v_reset)
    if not all(same(scaled, scaled[:1]) for scaled in (value * gain for value in potentials)):
        return False
    return all(
        _by_channel(population, gain) is not None
        for connection in net.into(population.name)
        if isinstance(connection, FloatConvolution)
    )


def _scaled(population: FloatPopulation, gain: Floats) -> FloatPopulation:
    def shared(value: PerNeuron) -> float:
        return float((value * gain)[0])

    return dataclasses.replace(
        population,
        bias=population.bias * gain,
        leak=None if population.leak is None else population.leak * gain,
        threshold=float(np.max(population.threshold)),
        v_reset=shared(population.v_reset),
        v_init=shared(population.v_init),
        v_min=None if population.v_min is None else shared(population.v_min),
    )


def _scaled_weights(
    net: FloatNetwork, connection: AnyFloatConnection, gains: Mapping[str, Floats]
) -> AnyFloatConnection:
    if connection.target not in gains:
        return connection
    gain = gains[connection.target]
    if not isinstance(connection, FloatConvolution):
        return dataclasses.replace(connection, weights=connection.weights * gain)
    channels = _by_channel(net.population(connection.target), gain)
    assert channels is not None
    weights = connection.weights * channels.reshape(-1, 1, 1, 1)
    return dataclasses.replace(
        connection, kernel=dataclasses.replace(connection.kernel, weights=weights)
    )


def _by_channel(population: FloatPopulation, gain: Floats) -> Floats | None:
    """The gain of each channel of an image, where all its positions have the same."""
    assert population.image is not None
    return by_channel(gain, population.image)
