"""Constants and enumerations: neuron arithmetic, packets, load and read targets, router ports."""

import enum

DECAY_BITS = 12
"""A decay is given in units of 1/4096."""
DECAY_ONE = 1 << DECAY_BITS
"""The decay that forgets everything."""
RETAIN_BITS = DECAY_BITS + 1
"""Width of the factor 4096 - k, which runs from 0 to 4096."""

WEIGHT_BITS = (2, 4, 8)


class Reset(enum.IntEnum):
    """What a membrane potential becomes after a spike."""

    VALUE = 0
    """It becomes `v_reset`."""
    SUBTRACT = 1
    """The threshold, or another number in its place, is subtracted, saturating."""
    NONE = 2
    """It is left as it is."""


class PacketKind(enum.IntEnum):
    """What a packet to the host says."""

    SPIKE = 0
    """Neuron `index` of table entry `population` spiked in the running step."""
    STATE = 1
    """Its membrane potential after the last step of the sample is `value`."""
    STEP = 2
    """The running step is complete; every packet of it came before."""


class LoadTarget(enum.IntEnum):
    """The memories that the load port writes."""

    WEIGHT = 0
    BIAS = 1
    POPULATION = 2
    CONNECTION = 3
    TARGET = 4
    CONTROL = 5
    ROUTE = 6
    COORDINATE = 7


class ReadTarget(enum.IntEnum):
    """The memories that the read port reads; what is loaded has the number of its `LoadTarget`."""

    WEIGHT = LoadTarget.WEIGHT
    BIAS = LoadTarget.BIAS
    POPULATION = LoadTarget.POPULATION
    CONNECTION = LoadTarget.CONNECTION
    TARGET = LoadTarget.TARGET
    ROUTE = LoadTarget.ROUTE
    COORDINATE = LoadTarget.COORDINATE
    SUM = 8
    """Accumulators."""
    STATE = 9
    """Membrane potentials."""
    CURRENT = 10
    """Synaptic currents."""


class Port(enum.IntEnum):
    """The ports of a router, in the order of its arbitration. Tiles are numbered row by row."""

    EAST = 0
    """To tile + 1."""
    WEST = 1
    """To tile - 1; at tile 0 it is where the host's events come in."""
    NORTH = 2
    """To tile - columns."""
    SOUTH = 3
    """To tile + columns."""
    LOCAL = 4
    """The router's own tile."""


FACING = {
    Port.EAST: Port.WEST,
    Port.WEST: Port.EAST,
    Port.NORTH: Port.SOUTH,
    Port.SOUTH: Port.NORTH,
}
"""The input of the neighbour that an output leads to."""

TURNS = {
    Port.EAST: (Port.WEST, Port.NORTH, Port.SOUTH, Port.LOCAL),
    Port.WEST: (Port.EAST, Port.NORTH, Port.SOUTH, Port.LOCAL),
    Port.NORTH: (Port.SOUTH, Port.LOCAL),
    Port.SOUTH: (Port.NORTH, Port.LOCAL),
    Port.LOCAL: (Port.EAST, Port.WEST, Port.NORTH, Port.SOUTH, Port.LOCAL),
}
"""Outputs that a packet may leave through, by the port through which it came in: first along the
row, then along the column. Others are not there, so that no table can make a deadlock."""

TILE_COUNTERS = ("synops", "spikes", "stalls", "errors")
"""The counters that each tile has."""

SPIKES_PER_STEP = (1, 3, 7, 15, 31)
"""Most spikes of a neuron in a step that hardware can be built for."""

TREE_FAN_IN = 4
"""Signals that are combined, or copies that are made, between two registers of a tree."""
