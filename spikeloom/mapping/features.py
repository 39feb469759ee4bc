"""What a network needs a fabric to be built for, beyond the plain update and dense matrices."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import signed_range
from spikeloom.golden.network import Network, Population
from spikeloom.golden.spec import FabricConfig, Reset
from spikeloom.mapping.geometry import coordinate_rows, geometry, shapes

EXTENT = 256
AXES = 4096
"""Most rows or columns of an image, and most rows of the coordinate table, of any hardware."""


@dataclass(frozen=True)
class Need:
    """`what` of the network needs a field of `FabricConfig` to be at least `value`."""

    what: str
    field: str
    value: int


def needs(network: Network) -> Iterator[Need]:
    """What `network` needs.

    Raises
    ------
    SpikeloomError
        An image is larger than any hardware can have.
    """
    for population in network.populations:
        yield from _update_needs(population, network.state_bits)
    for connection in network.connections:
        where = f"connection {connection.source!r} -> {connection.target!r}"
        if connection.high:
            yield Need(f"{where}: the upper half of a weight", "weight_pairs", True)
    nodes = shapes(network)
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
        if geometry(connection, nodes).placed:
            where = f"connection {connection.source!r} -> {connection.target!r}"
            yield Need(f"{where}: a convolution", "extent", 2)


def _update_needs(population: Population, state_bits: int) -> Iterator[Need]:
    where = f"population {population.name!r}"
    if population.synaptic_decay is not None:
        yield Need(f"{where}: a synaptic current", "synaptic_current", True)
    if population.v_min is not None and population.v_min > signed_range(state_bits)[0]:
        yield Need(f"{where}: a least potential", "lower_clamp", True)
    if population.spiking and population.delayed_reset and population.reset is not Reset.NONE:
        yield Need(f"{where}: a delayed reset", "delayed_reset", True)
    if population.spiking and population.max_spikes > 1:
        what = f"{where}: a burst of {population.max_spikes} spikes"
        yield Need(what, "max_spikes", int(population.max_spikes))


def check_features(network: Network, config: FabricConfig) -> None:
    """Refuse a network that needs what `config` is not built for."""
    for need in needs(network):
        if getattr(config, need.field) < need.value:
            raise SpikeloomError(f"{need.what} needs FabricConfig({need.field}={need.value})")


def with_features(network: Network, config: FabricConfig) -> FabricConfig:
    """`config`, built for what `network` needs too, with as many axes as it takes.

    Sizes that the network does not fit stay as they are.
    """
    built: dict[str, Any] = {}
    for need in needs(network):
        least = max(need.value, getattr(config, need.field))
        built[need.field] = max(least, built.get(need.field, least))
    nodes = shapes(network)
    tables = {(c.target, geometry(c, nodes)) for c in network.connections}
    coordinates = sum(coordinate_rows(joined) for _, joined in tables)
    built["coordinates"] = max(config.coordinates, min(AXES, coordinates))
    return dataclasses.replace(config, **built)
