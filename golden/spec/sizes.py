"""Sizes and options that a fabric is built with, their ranges, and the sizes that follow."""

import dataclasses
from dataclasses import dataclass

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec.numbers import SPIKES_PER_STEP, TREE_FAN_IN, WEIGHT_BITS, Port
from spikeloom.golden.spec.words import count_bits, index_bits


@dataclass(frozen=True)
class Sizes:
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
    coordinates
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
