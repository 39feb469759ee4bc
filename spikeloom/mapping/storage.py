"""How the weights of each connection are stored: as a dense matrix wherever the fabric has no other
way.
"""

import dataclasses

from spikeloom.golden.network import AnyConnection, Connection, Network
from spikeloom.golden.sparse import OneToOne, SparseConnection


def stored(network: Network) -> Network:
    """The network with its connections as the fabric stores them; the results are the same.

    Synapses that only the dense matrix has count in synaptic operations, as they take clocks.
    """
    connections = tuple(_dense(network, connection) for connection in network.connections)
    return dataclasses.replace(network, connections=connections)


def _dense(network: Network, connection: AnyConnection) -> AnyConnection:
    if not isinstance(connection, (SparseConnection, OneToOne)):
        return connection
    return Connection(
        connection.source,
        connection.target,
        connection.dense(network.size(connection.target)),
        connection.delay,
        connection.high,
    )
