"""Where the weights of a connection lie in the memories of the tiles, and images with others."""

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import AnyConnection, Network
from spikeloom.golden.sparse import OneToOne, SparseConnection
from spikeloom.golden.spec import FabricConfig, index_bits
from spikeloom.mapping.geometry import geometry, positions, shapes
from spikeloom.mapping.incoming import lane_words, packed_words, stored_weights
from spikeloom.mapping.plan import Plan
from spikeloom.mapping.sparse import pack_words


@dataclass(frozen=True)
class Place:
    """Consecutive words of a tile's weight memory.

    Parameters
    ----------
    tile, address
        The tile, and the address of the first word.
    synapses
        Shape (words, lanes): which element of the connection's flattened weights a lane holds,
        counted from 1; 0 where it holds none.
    """

    tile: int
    address: int
    synapses: Integers


def places(network: Network, plan: Plan, number: int) -> Iterator[Place]:
    """Where the weights of connection `number` lie; each weight lies in one place."""
    connection, config = network.connections[number], plan.image.config
    nodes = shapes(network)
    count = np.arange(1, 1 + connection.weights.size).reshape(connection.weights.shape)
    counted = dataclasses.replace(connection, weights=count)
    for part in plan.parts:
        if part.population == connection.target:
            row = plan.image.tiles[part.tile].connections[number]
            address = config.connection_row.unpack(row)["weight_base"]
            if isinstance(counted, SparseConnection):
                joint = positions(nodes[connection.target])
                packed = pack_words(counted, joint, part.start, part.size, config.lanes)
                yield Place(part.tile, address, packed.weights)
            elif isinstance(counted, OneToOne):
                words = 1 << index_bits(config.weight_words)
                first = (address + part.start // config.lanes) % words
                yield Place(part.tile, first, lane_words(count, part, config.lanes))
            else:
                joined = geometry(counted, nodes)
                synapses = stored_weights(counted, joined, part, config.lanes)
                yield Place(part.tile, address, synapses)


def filled(connection: AnyConnection, contents: Collection[tuple[Place, Integers]]) -> Integers:
    """The weights of a connection whose places hold these values, each (words, lanes)."""
    weights = np.zeros(1 + connection.weights.size, np.int64)
    for place, values in contents:
        weights[place.synapses] = values
    return weights[1:].reshape(connection.weights.shape)


def unpacked_words(words: Sequence[int], config: FabricConfig) -> Integers:
    """The weights in rows of the weight memory, shape (words, lanes)."""
    bits, lanes = config.weight_bits, config.lanes
    size = -(-bits * lanes // 8)
    mask = (1 << bits * lanes) - 1  # beyond are the groups of sparse words
    data = b"".join((word & mask).to_bytes(size, "little") for word in words)
    every = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little").reshape(-1, 8 * size)
    fields = every[:, : bits * lanes].reshape(-1, lanes, bits)
    values: Integers = fields @ (1 << np.arange(bits))
    return values - (values >> (bits - 1) << bits)


def with_weights(network: Network, plan: Plan, new: Network) -> Plan:
    """The plan for `new`, which differs from `network` in weights alone; where they lie is kept.

    Words whose weights are the same are those of the plan.
    """
    changed: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for number, (old, now) in enumerate(zip(network.connections, new.connections, strict=True)):
        if now is old:
            continue
        before, after = _numbered(old.weights), _numbered(now.weights)
        for place in places(network, plan, number):
            differs = (before != after)[place.synapses].any(axis=1)
            rows = np.flatnonzero(differs)
            packed = packed_words(after[place.synapses[rows]], plan.image.config)
            changed[place.tile].update(zip((rows + place.address).tolist(), packed, strict=True))
    tiles = list(plan.image.tiles)
    width = plan.image.config.lanes * plan.image.config.weight_bits
    for tile, words in changed.items():
        weights = list(tiles[tile].weights)
        for address, word in words.items():
            weights[address] = weights[address] >> width << width | word
        tiles[tile] = dataclasses.replace(tiles[tile], weights=tuple(weights))
    image = dataclasses.replace(plan.image, tiles=tuple(tiles))
    return dataclasses.replace(plan, image=image)


def _numbered(weights: Integers) -> Integers:
    """The flattened weights by the numbers of `Place.synapses`."""
    return np.concatenate(([0], weights.reshape(-1)))
