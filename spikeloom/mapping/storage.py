"""How the weights of each connection are stored: dense or sparse, whichever takes fewer bits.

A dense matrix stores a word for each source and group of targets. A sparse one stores the words of
`spikeloom.mapping.sparse`, which are wider, and a row of the coordinate table for each source. One
to one takes a word for each group of neurons.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from spikeloom.golden.convolution import Convolution, ImageShape
from spikeloom.golden.network import AnyConnection, Connection, Network
from spikeloom.golden.sparse import OneToOne, SparseConnection
from spikeloom.golden.spec import FabricConfig, index_bits
from spikeloom.mapping.geometry import geometry, min_words, positions, shapes
from spikeloom.mapping.parts import groups_of
from spikeloom.mapping.sparse import SparseSize

WORTH = 1 << 12
"""Bits that a matrix must take less for a fabric to be chosen that has the option: a block RAM."""


class _Choice(NamedTuple):
    """A connection that could be sparse.

    Parameters
    ----------
    number
        Its number in the network.
    sparse
        The connection as a sparse matrix.
    words
        Its sparse words.
    saved
        Bits that it takes less than as a dense matrix.
    """

    number: int
    sparse: SparseConnection
    words: int
    saved: int


def stored(network: Network, pinned: Mapping[str, Any]) -> Network:
    """The network with its connections as a fabric stores them; the results are the same.

    Of the matrices that take fewer bits sparse, those are that save most, as long as the fabric has
    sparse words. Synapses that only a dense matrix has count in synaptic operations, as they take
    clocks.

    Parameters
    ----------
    pinned
        Fields of the fabric that are not left to choice.
    """
    nodes = shapes(network)
    widths = {name: getattr(network, name) for name in ("weight_bits", "state_bits", "sum_bits")}
    config = FabricConfig(**widths | dict(pinned))
    chosen: dict[int, AnyConnection] = {}
    if pinned.get("one_to_one", config.lanes & config.lanes - 1 == 0):
        least = 0 if "one_to_one" in pinned else WORTH
        for number, connection in enumerate(network.connections):
            flat = positions(nodes[connection.source]) == positions(nodes[connection.target]) == 1
            flat &= not _plastic(connection)
            if flat and (single := _one_to_one(network, connection, config, least)):
                chosen[number] = single
    room = config.tiles * config.sparse_words if "sparse_words" in pinned else None
    least = 0 if "sparse_words" in pinned else WORTH
    choices = _choices(network, config, nodes, chosen) if room != 0 else ()
    for choice in sorted(choices, key=lambda choice: -choice.saved):
        if choice.saved > least and (room is None or choice.words <= room):
            chosen[choice.number] = choice.sparse
            room = None if room is None else room - choice.words
    connections = tuple(
        chosen.get(number) or dense(network, connection)
        for number, connection in enumerate(network.connections)
    )
    return dataclasses.replace(network, connections=connections)


def _one_to_one(
    network: Network, connection: AnyConnection, config: FabricConfig, least: int
) -> OneToOne | None:
    """The connection as one to one, if it is or if that takes over `least` bits less."""
    if isinstance(connection, OneToOne):
        return connection
    size = network.size(connection.target)
    if isinstance(connection, Convolution) or network.size(connection.source) != size:
        return None
    sparse = _sparse(network, connection)
    sources = sparse.sources()
    words = (size - 1) * groups_of(size, config.lanes)
    saved = words * config.lanes * config.weight_bits
    if saved <= least or (sources != sparse.targets).any():
        return None
    weights = np.zeros(size, np.int64)
    weights[sources] = sparse.weights
    return OneToOne(
        connection.source, connection.target, weights, connection.delay, connection.high
    )


def _choices(
    network: Network,
    config: FabricConfig,
    nodes: Mapping[str, ImageShape],
    chosen: Collection[int],
) -> Iterator[_Choice]:
    """The other connections that could be sparse: all matrices from what has no positions."""
    images = [nodes[population.name] for population in network.populations]
    groups = sum(groups_of(image[0], config.lanes) * positions(image) for image in images)
    groups = -(-groups // config.tiles)
    entry = dataclasses.replace(config, sparse_words=1).coordinate_row.width
    for number, connection in enumerate(network.connections):
        source, target = nodes[connection.source], nodes[connection.target]
        if isinstance(connection, Convolution) or positions(source) > 1 or number in chosen:
            continue
        if _plastic(connection):
            continue
        sparse = _sparse(network, connection)
        words = SparseSize(sparse, target[0], positions(target), config.lanes).all_words
        sparse_lane = config.weight_bits + index_bits(groups)
        bits = words * config.lanes * sparse_lane + source[0] * entry
        dense_words = min_words(geometry(connection, dict(nodes)), config.lanes)
        saved = dense_words * config.lanes * config.weight_bits - bits
        yield _Choice(number, sparse, words, saved)


def _sparse(
    network: Network, connection: Connection | SparseConnection | OneToOne
) -> SparseConnection:
    """The connection as a sparse matrix; the parts of wide weights keep their zeros together."""
    if isinstance(connection, SparseConnection):
        return connection
    source, target, delay, high = (
        getattr(connection, name) for name in ("source", "target", "delay", "high")
    )
    if isinstance(connection, Connection):
        parts = [
            c.weights != 0
            for c in network.connections
            if isinstance(c, Connection)
            and (c.source, c.target, c.delay) == (source, target, delay)
        ]
        present = np.any(parts, axis=0).astype(np.int64)
        sparse = SparseConnection.from_matrix(source, target, present, delay, high)
        weights = connection.weights[sparse.sources(), sparse.targets]
        return dataclasses.replace(sparse, weights=weights)
    size = len(connection.weights)
    numbers = np.arange(size + 1)
    return SparseConnection(
        source, target, connection.weights, numbers[:size], numbers, delay, high
    )


def _plastic(connection: AnyConnection) -> bool:
    """Whether the connection learns, which only a dense matrix can."""
    return isinstance(connection, Connection) and connection.plasticity is not None


def dense(network: Network, connection: AnyConnection) -> AnyConnection:
    """The connection, as a matrix if it is sparse or one to one."""
    if not isinstance(connection, (SparseConnection, OneToOne)):
        return connection
    return Connection(
        connection.source,
        connection.target,
        connection.dense(network.size(connection.target)),
        connection.delay,
        connection.high,
    )


def storage(
    network: Network, config: FabricConfig
) -> Iterator[tuple[SparseConnection | OneToOne, int, int]]:
    """Each connection that is stored sparse or one to one, its words, and those as a matrix."""
    nodes, lanes = shapes(network), config.lanes
    for connection in network.connections:
        if isinstance(connection, (SparseConnection, OneToOne)):
            target = nodes[connection.target]
            words = groups_of(target[0], lanes)
            if isinstance(connection, SparseConnection):
                words = SparseSize(connection, target[0], positions(target), lanes).all_words
            yield connection, words, min_words(geometry(connection, nodes), lanes)
