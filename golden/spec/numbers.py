"""Constants and enumerations: neuron arithmetic, packets, load and read targets, router ports."""

import enum

DECAY_BITS = 12
"""Decays are in units of 1/4096."""
DECAY_ONE = 1 << DECAY_BITS
"""The decay that leaves nothing of a state."""
RETAIN_BITS = DECAY_BITS + 1
"""Width of the factor 4096 - k, which runs from 0 to 4096."""

GAIN_BITS = 16
"""Width of a signed gain, in units of 1/4096 as decays are."""

MAX_FRACTION_BITS = 12
"""Maximum shift of a sum: a potential's unit is at most 2**12 times finer than a weight's."""

REPEAT_BITS = 8
"""Width of the number of further steps in which a set of rows of the population table holds."""
MAX_REPEAT = (1 << REPEAT_BITS) - 1

WEIGHT_BITS = (2, 4, 8)


RANDOM_BITS = 32
"""Width of a random number."""
NUMBER_BITS = 16
"""Width of a neuron's number in its population, by which its random numbers are keyed."""
NOISE_ROWS = 256
"""Rows of a table of noise; the low bits of a random number choose one."""


AGE_BITS = 6
"""Width of an age, in steps since a spike."""
MAX_AGE = (1 << AGE_BITS) - 1
"""The age of what has not spiked in the sample, or so long ago."""
TRACE_BITS = 8
"""Width of a trace of spikes."""
FACTOR_BITS = 9
"""Width of a signed factor of a learning rule's term."""
AXON_SHIFT_BITS = 4
"""Width of the shifts by which the axons of a plastic convolution are numbered."""

RULE_NUMBER_BITS = 5
"""Width of a plastic connection's number, by which its random numbers are keyed."""
RULE_SHIFTS = (0, 4, 8, 12)
"""What a rule's sum can be divided by: 2 to the power of these."""


class Reset(enum.IntEnum):
    """What a spike does to the membrane potential."""

    VALUE = 0
    """It becomes `v_reset`."""
    SUBTRACT = 1
    """The threshold, or another subtrahend, is subtracted, with saturation."""
    NONE = 2
    """It is unchanged."""
    RESTORE = 3
    """As SUBTRACT, but in the next step, before the neuron compares again; with no spike in that
    step what was subtracted is added back."""


class PacketKind(enum.IntEnum):
    """Kinds of packets to the host."""

    SPIKE = 0
    """Neuron `index` of population `population` spiked in the current step."""
    STATE = 1
    """That neuron's membrane potential after the current step is `value`."""
    STEP = 2
    """The current step is complete; all its packets came before."""
    CURRENT = 3
    """That neuron's synaptic current is `value`; its STATE packet follows."""


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
    NOISE = 8
    RANDOM = 9
    RULE = 10
    TERM = 11
    CURVE = 12
    LEARN = 13


class ReadTarget(enum.IntEnum):
    """The memories that the read port reads; loaded ones have the number of their `LoadTarget`."""

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
    """To tile - 1; at tile 0 the input for the host's events."""
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
"""For each output, the input of the neighbour that it is connected to."""

TURNS = {
    Port.EAST: (Port.WEST, Port.NORTH, Port.SOUTH, Port.LOCAL),
    Port.WEST: (Port.EAST, Port.NORTH, Port.SOUTH, Port.LOCAL),
    Port.NORTH: (Port.SOUTH, Port.LOCAL),
    Port.SOUTH: (Port.NORTH, Port.LOCAL),
    Port.LOCAL: (Port.EAST, Port.WEST, Port.NORTH, Port.SOUTH, Port.LOCAL),
}
"""For each input, the outputs that its packets may take: first along the row, then the column.
Other turns do not exist in hardware, so no route table can cause a deadlock."""

TILE_COUNTERS = ("synops", "spikes", "stalls", "errors")
"""The counters of each tile, in order."""

SPIKES_PER_STEP = (1, 3, 7, 15, 31)
"""The maximum spikes per step that hardware can be built for."""

TREE_FAN_IN = 4
"""Inputs combined, or copies driven, between two registers of a tree."""
