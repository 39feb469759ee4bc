"""From an integer network to the memory image of one tile."""

import numpy as np

from golden.errors import SpikeloomError
from golden.image import Image, Row
from golden.network import Connection, Network
from golden.spec import DECAY_ONE, FabricConfig


def map_network(
    network: Network, config: FabricConfig, record: frozenset[str], readout: frozenset[str]
) -> Image:
    """Lay out `network` in the memories of one tile.

    Populations take whole groups of `lanes` neurons, in firing order; weights of a connection
    are stored group by group, so that source i of s reads words i, i + s, i + 2s, ...

    Parameters
    ----------
    record, readout
        Populations whose spikes, and whose final membrane potentials, are sent to the host.

    Raises
    ------
    SpikeloomError
        The network does not fit: every memory that is short, and by how much.
    """
    _check_widths(network, config)
    order = sorted(network.populations, key=lambda population: population.phase)
    group_of: dict[str, int] = {}
    groups = 0
    for population in order:
        group_of[population.name] = groups
        groups += _groups(population.size, config)
    numbers = {id(c): number for number, c in enumerate(network.connections)}
    # Connections first: the step waits for these, not for the host.
    fan_out: dict[str, list[dict[str, int]]] = {population.name: [] for population in order}
    for population in order:
        if population.spiking:
            fan_out[population.name] += [
                {"connection": numbers[id(c)], "delay": c.delay}
                for c in network.connections
                if c.source == population.name
            ]
            if population.name in record:
                fan_out[population.name].append({"host": 1})
    last = order[-1]
    needs = {
        "neurons": group_of[last.name] * config.lanes + last.size,
        "weight_words": sum(
            _groups(network.size(c.target), config) * c.weights.shape[0]
            for c in network.connections
        ),
        "populations": len(order),
        "connections": len(network.connections),
        "targets": sum(len(rows) for rows in fan_out.values()),
        "axons": max((c.weights.shape[0] for c in network.connections), default=1),
        "slots": network.max_delay + 1,
    }
    _check_fits(needs, config)

    biases = np.zeros(needs["neurons"], np.int64)
    populations: list[int] = []
    targets: list[int] = []
    for position, population in enumerate(order):
        group = group_of[population.name]
        base = group * config.lanes
        biases[base : base + population.size] = population.bias
        populations.append(
            config.population_row.pack(
                {
                    "neurons": population.size,
                    "neuron_base": base,
                    "sum_base": group * config.slots,
                    "retain": DECAY_ONE - population.decay,
                    "threshold": population.threshold,
                    "v_reset": population.v_reset,
                    "v_init": population.v_init,
                    "reset": population.reset,
                    "inclusive": population.inclusive,
                    "spiking": population.spiking,
                    "readout": population.name in readout,
                    # A population without targets never reads the table.
                    "target_base": len(targets) if fan_out[population.name] else 0,
                    "fan_out": len(fan_out[population.name]),
                    "more": position + 1 < len(order)
                    and order[position + 1].phase == population.phase,
                }
            )
        )
        targets += [config.target_row.pack(row) for row in fan_out[population.name]]

    weights: list[int] = []
    connections: list[int] = []
    for connection in network.connections:
        size = network.size(connection.target)
        connections.append(
            config.connection_row.pack(
                {
                    "weight_base": len(weights),
                    "sources": connection.weights.shape[0],
                    "sum_base": group_of[connection.target] * config.slots,
                    "groups": _groups(size, config),
                    "synapses": size,
                }
            )
        )
        weights += _weight_words(connection, config)

    inputs = tuple(
        (c.source, numbers[id(c)], c.delay)
        for node in network.inputs
        for c in network.connections
        if c.source == node.name
    )
    window = config.slots - 1 - max((delay for _, _, delay in inputs), default=0)
    return Image(
        config,
        tuple(weights),
        tuple(config.bias_row.pack({"bias": int(bias)}) for bias in biases),
        tuple(populations),
        tuple(connections),
        tuple(targets),
        config.control_row.pack({"last_phase": network.phases - 1, "window": window}),
        inputs,
        tuple(
            Row(p.name, p.size, p.spiking and p.name in record, p.name in readout) for p in order
        ),
    )


def _groups(size: int, config: FabricConfig) -> int:
    return -(-size // config.lanes)


def _weight_words(connection: Connection, config: FabricConfig) -> list[int]:
    """The words of a connection: group by group, and in a group source by source."""
    sources, size = connection.weights.shape
    groups = _groups(size, config)
    padded = np.zeros((sources, groups * config.lanes), np.int64)
    padded[:, :size] = connection.weights
    lanes = padded.reshape(sources, groups, config.lanes).transpose(1, 0, 2)
    mask = (1 << config.weight_bits) - 1
    bits = (lanes & mask).reshape(-1, config.lanes).tolist()
    return [
        sum(weight << (lane * config.weight_bits) for lane, weight in enumerate(word))
        for word in bits
    ]


def _check_widths(network: Network, config: FabricConfig) -> None:
    for name in ("weight_bits", "state_bits", "sum_bits"):
        if getattr(network, name) != getattr(config, name):
            raise SpikeloomError(
                f"{name}: the network has {getattr(network, name)}, the fabric "
                f"{getattr(config, name)}; compile for the fabric's width"
            )


def _check_fits(needs: dict[str, int], config: FabricConfig) -> None:
    short = [
        f"{name} {need} of {getattr(config, name)} (short by {need - getattr(config, name)})"
        for name, need in needs.items()
        if need > getattr(config, name)
    ]
    if short:
        raise SpikeloomError(
            f"the network does not fit the fabric: {', '.join(short)}; use a larger FabricConfig"
        )
