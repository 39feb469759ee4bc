"""Integer networks with wider weights than the hardware has: connections split into halves.

A weight w becomes low + 2**bits * high with signed halves of `bits` bits. Of 16 bits, the weights
32,640..32,767 need 128 in the upper half; the connection that holds one gets a third part, whose
weights are 1 there and 0 elsewhere.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers, signed_range
from spikeloom.golden.network import AnyConnection, Network
from spikeloom.quantise.integers import bits_of, narrowest_sum_bits
from spikeloom.quantise.ranges import MAX_SUM_BITS


def with_widths(network: Network, weight_bits: int, sum_bits: int | None = None) -> Network:
    """The same network for hardware of these widths, with connections split where weights need it.

    Parameters
    ----------
    weight_bits
        2, 4 or 8.
    sum_bits
        8..32; None for the narrowest that cannot overflow.

    Raises
    ------
    SpikeloomError
        A weight has more than twice the bits, a sum could overflow, or the network has upper halves
        of weights of another width.
    """
    if network.weight_bits != weight_bits:
        network = _with_weight_bits(network, weight_bits)
    return dataclasses.replace(network, sum_bits=sum_bits or narrowest_sum_bits(network))


def _with_weight_bits(network: Network, bits: int) -> Network:
    if any(connection.high for connection in network.connections):
        raise SpikeloomError(
            f"weight_bits: the network has upper halves of {network.weight_bits}-bit weights, and "
            f"the fabric has {bits} bits; use a fabric with weight_bits={network.weight_bits}"
        )
    low, high = signed_range(bits)
    for connection in network.plastic:
        lowest, highest = connection.plasticity.bounds if connection.plasticity else (0, 0)
        if lowest < low or highest > high:
            raise SpikeloomError(
                f"connection {connection.source!r} -> {connection.target!r}: plasticity: weights "
                f"in {lowest}..{highest} take more than {bits} bits, and pairs cannot learn; use "
                "narrower bounds, or a fabric with wider weights"
            )
    needed = max((_width(connection.weights) for connection in network.connections), default=1)
    if needed > 2 * bits:
        raise SpikeloomError(
            f"weight_bits: the network has weights of {needed} bits, and pairs of {bits} bits "
            f"hold {2 * bits}; use a fabric with wider weights"
        )
    parts = tuple(part for c in network.connections for part in _split(c, bits))
    # Halves of opposite signs can sum to more than their weights.
    return dataclasses.replace(network, connections=parts, weight_bits=bits, sum_bits=MAX_SUM_BITS)


def _width(weights: Integers) -> int:
    return max(bits_of(int(weights.min(initial=0))), bits_of(int(weights.max(initial=0))))


def _split(connection: AnyConnection, bits: int) -> Iterator[AnyConnection]:
    """The connection, or its halves, of which some may need a third part."""
    if _width(connection.weights) <= bits:
        yield connection
        return
    half = 1 << (bits - 1)
    low = (connection.weights + half) % (2 * half) - half
    high = (connection.weights - low) >> bits
    fitting = np.minimum(high, signed_range(bits)[1])
    yield dataclasses.replace(connection, weights=low)
    yield dataclasses.replace(connection, weights=fitting, high=True)
    if (high != fitting).any():
        yield dataclasses.replace(connection, weights=high - fitting, high=True)
