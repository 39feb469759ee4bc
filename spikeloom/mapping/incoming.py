"""Rows of the connections that end in a tile: connection table, weights, coordinate table."""

from collections.abc import Mapping, Sequence

import numpy as np

from spikeloom.golden.convolution import Convolution, ImageShape
from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import AnyConnection, Network
from spikeloom.golden.sparse import OneToOne, SparseConnection
from spikeloom.golden.spec import FabricConfig, index_bits
from spikeloom.mapping.coordinates import CoordinateTable, Row, channels, first_channel
from spikeloom.mapping.geometry import Geometry, geometry, positions, spans
from spikeloom.mapping.kernels import axon_shifts
from spikeloom.mapping.learning import TileRule
from spikeloom.mapping.parts import Part
from spikeloom.mapping.sparse import pack_words
from spikeloom.mapping.tile_parts import TilePart, sum_base

Rows = tuple[int, ...]


def incoming_rows(
    network: Network,
    config: FabricConfig,
    nodes: dict[str, ImageShape],
    parts: Sequence[TilePart],
    rules: Mapping[int, TileRule],
) -> tuple[Rows, Rows, Rows]:
    """The connection table, the weights and the coordinate table of the tile with these `parts`.

    The connection table has unused rows for connections to other tiles. The weights of a connection
    are stored lane group by lane group, in each the taps of the kernel, in each the channels of the
    source: channel c reads words c, c + s, c + 2s, ... of the s channels. Sparse words come first.
    `rules` are those of the tile, by the number of their connection; the words of a plane follow
    the weights of its connection.
    """
    by_population = {part.population.name: part for part in parts}
    rows = [0] * len(network.connections)
    weights: list[int] = []
    coordinates = CoordinateTable(config)
    for number, connection in enumerate(network.connections):
        target = by_population.get(connection.target)
        if target is not None and isinstance(connection, SparseConnection):
            row = _sparse_row(connection, config, target, coordinates, weights)
            rows[number] = config.connection_row.pack(row)
    for number, connection in enumerate(network.connections):
        target = by_population.get(connection.target)
        if target is None or isinstance(connection, SparseConnection):
            continue
        if isinstance(connection, OneToOne):
            row = _one_to_one_row(connection, config, target, len(weights))
            rows[number] = config.connection_row.pack(row)
            weights += packed_words(
                lane_words(connection.weights, target.part, config.lanes), config
            )
            continue
        joined, part = geometry(connection, nodes), target.part
        row = {
            "weight_base": len(weights),
            "sources": joined.source[0],
            "sum_base": sum_base(target, config),
        }
        if joined.placed:
            row |= coordinates.fields(joined, part)
        else:
            row |= {"groups": part.groups(config.lanes), "synapses": part.neurons}
        if config.weight_pairs:
            row["high"] = connection.high
        if number in rules:
            row |= {"plastic": 1, "rule": rules[number].rule, "axon_base": rules[number].axon_base}
            row |= axon_shifts(joined.source) if joined.placed else {}
        rows[number] = config.connection_row.pack(row)
        words = packed_words(stored_weights(connection, joined, part, config.lanes), config)
        weights += words
        if number in rules and rules[number].plane:
            weights += [0] * len(words)
    return tuple(rows), tuple(weights), tuple(coordinates.rows)


def _sparse_row(
    connection: SparseConnection,
    config: FabricConfig,
    target: TilePart,
    coordinates: CoordinateTable,
    weights: list[int],
) -> Row:
    """The fields of the connection row of a sparse matrix; adds its sources and its words."""
    part = target.part
    packed = pack_words(connection, positions(target.image), part.start, part.size, config.lanes)
    first = len(weights) + np.cumsum(packed.counts) - packed.counts
    sources = zip(first.tolist(), packed.counts.tolist(), packed.synapses.tolist(), strict=True)
    row = {
        "sparse": 1,
        "weight_base": len(weights),
        "sources": len(packed.counts),
        "groups": 1,
        "channel_coordinates": coordinates.add(
            [
                {"weight": word, "count": count, "synapses": synapses} if count else {}
                for word, count, synapses in sources
            ]
        ),
    }
    if config.weight_pairs:
        row["high"] = connection.high
    shift = config.lanes * config.weight_bits
    groups = _packed(packed.groups + target.group, index_bits(config.groups))
    weights += [
        word | group << shift
        for word, group in zip(_packed(packed.weights, config.weight_bits), groups, strict=True)
    ]
    return row


def lane_words(weights: Integers, part: Part, lanes: int) -> Integers:
    """The weights of a connection one to one into a part, a lane a neuron: (words, lanes)."""
    words = np.zeros((part.groups(lanes), lanes), np.int64)
    words.reshape(-1)[: part.size] = weights[part.start : part.start + part.size]
    return words


def _one_to_one_row(connection: OneToOne, config: FabricConfig, target: TilePart, base: int) -> Row:
    """The fields of the connection row; both bases are those of source 0, in the part or not."""
    part = target.part
    before = part.start // config.lanes
    row = {
        "one_to_one": 1,
        "sources": len(connection.weights),
        "first": part.start,
        "last": part.start + part.size - 1,
        "weight_base": (base - before) % (1 << index_bits(config.weight_words)),
        "sum_base": (sum_base(target, config) - before * config.slots)
        % (1 << index_bits(config.sum_words)),
        "groups": 1,
        "synapses": 1,
    }
    if config.weight_pairs:
        row["high"] = connection.high
    return row


def _kernel(connection: AnyConnection, joined: Geometry, part: Part) -> Integers:
    """Weights into a part: (channels of target, copies, channels of source / groups, taps)."""
    weights = connection.weights
    # Cut before reshaping, which copies a transposed matrix.
    if isinstance(connection, Convolution):
        weights = weights[part.start : part.start + part.size]
    else:
        first = part.start * joined.copies
        weights = weights[:, first : first + part.size * joined.copies].T
    return weights.reshape(part.size, joined.copies, joined.sources, joined.taps)


def stored_weights(connection: AnyConnection, joined: Geometry, part: Part, lanes: int) -> Integers:
    """The weights of a part of the target in the order of the memory, shape (words, lanes).

    Where the geometry is grouped, only channels of the source with targets in the part have words,
    and each of them only from the first lane group in which it has targets.
    """
    in_part = spans(joined, part.start, part.size, lanes)
    first = first_channel(joined, in_part)
    groups = max(span.count for span in in_part)
    shape = groups, joined.copies, joined.taps, channels(joined, in_part), lanes
    stored = np.zeros(shape, np.int64)
    kernel = _kernel(connection, joined, part).transpose(0, 1, 3, 2)
    for number, span in enumerate(in_part):
        if not span.count:
            continue
        start = max(0, number * joined.targets - part.start)
        source = number * joined.sources - first
        group, lane = np.divmod(np.arange(start, start + span.channels), lanes)
        weights = kernel[start : start + span.channels]
        stored[group - span.first, :, :, source : source + joined.sources, lane] = weights
    return stored.reshape(-1, lanes)


def packed_words(weights: Integers, config: FabricConfig) -> list[int]:
    """Packed rows of the weight memory, from weights (words, lanes); groups of targets are 0."""
    return _packed(weights, config.weight_bits)


def _packed(values: Integers, bits: int) -> list[int]:
    """Words with `bits` bits of each lane, the first one lowest, from values (words, lanes)."""
    lanes = values.shape[1]
    unsigned = (values & ((1 << bits) - 1)).astype(np.uint64)
    in_64_bits = min(lanes, 64 // bits)
    shifts = np.arange(in_64_bits, dtype=np.uint64) * np.uint64(bits)
    pieces = [
        np.bitwise_or.reduce(piece << shifts[: piece.shape[1]], axis=1).tolist()
        for piece in np.split(unsigned, range(in_64_bits, lanes, in_64_bits), axis=1)
    ]
    return (
        [
            sum(value << (64 * n) for n, value in enumerate(values))
            for values in zip(*pieces, strict=True)
        ]
        if len(pieces) > 1
        else pieces[0]
    )
