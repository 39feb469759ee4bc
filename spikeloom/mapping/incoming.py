"""Rows of the connections that end in a tile: connection table, weights, coordinate table."""

from collections.abc import Sequence

import numpy as np

from spikeloom.golden.convolution import Convolution, ImageShape
from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import AnyConnection, Network
from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.coordinates import CoordinateTable, Row, channels, first_channel
from spikeloom.mapping.geometry import Geometry, geometry, spans
from spikeloom.mapping.partition import Part
from spikeloom.mapping.tile_parts import TilePart, sum_base

Rows = tuple[int, ...]


def incoming_rows(
    network: Network,
    config: FabricConfig,
    nodes: dict[str, ImageShape],
    residents: Sequence[TilePart],
) -> tuple[Rows, Rows, Rows]:
    """The connection table, the weights and the coordinate table.

    The connection table has unused rows for connections to other tiles. The weights of a connection
    are stored lane group by lane group, in each the taps of the kernel, in each the channels of the
    source: channel c reads words c, c + s, c + 2s, ... of the s channels.
    """
    at_home = {resident.population.name: resident for resident in residents}
    rows: list[int] = []
    weights: list[int] = []
    coordinates = CoordinateTable(config)
    for connection in network.connections:
        resident = at_home.get(connection.target)
        if resident is None:
            rows.append(0)
            continue
        joined, part = geometry(connection, nodes), resident.part
        row: Row = {
            "weight_base": len(weights),
            "sources": joined.source[0],
            "sum_base": sum_base(resident, config),
        }
        if joined.placed:
            row |= coordinates.fields(joined, part)
        else:
            row |= {"groups": part.groups(config.lanes), "synapses": part.neurons}
        if config.weight_pairs:
            row["high"] = connection.high
        rows.append(config.connection_row.pack(row))
        weights += _words(_stored(connection, joined, part, config.lanes), config)
    return tuple(rows), tuple(weights), tuple(coordinates.rows)


def _kernel(connection: AnyConnection, joined: Geometry) -> Integers:
    """The weights as (channels of target, copies, channels of source / groups, taps)."""
    weights = connection.weights
    if not isinstance(connection, Convolution):
        weights = weights.T
    return weights.reshape(joined.target[0], joined.copies, joined.sources, joined.taps)


def _stored(connection: AnyConnection, joined: Geometry, part: Part, lanes: int) -> Integers:
    """The weights of a part of the target in the order of the memory, shape (words, lanes).

    Where the geometry is grouped, only channels of the source that lead to the part have words, and
    each only for the lane groups from the first that it meets on.
    """
    met = spans(joined, part.start, part.size, lanes)
    first = first_channel(joined, met)
    groups = max(span.count for span in met)
    shape = groups, joined.copies, joined.taps, channels(joined, met), lanes
    stored = np.zeros(shape, np.int64)
    kernel = _kernel(connection, joined)
    for number, span in enumerate(met):
        if not span.count:
            continue
        start = max(part.start, number * joined.targets)
        group, lane = np.divmod(np.arange(span.channels) + start - part.start, lanes)
        source = number * joined.sources - first
        weights = kernel[start : start + span.channels].transpose(0, 1, 3, 2)
        stored[group - span.first, :, :, source : source + joined.sources, lane] = weights
    return stored.reshape(-1, lanes)


def _words(weights: Integers, config: FabricConfig) -> list[int]:
    mask = (1 << config.weight_bits) - 1
    return [
        sum(weight << (lane * config.weight_bits) for lane, weight in enumerate(word))
        for word in (weights & mask).tolist()
    ]
