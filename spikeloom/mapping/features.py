"""Features that a network needs of a fabric, beyond the plain update and dense matrices."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from spikeloom.golden.convolution import ImageShape
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import differs, signed_range
from spikeloom.golden.network import Connection, Network, Population
from spikeloom.golden.schedule import row_sets
from spikeloom.golden.sparse import OneToOne, SparseConnection
from spikeloom.golden.spec import Factor, Reset
from spikeloom.mapping.geometry import geometry, positions, shapes
from spikeloom.mapping.kernels import kernel_extent
from spikeloom.mapping.learning import rule_of
from spikeloom.mapping.noise import noises

EXTENT = 256
"""Maximum rows or columns of an image on any hardware."""


@dataclass(frozen=True)
class Need:
    """A field of `FabricConfig` that must be at least `value`, because of `what`.

    `what` is a part of the network, or the name of the field where it is a size of all of it.
    """

    what: str
    field: str
    value: int


def feature_needs(network: Network) -> Iterator[Need]:
    """The features that `network` needs.

    Raises
    ------
    SpikeloomError
        An image is larger than any hardware can have.
    """
    for population in network.populations:
        for version in population.versions:
            yield from _update_needs(version, network.state_bits)
    if len(row_sets(network.schedule)) > 1:
        yield Need("parameters that change from step to step", "schedules", True)
    for node in network.inputs:
        if node.signed:
            yield Need(f"input {node.name!r}: signed events", "signed_spikes", True)
    if tables := noises(network):
        yield Need("noise_tables", "noise_tables", len(tables))
    for connection in network.connections:
        where = f"connection {connection.source!r} -> {connection.target!r}"
        if connection.high:
            yield Need(f"{where}: the upper half of a weight", "weight_pairs", True)
    nodes = shapes(network)
    yield from _learning_needs(network, nodes)
    inputs = {node.name for node in network.inputs}
    for name, (_, height, width) in nodes.items():
        where = f"{'input' if name in inputs else 'population'} {name!r}"
        extent = int(max(height, width))
        if extent > EXTENT:
            raise SpikeloomError(
                f"{where}: an image of {height} x {width} is too large for any fabric, which has "
                f"at most {EXTENT} x {EXTENT}; crop it, or pool it before"
            )
        if extent > 1:
            yield Need(f"{where}: an image of {height} x {width}", "extent", extent)
    for connection in network.connections:
        where = f"connection {connection.source!r} -> {connection.target!r}"
        if isinstance(connection, OneToOne):
            yield Need(f"{where}: one to one", "one_to_one", True)
        if isinstance(connection, (SparseConnection, OneToOne)):
            ends = [connection.source]
            if isinstance(connection, OneToOne):
                ends.append(connection.target)
            if joined := [name for name in ends if positions(nodes[name]) > 1]:
                raise SpikeloomError(
                    f"{where}: {joined[0]!r} is an image that a convolution joins, to which only a "
                    "matrix can lead; use Connection, or compile, which does"
                )
        elif geometry(connection, nodes).placed:
            yield Need(f"{where}: a convolution", "extent", 2)


def _learning_needs(network: Network, nodes: Mapping[str, ImageShape]) -> Iterator[Need]:
    for connection in network.plastic:
        where = f"connection {connection.source!r} -> {connection.target!r}"
        rules = rule_of(connection).in_order
        joined = geometry(connection, dict(nodes))
        plain = [rule.third for rule in rules if rule.third is not None]
        if isinstance(connection, Connection):
            plain += [connection.source, connection.target]
        if images := [name for name in plain if positions(nodes[name]) > 1]:
            raise SpikeloomError(
                f"{where}: plasticity: {images[0]!r} is an image that a convolution or a selection "
                "joins by position, and of matrices only those between plain populations learn; "
                "use a Convolution, or give the rule's connection an input or population of its own"
            )
        if joined.placed:
            what = f"{where}: a kernel that learns"
            yield Need(what, "plastic_kernels", True)
            yield Need(what, "extent", max(2, kernel_extent(joined)))
        yield Need(f"{where}: a learning rule", "plasticity", True)
        terms = max(len(rule.terms) for rule in rules)
        yield Need(f"{where}: a learning rule of {terms} terms", "rule_terms", terms)
        if any(Factor.BETWEEN in term.factors for rule in rules for term in rule.terms):
            yield Need(f"{where}: the factor BETWEEN", "quadratic_bounds", True)
        if len(rules) > 1:
            yield Need(f"{where}: an eligibility", "eligibility", True)


def _update_needs(population: Population, state_bits: int) -> Iterator[Need]:
    where = f"population {population.name!r}"
    if population.synaptic_decay is not None:
        yield Need(f"{where}: a synaptic current", "synaptic_current", True)
    if population.v_min is not None and population.v_min > signed_range(state_bits)[0]:
        yield Need(f"{where}: a minimum potential", "lower_clamp", True)
    if population.spiking and population.delayed_reset and population.reset is not Reset.NONE:
        yield Need(f"{where}: a delayed reset", "delayed_reset", True)
    if population.spiking and population.reset is Reset.RESTORE:
        yield Need(f"{where}: a reset that is restored", "delayed_reset", True)
    names = [name for name in _read(population) if differs(getattr(population, name))]
    if names:
        what = f"{where}: a different {' and '.join(names)} in each neuron"
        yield Need(what, "neuron_parameters", True)
    if differs(population.v_init):
        what = f"{where}: a different v_init in each neuron"
        yield Need(what, "neuron_parameters", True)
        yield Need(what, "initial_potentials", True)
    if population.fraction_bits:
        what = f"{where}: a potential finer than the weights"
        yield Need(what, "fraction_bits", int(population.fraction_bits))
    if population.spiking and population.max_spikes > 1:
        what = f"{where}: {population.max_spikes} spikes per step"
        yield Need(what, "max_spikes", int(population.max_spikes))
    if population.spiking and population.signed:
        yield Need(f"{where}: signed spikes", "signed_spikes", True)
    if np.min(population.decay) < 0:
        yield Need(f"{where}: a potential that grows", "doubling", True)
    for switch in population.switches:
        yield Need(f"{where}: {switch.title}", switch.name, True)


def _read(population: Population) -> Iterator[str]:
    """The parameters that the update of a population reads, of those that may differ."""
    yield "decay"
    if population.synaptic_decay is not None:
        yield "synaptic_decay"
    if population.spiking:
        yield "threshold"
        if population.reset is Reset.VALUE:
            yield "v_reset"
        elif population.reset is not Reset.NONE:
            yield "subtrahend"
