"""Rows of the neurons that fire in a tile: population table, target table, biases."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers, signed_range
from spikeloom.golden.network import AnyConnection, Network, Parameter, Population
from spikeloom.golden.schedule import row_sets
from spikeloom.golden.spec import DECAY_ONE, FabricConfig, Reset
from spikeloom.mapping.geometry import positions
from spikeloom.mapping.parts import groups_of, recorded
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
    rows: list[list[_Row]] = [[] for _ in range(network.phases)]
    targets: list[int] = []
    biases: list[int] = []
    for tile_part in parts:
        population = tile_part.population
        # Connections first: the step waits for their events, but not for the host.
        fan_out = [
            {"route": routes[number], "connection": number, "delay": c.delay}
            for number, c in outgoing[population.name]
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
        if not config.images:
            # Biases have the addresses of their neurons.
            biases += [0] * (row["neuron_base"] - len(biases))
            biases += _bias_rows(tile_part, config, shared=False)
        else:
            columns = _bias_columns(population, config).values()
            shared = all(_per_channel(tile_part, values) for values in columns)
            row |= {
                "height": tile_part.image[1],
                "width": tile_part.image[2],
                "channels": tile_part.part.size,
                "bias_base": len(biases),
                "shared": shared,
            }
            biases += _bias_rows(tile_part, config, shared)
        rows[population.phase].append((population, row))
        targets += [config.target_row.pack(entry) for entry in fan_out]
    # All tiles fire the same phases; one in which this tile fires nothing has an empty row.
    flat = [
        (population, row | {"more": n + 1 < len(phase)})
        for phase in rows
        for n, (population, row) in enumerate(phase or [(None, {})])
    ]
    packed = [
        config.population_row.pack(row)
        for row in _scheduled(flat, row_sets(network.schedule), config)
    ]
    return FiringRows(tuple(packed), tuple(targets), tuple(biases))


_Row = tuple[Population | None, dict[str, int]]
"""A population, and the fields of its row that are the same in every step; None fires nothing."""


def _scheduled(
    rows: Sequence[_Row], sets: Sequence[tuple[int, int]], config: FabricConfig
) -> Iterator[dict[str, int]]:
    """The rows of each set, with the parameters that hold then, one set after the other."""
    for population, _ in rows:
        if population is not None and config.neuron_parameters:
            _check_variants(population, config)
    for number, (variant, steps) in enumerate(sets):
        last = number + 1 == len(sets)
        for n, (population, fields) in enumerate(rows):
            row = dict(fields)
            if population is not None:
                row |= _update(population.at(variant), config)
            if config.schedules and not n:
                row["repeat"] = steps - 1
                row["next"] = (number if last else number + 1) * len(rows)
            yield row


def _check_variants(population: Population, config: FabricConfig) -> None:
    """Refuse variants that change what lies in the bias memory, the same in every step."""
    own = _parameters(population, config)
    for variant, version in enumerate(population.versions):
        for name, value in _parameters(version, config).items():
            if not np.array_equal(value, own[name]):
                raise SpikeloomError(
                    f"population {population.name!r}: variant {variant} has another {name}, which "
                    "a fabric with neuron_parameters keeps for each neuron and not for each step; "
                    "use a fabric without neuron_parameters"
                )


def _update(population: Population, config: FabricConfig) -> dict[str, int]:
    """The parameters of its neurons' update, in the fields that the fabric was built with."""
    row: dict[str, int] = {
        "reset": population.reset,
        "inclusive": population.inclusive,
        "spiking": population.spiking,
    }
    if not config.neuron_parameters:
        # All neurons have the same values, or the network would not fit.
        row |= {name: int(np.ravel(v)[0]) for name, v in _parameters(population, config).items()}
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
    if config.fraction_bits:
        row["fraction"] = population.fraction_bits
    for switch in population.switches:
        fields = switch.fields().items()
        row |= {switch.name: 1, **{f"{switch.name}_{name}": value for name, value in fields}}
    return row


def _parameters(population: Population, config: FabricConfig) -> dict[str, Parameter]:
    """The fields of the bias row with `neuron_parameters`, else of the population row."""
    subtracts = population.reset in (Reset.SUBTRACT, Reset.RESTORE)
    parameters: dict[str, Parameter] = {
        "retain": DECAY_ONE - population.decay,
        "threshold": population.threshold,
        "v_reset": population.subtracted if subtracts else population.v_reset,
    }
    if config.initial_potentials:
        parameters["v_init"] = population.v_init
    if config.synaptic_current and population.synaptic_decay is not None:
        parameters["retain_synaptic"] = DECAY_ONE - population.synaptic_decay
    return parameters


def _bias_columns(population: Population, config: FabricConfig) -> dict[str, Integers]:
    """The fields of the bias row, each with the values of all neurons; absent ones are 0."""
    columns = {"bias": population.bias}
    if config.synaptic_current and population.leak is not None:
        columns["leak"] = population.leak
    if config.neuron_parameters:
        for name, value in _parameters(population, config).items():
            columns[name] = np.broadcast_to(value, population.bias.shape)
    return columns


def _per_channel(tile_part: TilePart, values: Integers) -> bool:
    """Whether all neurons of each channel have the same value."""
    by_channel = values.reshape(tile_part.image[0], -1)
    return bool((by_channel == by_channel[:, :1]).all())


def _bias_rows(tile_part: TilePart, config: FabricConfig, shared: bool) -> list[int]:
    """Rows of the bias memory: one per channel if `shared`, else one per neuron."""
    columns = _bias_columns(tile_part.population, config)
    values = [_in_order(tile_part, v, config.lanes, shared) for v in columns.values()]
    layout = config.bias_row
    return [layout.pack(dict(zip(columns, row, strict=True))) for row in zip(*values, strict=True)]


def _in_order(tile_part: TilePart, values: Integers, lanes: int, shared: bool) -> list[int]:
    """Values of a part's channels, or neurons, in the order of the memory, with inner padding."""
    part = tile_part.part
    chosen = values.reshape(-1, positions(tile_part.image))[part.start :][: part.size]
    if shared:
        chosen = chosen[:, :1]
    groups = groups_of(part.size, lanes)
    padded = np.zeros((groups * lanes, chosen.shape[1]), np.int64)
    padded[: part.size] = chosen
    # Group by group, position by position; the padding at the end is left out.
    ordered = padded.reshape(groups, lanes, -1).transpose(0, 2, 1).reshape(-1)
    result: list[int] = ordered[: ordered.size - len(padded) + part.size].tolist()
    return result
