"""Rows of the neurons that fire in a tile: population table, target table, biases."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spikeloom.golden.fixed import signed_range
from spikeloom.golden.network import AnyConnection, Network, Population
from spikeloom.golden.schedule import row_sets
from spikeloom.golden.spec import NUMBER_BITS, SWITCHES, FabricConfig
from spikeloom.golden.switches.noise import Noise
from spikeloom.mapping.constants import constants, packed_block, parameters
from spikeloom.mapping.geometry import positions
from spikeloom.mapping.learning import kept_fields
from spikeloom.mapping.noise import noise_of, noises
from spikeloom.mapping.parts import recorded
from spikeloom.mapping.tile_parts import TilePart, sum_base


@dataclass(frozen=True)
class FiringRows:
    """Rows of the population table, the target table and the bias memory."""

    populations: tuple[int, ...]
    targets: tuple[int, ...]
    biases: tuple[int, ...]


def firing_rows(
    config: FabricConfig,
    parts: Sequence[TilePart],
    network: Network,
    outgoing: Mapping[str, list[tuple[int, AnyConnection]]],
    routes: Sequence[int],
    record: frozenset[str],
    readout: frozenset[str],
) -> FiringRows:
    """The rows of the tile with these `parts`.

    Parameters
    ----------
    network
        Its phases and its schedule.
    outgoing
        The connections that carry the events of each population, with their numbers.
    routes
        Route of each connection, by its number.
    record, readout
        Populations whose spikes, and whose final membrane potentials, are sent to the host.
    """
    sets = row_sets(network.schedule)
    rows: list[list[_Row]] = [[] for _ in range(network.phases)]
    targets: list[int] = []
    biases: list[int] = []
    for tile_part in parts:
        population = tile_part.population
        # First the events that the step waits for, then those of later steps; at last the host.
        fan_out = [
            {"route": routes[number], "connection": number, "delay": c.delay}
            for number, c in sorted(outgoing[population.name], key=lambda entry: entry[1].delay)
        ]
        if recorded(population, record):
            fan_out.append({"host": 1})
        row = {
            "number": tile_part.number,
            "index_base": tile_part.part.start,
            "neurons": tile_part.part.neurons,
            "neuron_base": tile_part.group * config.lanes,
            "sum_base": sum_base(tile_part, config),
            "readout": population.name in readout,
            # A population without targets never reads the table.
            "target_base": len(targets) if fan_out else 0,
            "fan_out": len(fan_out),
        }
        if config.plasticity:
            row |= kept_fields(network, population.name)
        own = constants(population, tile_part.image[0], {v for v, _ in sets}, config)
        if config.images:
            row |= _image_fields(tile_part, own.shared, config)
        elif not config.bias_blocks:
            # Biases have the addresses of their neurons.
            biases += [0] * (row["neuron_base"] - len(biases))
        bases = []
        for block in own.blocks:
            bases.append(len(biases))
            biases += packed_block(block, tile_part.part, tile_part.image, config, own.shared)
        in_variant = {variant: bases[number] for variant, number in own.block.items()}
        rows[population.phase].append((population, row, in_variant))
        targets += [config.target_row.pack(entry) for entry in fan_out]
    # All tiles fire the same phases; one in which this tile fires nothing has an empty row.
    flat = [
        (population, row | {"more": n + 1 < len(phase)}, bases)
        for phase in rows
        for n, (population, row, bases) in enumerate(phase or [(None, {}, {})])
    ]
    packed = [
        config.population_row.pack(row) for row in _scheduled(flat, sets, config, noises(network))
    ]
    return FiringRows(tuple(packed), tuple(targets), tuple(biases))


def _image_fields(tile_part: TilePart, shared: bool, config: FabricConfig) -> dict[str, int]:
    """The fields of a row that a fabric with images has more."""
    row = {
        "height": tile_part.image[1],
        "width": tile_part.image[2],
        "channels": tile_part.part.size,
        "shared": shared,
    }
    if config.noise:
        plane = positions(tile_part.image)
        row |= {
            "first_number": tile_part.part.start * plane % (1 << NUMBER_BITS),
            "plane": plane % (1 << NUMBER_BITS),
        }
    return row


_Row = tuple[Population | None, dict[str, int], dict[int, int]]
"""A population, the fields of its row that are the same in every step, and for each variant the
first row of its constants; None fires nothing."""


def _scheduled(
    rows: Sequence[_Row],
    sets: Sequence[tuple[int, int]],
    config: FabricConfig,
    tables: Sequence[Noise],
) -> Iterator[dict[str, int]]:
    """The rows of each set, with the parameters that hold then, one set after the other."""
    for number, (variant, steps) in enumerate(sets):
        last = number + 1 == len(sets)
        for n, (population, fields, bases) in enumerate(rows):
            row = dict(fields)
            if population is not None:
                row |= _update(population.at(variant), config)
                if (noise := noise_of(population.at(variant))) is not None:
                    row["noise_table"] = tables.index(noise)
                if config.images or config.bias_blocks:
                    row["bias_base"] = bases[variant]
            if config.schedules and not n:
                row["repeat"] = steps - 1
                row["next"] = (number if last else number + 1) * len(rows)
            yield row


def _update(population: Population, config: FabricConfig) -> dict[str, int]:
    """The parameters of its neurons' update, in the fields that the fabric was built with."""
    row: dict[str, int] = {
        "reset": population.reset,
        "inclusive": population.inclusive,
        "spiking": population.spiking,
    }
    if not config.neuron_parameters:
        # All neurons have the same values, or the network would not fit.
        row |= {name: int(np.ravel(v)[0]) for name, v in parameters(population, config).items()}
    if not config.initial_potentials:
        row["v_init"] = population.shared("v_init")
    if config.synaptic_current:
        row["synaptic"] = population.synaptic_decay is not None
    if config.traces and config.synaptic_current:
        row["currents"] = population.synaptic_decay is not None
    if config.delayed_reset:
        row["delayed"] = population.delayed_reset
    if config.lower_clamp:
        lowest = signed_range(config.state_bits)[0]
        row["v_min"] = lowest if population.v_min is None else population.v_min
    if config.max_spikes > 1:
        row["max_spikes"] = population.max_spikes if population.spiking else 1
    if config.signed_spikes:
        row["signed"] = population.signed
    if config.fraction_bits:
        row["fraction"] = population.fraction_bits
    for switch in population.switches:
        fields = switch.fields().items()
        bit = {} if SWITCHES[switch.name].constants else {switch.name: 1}
        row |= bit | {f"{switch.name}_{name}": value for name, value in fields}
    return row
