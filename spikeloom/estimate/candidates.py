"""Fabrics of a board on which a network might fit, the least changed first."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from spikeloom.golden.spec import SWITCHES, FabricConfig
from spikeloom.mapping.features import feature_needs
from spikeloom.mapping.sizes import DIVIDED, OF_LEARNING, choose_fabric, size_needs
from spikeloom.program import Program

LANES = (16, 8, 4, 2, 1)
DIVISORS = ("fire_lanes", "learn_lanes")
"""Other lanes, which divide these."""

OPTIONS = (
    "synaptic_current",
    "weight_pairs",
    "delayed_reset",
    "lower_clamp",
    "max_spikes",
    "fraction_bits",
    "neuron_parameters",
    "initial_potentials",
    "traces",
    "readable",
    "extent",
    "sparse_words",
    "one_to_one",
    "schedules",
    "doubling",
    *SWITCHES,
    "plasticity",
    "quadratic_bounds",
    "eligibility",
    "plastic_kernels",
    "two_ports",
)
"""Options that cost logic where no network needs them."""


def on(program: Program, fabric: FabricConfig) -> Program:
    """The program mapped onto another fabric with its widths.

    Raises
    ------
    SpikeloomError
        It does not fit.
    """
    network = dataclasses.replace(program.network, sum_bits=fabric.sum_bits)
    return dataclasses.replace(program, network=network, fabric=fabric)


def needs(program: Program, fabric: FabricConfig) -> dict[str, int]:
    """The smallest value of each field with which `fabric` could hold the network."""
    fields: dict[str, int] = {}
    for need in (
        *feature_needs(program.network),
        *size_needs(program.network, fabric, program.record),
    ):
        tiles = fabric.tiles if need.field in DIVIDED else 1
        fields[need.field] = max(fields.get(need.field, 0), -(-int(need.value) // tiles))
    if program.network.plastic:
        fields["readable"] = True  # what was learned is read back
    return fields


def _widths(program: Program, fabric: FabricConfig) -> FabricConfig:
    """`fabric` with the widths of the network."""
    network = program.network
    return dataclasses.replace(
        fabric,
        weight_bits=network.weight_bits,
        state_bits=network.state_bits,
        sum_bits=max(fabric.sum_bits, network.sum_bits),
    )


def suited(program: Program, fabric: FabricConfig) -> FabricConfig:
    """`fabric` with what it lacks for the network, in the sizes that `compile` chooses."""
    fabric = _widths(program, fabric)
    lacking = {
        name for name, least in needs(program, fabric).items() if _lacks(fabric, name, least)
    }
    pinned = {name: v for name, v in dataclasses.asdict(fabric).items() if name not in lacking}
    return choose_fabric(program.network, pinned, program.record)


def _lacks(fabric: FabricConfig, name: str, least: int) -> bool:
    return least > int(getattr(fabric, name))


def _exact(program: Program, fabric: FabricConfig, *, options: bool, tables: bool) -> FabricConfig:
    """`fabric` with neurons and weight words as needed.

    With `options` also without options that the network does not need, with `tables` with small
    tables.
    """
    least = needs(program, fabric)
    changes: dict[str, Any] = {}
    defaults = dataclasses.asdict(FabricConfig())
    for name in OPTIONS:
        value: int = least.get(name, int(defaults[name]))
        if options or _lacks(fabric, name, value):
            changes[name] = bool(value) if isinstance(defaults[name], bool) else value
    tables_of = ("axons", "slots", "populations", "connections", "targets", "coordinates")
    for name in (*tables_of, "bias_rows", *OF_LEARNING):
        if name in least and (tables or _lacks(fabric, name, least[name])):
            changes[name] = least[name]
    if not changes.get("plasticity", fabric.plasticity):
        changes["learn_lanes"] = 0
    fabric = dataclasses.replace(
        fabric, **changes | {name: max(1, least[name]) for name in ("neurons", "weight_words")}
    )
    return fabric


def candidates(program: Program, start: FabricConfig) -> Iterator[FabricConfig]:
    """Changes of the fabric `start`, the least first, until one fits.

    First what the network needs; then exact sizes; then without what the network does not need;
    then other lanes; for a mesh, then one tile.
    """
    yield suited(program, start)
    start = _widths(program, start)
    meshes = [start]
    if start.tiles > 1:
        meshes.append(dataclasses.replace(start, columns=1, rows=1))
    for mesh in meshes:
        lanes = sorted(LANES, key=lambda n: (n != mesh.lanes, n > mesh.lanes, abs(n - mesh.lanes)))
        for number in lanes:
            fewer = {name: min(getattr(mesh, name), number) for name in DIVISORS}
            queue = max(number, mesh.queue)
            changed = dataclasses.replace(mesh, lanes=number, queue=queue, **fewer)
            for options, tables in ((False, False), (True, False), (True, True)):
                yield _exact(program, changed, options=options, tables=tables)
