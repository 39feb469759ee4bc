"""Sizes of a fabric: what a network needs, the smallest fabric that has it, and what is short."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Network
from spikeloom.golden.schedule import row_sets
from spikeloom.golden.sparse import OneToOne, SparseConnection
from spikeloom.golden.spec import SPIKES_PER_STEP, FabricConfig, count_bits
from spikeloom.mapping.constants import constants
from spikeloom.mapping.features import Need, feature_needs
from spikeloom.mapping.geometry import (
    coordinate_rows,
    geometry,
    min_words,
    positions,
    shapes,
    weight_words,
)
from spikeloom.mapping.learning import of_target, totals, with_planes
from spikeloom.mapping.partition import partition
from spikeloom.mapping.parts import Part, firing_order, groups_of, outgoing, recorded
from spikeloom.mapping.sparse import SparseSize


def _powers(first: int, last: int) -> tuple[int, ...]:
    return tuple(1 << n for n in range(first, last + 1))


CHOICES: dict[str, tuple[int, ...]] = {
    "neurons": _powers(3, 16),
    "weight_words": _powers(6, 24),
    "axons": _powers(3, 16),
    "slots": (4, 8, 16),
    "populations": (4, 16, 64, 256),
    "connections": (8, 32, 128, 512, 1024),
    "targets": (16, 64, 256, 1024),
    "queue": (32, 64, 128),
    "routes": (64, 256, 1024),
    "extent": _powers(0, 8),
    "coordinates": _powers(6, 16),
    "sparse_words": (0, *_powers(6, 24)),
    "bias_rows": (0, *_powers(3, 16)),
    "max_spikes": SPIKES_PER_STEP,
    "fraction_bits": (0, 4, 8, 12),
    "noise_tables": _powers(0, 4),
    "rules": _powers(0, 3),
    "rule_terms": (1, 2),
    "plastic_axons": _powers(3, 16),
}
"""Sizes that are chosen automatically, the last of each the maximum of any hardware.

Few of them, so that similar networks run on the same hardware, whose RTL is compiled once. Memories
that take block RAM grow in steps of 2, small tables in steps of 4. Fewer slots or a shorter queue
than the first choice would cost clocks.
"""

OF_LEARNING = "rules", "rule_terms", "plastic_axons"
"""Of these, those that only a network which learns has a use for."""

DIVIDED = (
    "neurons",
    "weight_words",
    "sparse_words",
    "bias_rows",
    "populations",
    "targets",
    "coordinates",
)
"""Sizes of memories whose rows the tiles share among them."""


ENLARGED = ("neurons", "weight_words", "sparse_words", "bias_rows")
"""Of these, those that a fabric has more of until its tiles hold their shares."""


class Shortage(SpikeloomError):
    """A network does not fit its fabric, and would with some other `fields` of `FabricConfig`."""

    def __init__(self, problem: str, fields: Mapping[str, int], remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem = problem
        self.fields = dict(fields)


def size_needs(network: Network, config: FabricConfig, record: frozenset[str]) -> Iterator[Need]:
    """The sizes that `network` needs on fabrics with the lanes and tiles of `config`.

    Those of `DIVIDED` are totals over all tiles.
    """
    nodes = shapes(network)
    lanes = config.lanes
    order = firing_order(network)
    images = [nodes[population.name] for population in order]
    rows = [groups_of(image[0], lanes) * lanes * positions(image) for image in images]
    # Padding after a last group takes no rows. On several tiles that may be any population's.
    last = range(len(order) - 1 if config.tiles == 1 else 0, len(order))
    padding = sum(-images[n][0] % lanes for n in last)
    sparse = [
        SparseSize(c, nodes[c.target][0], positions(nodes[c.target]), lanes)
        for c in network.connections
        if isinstance(c, SparseConnection)
    ]
    sparse_words = sum(size.all_words for size in sparse)
    single = sum(
        groups_of(len(c.weights), lanes) for c in network.connections if isinstance(c, OneToOne)
    )
    others = [c for c in network.connections if not isinstance(c, (SparseConnection, OneToOne))]
    joined = [geometry(connection, nodes) for connection in others]
    dense = [*joined, *(geometry(connection, nodes) for connection in with_planes(network))]
    if config.tiles == 1:
        words = sum(weight_words(g, groups_of(g.target[0], lanes), lanes) for g in dense)
    else:
        words = sum(min_words(g, lanes) for g in dense)
    # Connections into a population share the coordinate tables of their geometry.
    tables = {(c.target, g) for c, g in zip(others, joined, strict=True)}
    channels = max(image[0] for image in images)
    sources = max((nodes[c.source][0] for c in network.connections), default=1)
    # Packets number the channels of a whole population.
    axons = max(sources, channels) if channels > 1 << config.index_width else sources
    rows_sent = sum(len(outgoing(network, p)) + recorded(p, record) for p in order)
    needs = {
        "neurons": sum(rows) - padding,
        "weight_words": words + sparse_words + single,
        "axons": axons,
        "slots": network.max_delay + 1,
        "populations": len(order) * len(row_sets(network.schedule)),
        "connections": len(network.connections),
        "targets": rows_sent,
    }
    yield from (Need(name, name, value) for name, value in needs.items())
    if sparse and not config.sparse_words:
        first = next(c for c in network.connections if isinstance(c, SparseConnection))
        where = f"connection {first.source!r} -> {first.target!r}: a sparse matrix"
        yield Need(where, "sparse_words", max(1, sparse_words))
    elif sparse:
        yield Need("sparse_words", "sparse_words", sparse_words)
    biases = _bias_rows(network, config)
    if biases and (config.bias_rows or biases > config.tiles * config.bias_depth):
        yield Need("bias_rows", "bias_rows", biases)
    for node in network.inputs if config.graded_bits else ():
        what = f"input {node.name!r}: {node.max_count} events in one"
        yield Need(what, "graded_bits", count_bits(node.max_count))
    if network.plastic:
        yield from (
            Need(name, name, max(of_target(network, c.target)[name] for c in network.plastic))
            if config.tiles > 1
            else Need(name, name, total)
            for name, total in totals(network).items()
        )
    coordinates = sum(coordinate_rows(g) for _, g in tables) + sum(s.sources for s in sparse)
    if coordinates:
        yield Need("coordinates", "coordinates", coordinates)


def _bias_rows(network: Network, config: FabricConfig) -> int:
    """Rows of the bias memory, where it has blocks; else 0."""
    variants = {variant for variant, _ in row_sets(network.schedule)}
    versions = [version for p in network.populations for version in p.versions]
    gains = any(switch.name == "input_gain" for v in versions for switch in v.switches)
    built = dataclasses.replace(
        config,
        input_gain=config.input_gain or gains,
        schedules=config.schedules or len(variants) > 1,
    )
    if not built.bias_blocks:
        return 0
    nodes = shapes(network)
    parts = (
        (p, Part(p.name, 0, 0, nodes[p.name][0], positions(nodes[p.name])))
        for p in network.populations
    )
    return sum(
        constants(population, part.size, variants, built).rows(part, config.lanes)
        for population, part in parts
    )


def choose_fabric(
    network: Network, pinned: Mapping[str, Any], record: frozenset[str]
) -> FabricConfig:
    """The smallest fabric that `network` fits, with the `pinned` fields as they are.

    Sizes are of `CHOICES`. The mesh has one tile unless pinned. The fabric may be too small, where
    pinned fields are or no hardware is large enough; `check_fits` says so.
    """
    widths = {name: getattr(network, name) for name in ("weight_bits", "state_bits", "sum_bits")}
    config = FabricConfig(**widths | dict(pinned))
    useless = () if network.plastic else OF_LEARNING
    free = [name for name in CHOICES if name not in pinned and name not in useless]
    fields: dict[str, Any] = {name: CHOICES[name][0] for name in free}
    for need in feature_needs(network):
        if need.field not in pinned:
            fields[need.field] = max(need.value, fields.get(need.field, need.value))
    config = dataclasses.replace(config, **_rounded(fields))
    for need in size_needs(network, config, record):
        if need.field in free:
            shared = config.tiles if need.field in ENLARGED else 1
            fields[need.field] = -(-need.value // shared)
    if network.plastic:
        # Any tile may get a part of every target.
        fields |= {name: value for name, value in totals(network).items() if name in free}
        if "readable" not in pinned:
            fields["readable"] = True  # what was learned is read back
    if "queue" in free:
        # Enough that fire never waits for room while nothing spikes.
        fields["queue"] = config.group_rows + config.fire_clocks + 3
    if "routes" in free:
        fields["routes"] = len(network.connections)
    config = dataclasses.replace(config, **_rounded(fields))
    return config if config.tiles == 1 else _enlarged(network, config, free, record)


def check_fits(network: Network, config: FabricConfig, record: frozenset[str]) -> None:
    """Refuse a network that no mapping onto `config` could make fit, naming all that is short."""
    largest: dict[str, Need] = {}
    for need in (*feature_needs(network), *size_needs(network, config, record)):
        tiles = config.tiles if need.field in DIVIDED else 1
        lacking = need.value > tiles * getattr(config, need.field)
        if lacking and need.value > getattr(largest.get(need.field), "value", 0):
            largest[need.field] = need
    if not largest:
        return
    short = ", ".join(_shortage(need, config) for need in largest.values())
    fields = {
        name: -(-need.value // (config.tiles if name in DIVIDED else 1))
        for name, need in largest.items()
    }
    fields = {
        name: bool(value) if isinstance(getattr(config, name), bool) else value
        for name, value in fields.items()
    }
    problem = f"the network does not fit the fabric: {short}"
    beyond = [name for name, value in fields.items() if value > CHOICES.get(name, (value,))[-1]]
    if beyond:
        limits = ", ".join(f"{name} above {CHOICES[name][-1]}" for name in beyond)
        raise SpikeloomError(
            f"{problem}; no hardware has {limits}: use more tiles (columns, rows) or a smaller "
            "network"
        )
    settings = ", ".join(f"{name}={value}" for name, value in fields.items())
    raise Shortage(problem, fields, f"use dataclasses.replace(fabric, {settings})")


def _shortage(need: Need, config: FabricConfig) -> str:
    if need.what != need.field:
        return f"{need.what} needs {need.field}={need.value}"
    tiles = config.tiles if need.field in DIVIDED else 1
    available = getattr(config, "bias_depth" if need.field == "bias_rows" else need.field)
    times = f"{tiles} x " if tiles > 1 else ""
    lacking = need.value - tiles * available
    return f"{need.field} {need.value} of {times}{available} (short by {lacking})"


def _rounded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields, sizes rounded up to the next of their choices."""
    return {
        name: next((choice for choice in CHOICES[name] if choice >= value), CHOICES[name][-1])
        if name in CHOICES
        else value
        for name, value in fields.items()
    }


def _enlarged(
    network: Network, config: FabricConfig, free: list[str], record: frozenset[str]
) -> FabricConfig:
    """`config` with neurons and weight words doubled until its tiles hold the network."""
    activity = {node.name: 1.0 for node in network.inputs}
    activity |= {population.name: 1.0 for population in network.populations}
    sizes = [name for name in ENLARGED if name in free and getattr(config, name)]
    largest = {name: CHOICES[name][-1] for name in sizes}
    while True:
        try:
            partition(network, config, record, activity)
        except SpikeloomError:
            sizes = [name for name in sizes if getattr(config, name) < largest[name]]
            if not sizes:
                return config
            doubled = {name: 2 * getattr(config, name) for name in sizes}
            config = dataclasses.replace(config, **doubled)
        else:
            return config
