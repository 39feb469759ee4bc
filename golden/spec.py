"""Every size, width and bit layout of the hardware, derived in one place from `FabricConfig`.

Golden model and RTL both read this module and share nothing else: it holds widths and field
orders, never arithmetic of a run.
"""

import dataclasses
import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass

from spikeloom.golden.errors import SpikeloomError

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


def index_bits(count: int) -> int:
    """Width of an index 0..count-1; at least 1, so that every field exists."""
    return max(1, (count - 1).bit_length())


def count_bits(limit: int) -> int:
    """Width of a count 0..limit; at least 1."""
    return max(1, limit.bit_length())


@dataclass(frozen=True)
class Field:
    """One field of a packed word."""

    name: str
    width: int
    signed: bool = False


@dataclass(frozen=True)
class Layout:
    """Fields of a packed word, the first one in the least significant bits."""

    fields: tuple[Field, ...]

    @property
    def width(self) -> int:
        """Bits of the whole word."""
        return sum(field.width for field in self.fields)

    def pack(self, values: Mapping[str, int]) -> int:
        """The word that holds `values`; a field not named is 0.

        Raises `ValueError` where a name is unknown or a value does not fit its field.
        """
        unknown = set(values) - {field.name for field in self.fields}
        if unknown:
            raise ValueError(f"no such field: {', '.join(sorted(unknown))}")
        word = shift = 0
        for field in self.fields:
            value = int(values.get(field.name, 0))
            low = -(1 << (field.width - 1)) if field.signed else 0
            high = (1 << (field.width - field.signed)) - 1
            if not low <= value <= high:
                raise ValueError(f"{field.name} must be {low}..{high}, not {value}")
            word |= (value & ((1 << field.width) - 1)) << shift
            shift += field.width
        return word

    def unpack(self, word: int) -> dict[str, int]:
        """The values of all fields of `word`."""
        values = {}
        for field in self.fields:
            value = word & ((1 << field.width) - 1)
            if field.signed and value >> (field.width - 1):
                value -= 1 << field.width
            values[field.name] = value
            word >>= field.width
        return values


def layout(*fields: tuple[str, int] | tuple[str, int, bool]) -> Layout:
    """A `Layout` from (name, width) or (name, width, signed) tuples.

    >>> bin(layout(("low", 3), ("high", 2, True)).pack({"low": 5, "high": -1}))
    '0b11101'
    """
    return Layout(tuple(Field(*field) for field in fields))


@dataclass(frozen=True)
class FabricConfig:
    """Sizes of a fabric; they are fixed when the hardware is built.

    Parameters
    ----------
    columns, rows
        Tiles of the mesh, 1..8 each. The sizes below are those of one tile.
    lanes
        Synapses accumulated per clock, 1..16; also the neurons of one group.
    weight_bits
        Width of a signed weight: 2, 4 or 8.
    state_bits
        Width of a signed membrane potential, 8..24.
    sum_bits
        Width of a signed accumulator and of a bias, 8..32. A network whose sums could leave it
        is refused when it is compiled.
    neurons
        Neurons of a tile, 1..65536.
    weight_words
        Words of `lanes` weights in a tile, 1..2**24.
    slots
        Accumulators per neuron, 1..16: longest delay + 1, or steps that input may run ahead + 1.
    axons
        Most sources (inputs or neurons) that one connection can have, 1..65536.
    populations, connections, targets
        Rows of the population table, of the table of incoming connections and of the table of
        fan-out entries, 1..256, 1..1024, 1..1024.
    queue
        Spikes that can wait to be sent, `lanes`..1024. Below about `lanes` + `fire_clocks` + 3
        fire waits for room between groups even when nothing spikes.
    counter_bits
        Width of the counters, 16..64; they wrap.
    routes
        Rows of the table in each router, 1..1024; not used by a single tile.
    buffer
        Packets that wait at each input of a router, 3..16; not used by a single tile.
    extent
        Most rows or columns of an image, 1..256. With 1 there are no images, so no convolutions:
        an axon or neuron has an index, and no place (y, x).
    axes
        Rows of the coordinate table, 1..4096; not used where `extent` is 1.
    synaptic_current
        Neurons can have a synaptic current.
    weight_pairs
        A weight can count 2**`weight_bits`, so that two make one of twice the width.
    delayed_reset
        A spike can reset its neuron in the next step.
    lower_clamp
        A membrane potential can have a least value.
    max_spikes
        Most spikes of a neuron in a step: 1, 3, 7, 15 or 31.
    readable
        The memories of a fabric at rest can be read.
    multipliers
        The part has multipliers for the decay. Without them it is made of logic, and takes a clock
        more.
    """

    columns: int = 1
    rows: int = 1
    lanes: int = 8
    weight_bits: int = 8
    state_bits: int = 16
    sum_bits: int = 16
    neurons: int = 256
    weight_words: int = 16384
    slots: int = 4
    axons: int = 1024
    populations: int = 16
    connections: int = 32
    targets: int = 64
    queue: int = 32
    counter_bits: int = 32
    routes: int = 64
    buffer: int = 4
    extent: int = 1
    coordinates: int = 256
    synaptic_current: bool = False
    weight_pairs: bool = False
    delayed_reset: bool = False
    lower_clamp: bool = False
    max_spikes: int = 1
    readable: bool = False
    multipliers: bool = True

    def __post_init__(self) -> None:
        ranges = {
            "columns": (1, 8),
            "rows": (1, 8),
            "lanes": (1, 16),
            "state_bits": (8, 24),
            "sum_bits": (8, 32),
            "neurons": (1, 1 << 16),
            "weight_words": (1, 1 << 24),
            "slots": (1, 16),
            "axons": (1, 1 << 16),
            "populations": (1, 256),
            "connections": (1, 1024),
            "targets": (1, 1024),
            "queue": (1, 1024),
            "counter_bits": (16, 64),
            "routes": (1, 1024),
            "buffer": (3, 16),
            "extent": (1, 256),
            "coordinates": (1, 4096),
        }
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, bool):
                if not isinstance(value, bool):
                    raise SpikeloomError(
                        f"FabricConfig.{field.name} must be True or False, not {value!r}"
                    )
            elif isinstance(value, bool) or not isinstance(value, int):
                raise SpikeloomError(f"FabricConfig.{field.name} must be an integer, not {value!r}")
        if self.max_spikes not in SPIKES_PER_STEP:
            raise SpikeloomError(
                f"FabricConfig.max_spikes must be 1, 3, 7, 15 or 31, not {self.max_spikes}"
            )
        if self.weight_pairs and self.sum_bits < 2 * self.weight_bits:
            raise SpikeloomError(
                f"FabricConfig.sum_bits must be at least {2 * self.weight_bits} with weight_pairs, "
                f"not {self.sum_bits}"
            )
        if self.weight_bits not in WEIGHT_BITS:
            raise SpikeloomError(
                f"FabricConfig.weight_bits must be 2, 4 or 8, not {self.weight_bits}"
            )
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise SpikeloomError(f"FabricConfig.{name} must be {low}..{high}, not {value}")
        if self.queue < self.lanes:
            raise SpikeloomError(
                f"FabricConfig.queue must be at least lanes ({self.lanes}), not {self.queue}"
            )

    # Sizes that follow.

    @property
    def tiles(self) -> int:
        """Tiles of the mesh; tile t is in column t mod `columns`, row t div `columns`."""
        return self.columns * self.rows

    @property
    def tree_depth(self) -> int:
        """Registers between the sequencer and every tile, each way; 0 for a single tile."""
        depth = 0
        while TREE_FAN_IN**depth < self.tiles:
            depth += 1
        return depth

    def neighbour(self, tile: int, port: Port) -> int | None:
        """The tile that `port` of `tile`'s router leads to; None at an edge, and for LOCAL."""
        row, column = divmod(tile, self.columns)
        match port:
            case Port.EAST:
                return tile + 1 if column + 1 < self.columns else None
            case Port.WEST:
                return tile - 1 if column > 0 else None
            case Port.NORTH:
                return tile - self.columns if row > 0 else None
            case Port.SOUTH:
                return tile + self.columns if row + 1 < self.rows else None
            case Port.LOCAL:
                return None

    def sources(self, tile: int, port: Port) -> int:
        """How many tiles send packets that come through `port` into the router of `tile`.

        At tile 0, WEST has one source: the host. At other edges a port has none.
        """
        row, column = divmod(tile, self.columns)
        match port:
            case Port.EAST:
                return self.columns - 1 - column
            case Port.WEST:
                return column if tile else 1
            case Port.NORTH:
                return row * self.columns
            case Port.SOUTH:
                return (self.rows - 1 - row) * self.columns
            case Port.LOCAL:
                return 1

    @property
    def groups(self) -> int:
        """Groups of `lanes` neurons in a tile."""
        return -(-self.neurons // self.lanes)

    @property
    def sum_words(self) -> int:
        """Rows of `lanes` accumulators: `slots` of them for each group."""
        return self.groups * self.slots

    @property
    def index_width(self) -> int:
        """Width of an axon or neuron index in a packet."""
        return index_bits(max(self.axons, self.neurons))

    @property
    def images(self) -> bool:
        """Whether axons and neurons have a place (y, x) in an image, besides an index."""
        return self.extent > 1

    @property
    def position(self) -> tuple[tuple[str, int], ...]:
        """The fields of a place in an image; none without images."""
        width = index_bits(self.extent)
        return (("y", width), ("x", width)) if self.images else ()

    @property
    def spike_clocks(self) -> int:
        """Clocks in which the spikes of a neuron are counted, one for each bit of the count."""
        return count_bits(self.max_spikes)

    @property
    def product_clocks(self) -> int:
        """Clocks that a product takes in fire's pipeline."""
        return 1 if self.multipliers else 2

    @property
    def fire_clocks(self) -> int:
        """Clocks from a neuron entering fire's pipeline to the write of its state."""
        options = 2 * self.synaptic_current + self.lower_clamp + self.spike_clocks
        return 4 + self.product_clocks + options

    @property
    def read_clocks(self) -> int:
        """Clocks from a word at the read port to its byte: to the tile, in it, and back."""
        return 2 * self.tree_depth + 3

    @property
    def population_width(self) -> int:
        """Width of a population's number: each tile may hold `populations` others."""
        return index_bits(self.populations * self.tiles)

    @property
    def slot_width(self) -> int:
        """Width of a slot number, a delay, or a (saturated) number of steps ahead."""
        return index_bits(self.slots)

    # Layouts of table rows.

    @property
    def weight_row(self) -> Layout:
        """One word of the weight memory: a weight per lane."""
        return layout(*((f"lane{n}", self.weight_bits, True) for n in range(self.lanes)))

    @property
    def bias_row(self) -> Layout:
        """One word of the bias memory: what is added in every step.

        `bias` goes to the input of a neuron; `leak`, which is there with `synaptic_current`, to its
        membrane potential.
        """
        leak = [("leak", self.state_bits, True)] if self.synaptic_current else []
        return layout(("bias", self.sum_bits, True), *leak)

    @property
    def population_row(self) -> Layout:
        """One row of the population table; rows are in firing order.

        A row holds neurons `index_base` and following of population `number`; `neurons` may be 0.
        `neuron_base` is the first row in state and bias memory; `sum_base` the accumulator row of
        the first group at slot 0. `retain` is 4096 - k. `spiking` neurons
        compare with `threshold` (`inclusive`: >= instead of >); a population with `readout` sends
        its membrane potentials after the last step of a sample. A spike is sent along
        `fan_out` entries of the target table from row `target_base`. `more`: the next row fires in
        the same phase. `v_reset` is what the potential becomes, or what is subtracted from it.

        With images a row holds the neurons of `channels` channels, `index_base` and following, at
        each place of an image of `height` x `width`: channels in groups of `lanes`, and in each
        group the places row by row. Biases begin at `bias_base`; with `shared` a channel has one.

        `synaptic`: there is a synaptic current, which keeps `retain_synaptic` / 4096. `delayed`: a
        spike resets in the next step. `v_min`: least potential. `max_spikes`: as in the
        configuration, at most that.
        """
        images = [
            ("height", count_bits(self.extent)),
            ("width", count_bits(self.extent)),
            ("channels", count_bits(self.neurons)),
            ("bias_base", index_bits(self.neurons)),
            ("shared", 1),
        ]
        synaptic = [("synaptic", 1), ("retain_synaptic", RETAIN_BITS)]
        return layout(
            *(images if self.images else []),
            *(synaptic if self.synaptic_current else []),
            *([("delayed", 1)] if self.delayed_reset else []),
            *([("v_min", self.state_bits, True)] if self.lower_clamp else []),
            *([("max_spikes", self.spike_clocks)] if self.max_spikes > 1 else []),
            ("number", self.population_width),
            ("index_base", self.index_width),
            ("neurons", count_bits(self.neurons)),
            ("neuron_base", index_bits(self.neurons)),
            ("sum_base", index_bits(self.sum_words)),
            ("retain", RETAIN_BITS),
            ("threshold", self.state_bits, True),
            ("v_reset", self.state_bits, True),
            ("v_init", self.state_bits, True),
            ("reset", 2),
            ("inclusive", 1),
            ("spiking", 1),
            ("readout", 1),
            ("target_base", index_bits(self.targets)),
            ("fan_out", count_bits(self.targets)),
            ("more", 1),
        )

    @property
    def connection_row(self) -> Layout:
        """One row of the table of incoming connections.

        A dense matrix: source `index` adds weight words `weight_base + index + g * sources` to
        accumulator rows `sum_base + slot + g * slots`, for g in 0..`groups`-1: a segment.
        `synapses` real synapses lie in those groups. A row with `sources` 0 is unused.

        With images, `image` marks a convolution: a segment for each pair of a kernel row and a
        kernel column that the source's position meets, as given by rows of the coordinate table:
        `row_coordinates + y` and `column_coordinates + x`, for a position in `height` x `width`,
        and, where the convolution is `grouped`, `channel_coordinates + index`. `stride` and
        `sum_stride` lead from one group of a segment to the next. The next kernel
        column is `column_weights` words further on and `column_sums` rows back; the next kernel
        row likewise.

        `high`: its weights count 2**`weight_bits`.
        """
        weights = ("weight_base", index_bits(self.weight_words))
        sums = ("sum_base", index_bits(self.sum_words))
        axis = index_bits(self.coordinates)
        images = [
            ("image", 1),
            ("grouped", 1),
            ("height", count_bits(self.extent)),
            ("width", count_bits(self.extent)),
            ("row_coordinates", axis),
            ("column_coordinates", axis),
            ("channel_coordinates", axis),
            ("stride", weights[1]),
            ("sum_stride", sums[1]),
            ("row_weights", weights[1]),
            ("column_weights", weights[1]),
            ("row_sums", sums[1]),
            ("column_sums", sums[1]),
        ]
        return layout(
            *(images if self.images else []),
            *([("high", 1)] if self.weight_pairs else []),
            weights,
            ("sources", count_bits(self.axons)),
            sums,
            ("groups", count_bits(self.groups)),
            ("synapses", count_bits(self.neurons)),
        )

    @property
    def coordinate_row(self) -> Layout:
        """One row of the coordinate table: where a coordinate leads.

        `weight` words and `sum` accumulator rows are added to the bases of the connection. `count`
        is that of kernel rows or columns met, or, of a channel, that of groups in a segment, in
        which `synapses` real synapses lie. With a count of 0 the event leads nowhere.
        """
        return layout(
            ("weight", index_bits(self.weight_words)),
            ("sum", index_bits(self.sum_words)),
            ("count", count_bits(max(self.extent, self.groups))),
            ("synapses", count_bits(self.neurons)),
        )

    @property
    def target_row(self) -> Layout:
        """One fan-out entry: to the host, or along `route` to `connection` with `delay`."""
        return layout(
            ("host", 1),
            ("route", index_bits(self.routes)),
            ("connection", index_bits(self.connections)),
            ("delay", self.slot_width),
        )

    @property
    def route_row(self) -> Layout:
        """One row of a router's table: the ports through which packets of this route leave."""
        return layout(*((port.name.lower(), 1) for port in Port))

    @property
    def control_row(self) -> Layout:
        """The control register: phases of a step - 1, and steps that input may run ahead."""
        return layout(("last_phase", index_bits(self.populations)), ("window", self.slot_width))

    # Layouts of stream payloads.

    @property
    def host_in(self) -> Layout:
        """From the host: an input event, or (`step`) the end of a step's input.

        An event is for axon `index` (at place `y`, `x`) of `connection`, along `route` from tile 0,
        due `ahead` steps after the step being filled. At the end of a step, `first` says that the
        step opens a sample (every state reads as its initial value) and `ahead` how many steps of
        the sample follow, saturated to the field.
        """
        return layout(
            ("step", 1),
            ("first", 1),
            ("ahead", self.slot_width),
            ("route", index_bits(self.routes)),
            ("connection", index_bits(self.connections)),
            ("index", self.index_width),
            *self.position,
        )

    @property
    def host_out(self) -> Layout:
        """To the host: a `PacketKind` and its fields; those a kind does not use are 0."""
        return layout(
            ("kind", 2),
            ("population", self.population_width),
            ("index", self.index_width),
            *self.position,
            ("value", self.state_bits, True),
        )

    @property
    def event(self) -> Layout:
        """A packet: axon `index` of `connection`, due in `slot`, for every tile of `route`."""
        return layout(
            ("route", index_bits(self.routes)),
            ("connection", index_bits(self.connections)),
            ("index", self.index_width),
            *self.position,
            ("slot", self.slot_width),
        )

    @property
    def fire(self) -> Layout:
        """From the sequencer to a tile: fire the next phase.

        `restart`: it is the first phase of a step. `first`, `ahead`: as in `host_in`.
        """
        return layout(
            ("restart", 1), ("first", 1), ("ahead", self.slot_width), ("slot", self.slot_width)
        )

    @property
    def spike(self) -> Layout:
        """From fire to emit: a neuron that spiked, or whose state is to be read out, or both.

        `spiked`: how often.
        """
        return layout(
            ("population", self.population_width),
            ("index", self.index_width),
            *self.position,
            ("spiked", self.spike_clocks),
            ("target_base", index_bits(self.targets)),
            ("fan_out", count_bits(self.targets)),
            ("readout", 1),
            ("value", self.state_bits, True),
        )

    @property
    def load(self) -> Layout:
        """To the load port: write `data` to row `address` of a `LoadTarget` of `tile`."""
        data = max(memory.width for memory in self.memories.values())
        depth = max(
            self.weight_words,
            self.neurons,
            self.populations,
            self.connections,
            self.targets,
            self.routes,
            self.coordinates if self.images else 1,
        )
        return layout(
            ("tile", index_bits(self.tiles)),
            ("target", 3),
            ("address", index_bits(depth)),
            ("data", data),
        )

    @property
    def memories(self) -> dict[LoadTarget, Layout]:
        """Row layout of every memory that the load port writes."""
        axis = {LoadTarget.COORDINATE: self.coordinate_row} if self.images else {}
        return {
            **axis,
            LoadTarget.WEIGHT: self.weight_row,
            LoadTarget.BIAS: self.bias_row,
            LoadTarget.POPULATION: self.population_row,
            LoadTarget.CONNECTION: self.connection_row,
            LoadTarget.TARGET: self.target_row,
            LoadTarget.CONTROL: self.control_row,
            LoadTarget.ROUTE: self.route_row,
        }

    @property
    def sum_row(self) -> Layout:
        """One word of the accumulator memory: a sum per lane."""
        return layout(*((f"lane{n}", self.sum_bits, True) for n in range(self.lanes)))

    @property
    def state_row(self) -> Layout:
        """One row of the memory of membrane potentials, and of that of synaptic currents."""
        return layout(("value", self.state_bits, True))

    @property
    def route_copies(self) -> Layout:
        """One row of the tables of a router as they are read: a byte for each port.

        It is the row of the table at that input, 0 where there is no input.
        """
        return layout(*((port.name.lower(), 8) for port in Port))

    @property
    def readable_memories(self) -> dict[ReadTarget, tuple[Layout, int]]:
        """Row layout and number of rows of every memory of a tile that the read port reads."""
        memories = {
            ReadTarget.WEIGHT: (self.weight_row, self.weight_words),
            ReadTarget.BIAS: (self.bias_row, self.neurons),
            ReadTarget.POPULATION: (self.population_row, self.populations),
            ReadTarget.CONNECTION: (self.connection_row, self.connections),
            ReadTarget.TARGET: (self.target_row, self.targets),
            ReadTarget.SUM: (self.sum_row, self.sum_words),
            ReadTarget.STATE: (self.state_row, self.neurons),
        }
        if self.tiles > 1:
            memories[ReadTarget.ROUTE] = self.route_copies, self.routes
        if self.images:
            memories[ReadTarget.COORDINATE] = self.coordinate_row, self.coordinates
        if self.synaptic_current:
            memories[ReadTarget.CURRENT] = self.state_row, self.neurons
        return memories

    @property
    def read(self) -> Layout:
        """To the read port: byte `byte`, 0 the lowest, of row `address` of a `ReadTarget`."""
        width = max(row.width for row, _ in self.readable_memories.values())
        depth = max(rows for _, rows in self.readable_memories.values())
        return layout(
            ("tile", index_bits(self.tiles)),
            ("target", 4),
            ("address", index_bits(depth)),
            ("byte", index_bits(-(-width // 8))),
        )

    @property
    def counters(self) -> Layout:
        """The counters; they start at 0 on reset and wrap.

        `cycles`: clocks since reset. Then for each tile t, under the name `<counter>.<t>`:
        `synops`: real synapses (no padding) of the segments begun. `spikes`: spikes of neurons.
        `stalls`: clocks in which a group of synapses was ready and had to wait for a group being
        fired. `errors`: events dropped because they name an unused connection or an axon it does
        not have, and packets that no port of the router may take.
        """
        names = [f"{name}.{tile}" for tile in range(self.tiles) for name in TILE_COUNTERS]
        return layout(*((name, self.counter_bits) for name in ("cycles", *names)))

    def links(self, tile: int) -> tuple[Port, ...]:
        """The ports of `tile`'s router through which packets come from another router or the host.

        A single tile has no router.
        """
        if self.tiles == 1:
            return ()
        sides = (Port.EAST, Port.WEST, Port.NORTH, Port.SOUTH)
        return tuple(
            port
            for port in sides
            if self.neighbour(tile, port) is not None or (tile, port) == (0, Port.WEST)
        )

    @property
    def probe(self) -> Layout:
        """What a cycle-by-cycle bench sees of a fabric in one clock.

        For every stream its `valid`, `ready` and `payload`, for every memory `write`, `address`
        and `data`; payload, address and data read as 0 in a clock without valid or write. What
        belongs to tile t has the prefix `t.`. The counters are their values during the clock.
        """
        fields: list[tuple[str, int]] = []

        def stream(name: str, payload: Layout) -> None:
            fields.append((f"{name}.valid", 1))
            fields.append((f"{name}.ready", 1))
            fields.append((f"{name}.payload", payload.width))

        def event(name: str, valid: str, **parts: int) -> None:
            fields.append((f"{name}.{valid}", 1))
            fields.extend((f"{name}.{part}", width) for part, width in parts.items())

        stream("host_in", self.host_in)
        stream("host_out", self.host_out)
        event("fire", "valid", payload=self.fire.width)
        for tile in range(self.tiles):
            for port in self.links(tile):
                stream(f"{tile}.{port.name.lower()}", self.event)
            stream(f"{tile}.event", self.event)
            stream(f"{tile}.emit_event", self.event)
            stream(f"{tile}.emit_host", self.host_out)
            event(f"{tile}.spike", "valid", payload=self.spike.width)
            event(f"{tile}.fetch", "valid", address=index_bits(self.sum_words))
            event(
                f"{tile}.sum",
                "write",
                address=index_bits(self.sum_words),
                data=self.sum_row.width,
            )
            event(f"{tile}.state", "write", address=index_bits(self.neurons), data=self.state_bits)
            if self.synaptic_current:
                event(
                    f"{tile}.current",
                    "write",
                    address=index_bits(self.neurons),
                    data=self.state_bits,
                )
        fields += [(f"counters.{field.name}", field.width) for field in self.counters.fields]
        return layout(*fields)

    # JSON.

    def to_json(self) -> str:
        """The configuration as a JSON object, keys in declaration order."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "FabricConfig":
        """The inverse of `to_json`; raises `SpikeloomError` on anything else."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise SpikeloomError(f"FabricConfig: not JSON ({error})") from None
        names = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(values, dict) or set(values) != names:
            raise SpikeloomError(f"FabricConfig: expected exactly the keys {sorted(names)}")
        return cls(**values)
