"""Cycle-level golden model of integrate; see `docs/hardware.md`.

`Integrate` is the section of that name, `ImageIntegrate` with what its part Images adds.
"""

from dataclasses import dataclass
from typing import NamedTuple

from spikeloom.golden.cycle.packing import masks, offsets
from spikeloom.golden.spec import FabricConfig, index_bits


class ConnectionRow(NamedTuple):
    """Row of the connection table; fields as in `FabricConfig.connection_row`, 0 if not built."""

    weight_base: int = 0
    sources: int = 0
    sum_base: int = 0
    groups: int = 0
    synapses: int = 0
    high: int = 0
    image: int = 0
    grouped: int = 0
    height: int = 0
    width: int = 0
    row_coordinates: int = 0
    column_coordinates: int = 0
    channel_coordinates: int = 0
    stride: int = 0
    sum_stride: int = 0
    row_weights: int = 0
    column_weights: int = 0
    row_sums: int = 0
    column_sums: int = 0


@dataclass(frozen=True, slots=True)
class CoordinateRow:
    """Row of the coordinate table; fields as in `FabricConfig.coordinate_row`."""

    weight: int = 0
    sum: int = 0
    count: int = 0
    synapses: int = 0


class Integrate:
    """Adds the weights of events to the accumulators.

    A row of sums is one integer, its lanes packed in two's complement as in the memory. All lanes
    are added at once: their lower bits in one addition, which cannot carry from a lane into the
    next because the sign bits are left out; then the sign bit, the sum of two bits and a carry,
    by exclusive or. That wraps in every lane, as the hardware does. Weight rows are kept sign
    extended to lanes of sums, split into (lower bits, sign bits); a second time, if the fabric has
    weight pairs, as they count in a row with `high`.

    `x_more` says that another segment follows the one in X, and `described` that an event in D can
    be taken: both are for images.
    """

    __slots__ = (
        "a_address",
        "a_weights",
        "connection",
        "connections",
        "counter_mask",
        "d_index",
        "d_slot",
        "d_valid",
        "described",
        "dropped",
        "errors",
        "event_masks",
        "event_shifts",
        "high_weights",
        "lower",
        "r_address",
        "r_weights",
        "row_bits",
        "signs",
        "stalls",
        "sums",
        "synops",
        "waiting",
        "weights",
        "x_begins",
        "x_groups",
        "x_more",
        "x_slot",
        "x_stride",
        "x_sum_address",
        "x_sum_stride",
        "x_synapses",
        "x_valid",
        "x_weight_address",
        "x_weights",
    )

    def __init__(self, config: FabricConfig) -> None:
        ones = sum(1 << lane * config.sum_bits for lane in range(config.lanes))
        self.signs = ones << (config.sum_bits - 1)
        self.lower = self.signs - ones
        self.row_bits = config.lanes, config.weight_bits, config.sum_bits
        at = offsets(config.event)
        self.event_shifts = at["connection"], at["index"], at["slot"]
        widths = dict(zip(at, masks(config.event), strict=True))
        self.event_masks = widths["connection"], widths["index"], widths["slot"]
        self.counter_mask = (1 << config.counter_bits) - 1
        self.sums = [0] * config.sum_words
        self.weights = [(0, 0)] * config.weight_words
        self.high_weights = [(0, 0)] * config.weight_words if config.weight_pairs else []
        # Rows beyond the table read as unused, so that no event can leave it.
        unused = ConnectionRow()
        self.connections = [unused] * (1 << index_bits(config.connections))
        self.connection = unused  # the row read last
        self.waiting: int | None = None  # the event in W, packed
        self.d_valid = False
        self.d_index = self.d_slot = 0
        self.described = True
        self.x_valid = self.x_begins = self.x_more = False
        self.x_slot = self.x_weight_address = self.x_sum_address = self.x_stride = self.x_groups = 0
        self.x_sum_stride = config.slots
        self.x_synapses = 0
        self.x_weights = self.weights
        # Stages R and A: accumulator row of the operation issued in the clock before, and in that
        # before it, and the weights to add to it (None: a fetch).
        self.r_address: int | None = None
        self.r_weights: tuple[int, int] | None = None
        self.a_address: int | None = None
        self.a_weights: tuple[int, int] | None = None
        self.dropped = False  # an event in the clock before
        self.synops = self.stalls = self.errors = 0

    def write_weights(self, address: int, word: int) -> None:
        """Write a packed word of weights."""
        _, weight_bits, _ = self.row_bits
        self.weights[address] = self._extended(word, 0)
        if self.high_weights:
            self.high_weights[address] = self._extended(word, weight_bits)

    def _extended(self, word: int, shift: int) -> tuple[int, int]:
        """Packed weights times 2**`shift`, as lanes of sums."""
        lanes, weight_bits, sum_bits = self.row_bits
        sign = 1 << (weight_bits - 1)
        row = 0
        for lane in range(lanes):
            weight = word >> lane * weight_bits & (2 * sign - 1)
            row |= (((weight ^ sign) - sign) << shift & (1 << sum_bits) - 1) << lane * sum_bits
        return row & self.lower, row & self.signs

    def pending(self, slot: int) -> bool:
        """Whether an event for `slot` has groups that are not yet issued."""
        if self.waiting is not None:
            _, _, slot_shift = self.event_shifts
            _, _, slot_mask = self.event_masks
            if self.waiting >> slot_shift & slot_mask == slot:
                return True
        return (self.d_valid and self.d_slot == slot) or (self.x_valid and self.x_slot == slot)

    @property
    def empty(self) -> bool:
        """Whether nothing is in any stage, and nothing left to be counted."""
        return (
            not self.d_valid
            and not self.x_valid
            and self.r_address is None
            and self.a_address is None
            and not self.dropped
        )

    def clock(self, event: int | None, fetching: int, fetch_address: int) -> int:
        """One clock in which `event` (if any) transfers; returns the row `fetched` (if any).

        `event`: packed, as in `FabricConfig.event`; it may only transfer where `waiting` is None.
        """
        if self.dropped:
            self.errors = self.errors + 1 & self.counter_mask
            self.dropped = False

        # Stage A. Every operation reads and writes in one go here, in order: that is what
        # forwarding makes of the memory.
        address = self.a_address
        if address is not None:
            if self.a_weights is None:
                self.sums[address] = 0
            else:
                row = self.sums[address]
                lower, signs = self.a_weights
                self.sums[address] = (row & self.lower) + lower ^ row & self.signs ^ signs

        # Stage R.
        fetched = 0
        address = self.r_address
        if address is not None and self.r_weights is None:
            fetched = self.sums[address]
        self.a_address, self.a_weights = address, self.r_weights

        # Stage X.
        x_free = not self.x_valid
        if fetching:
            self.r_address, self.r_weights = fetch_address, None
            if self.x_valid:
                self.stalls = self.stalls + 1 & self.counter_mask
        elif self.x_valid:
            self.r_address = self.x_sum_address
            self.r_weights = self.x_weights[self.x_weight_address]
            if self.x_begins:
                self.x_begins = False
                self.synops = self.synops + self.x_synapses & self.counter_mask
            if self.x_groups != 1:
                self.x_weight_address += self.x_stride
                self.x_sum_address += self.x_sum_stride
                self.x_groups -= 1
            elif self.x_more:
                self.next_segment()
            else:
                self.x_valid = False
                x_free = True
        else:
            self.r_address = None

        # Stage D, and W before it.
        if self.d_valid and x_free and self.described:
            self.d_valid = False
            self.take()
        if self.d_valid:
            if event is not None:
                self.waiting = event
        elif self.waiting is not None:
            self.describe(self.waiting)
            self.waiting = None
        elif event is not None:
            self.describe(event)
        return fetched

    def describe(self, event: int) -> None:
        """The clock in which `event` goes into D."""
        self.d_valid = True
        connection, index, slot = self.event_shifts
        connection_mask, index_mask, slot_mask = self.event_masks
        self.connection = self.connections[event >> connection & connection_mask]
        self.d_index = event >> index & index_mask
        self.d_slot = event >> slot & slot_mask

    def take(self) -> None:
        """The clock with `d_take`: the event in D goes to X, which is free, or is dropped."""
        row = self.connection
        if self.d_index >= row.sources or row.groups == 0:
            self.dropped = True
            return
        self.x_valid = self.x_begins = True
        self.x_slot = self.d_slot
        self.x_weight_address = row.weight_base + self.d_index
        self.x_sum_address = row.sum_base + self.d_slot
        self.x_stride = row.sources
        self.x_groups = row.groups
        self.x_synapses = row.synapses
        self.x_weights = self.high_weights if row.high else self.weights

    def next_segment(self) -> None:
        """Issue of the last group of a segment, if another one follows; only images have those."""
        raise NotImplementedError


class ImageIntegrate(Integrate):
    """Integrate of a fabric with images.

    Of an image in X, `x_row` is its row of the connection table, and `x_segment` and `x_width` are
    what `x_groups` and `x_columns` become at the beginning of a segment and of a row.
    """

    __slots__ = (
        "a_clock",
        "a_columns",
        "a_groups",
        "a_rows",
        "a_sum",
        "a_synapses",
        "a_weight",
        "axis",
        "c_sum",
        "c_weight",
        "coordinates",
        "d_x",
        "d_y",
        "place_mask",
        "place_shifts",
        "r_sum",
        "r_weight",
        "slots",
        "sum_mask",
        "weight_mask",
        "x_columns",
        "x_row",
        "x_rows",
        "x_segment",
        "x_width",
    )

    def __init__(self, config: FabricConfig) -> None:
        super().__init__(config)
        self.slots = config.slots
        at = offsets(config.event)
        self.place_shifts = at["y"], at["x"]
        self.place_mask = (1 << config.position[0][1]) - 1
        self.weight_mask = (1 << index_bits(config.weight_words)) - 1
        self.sum_mask = (1 << index_bits(config.sum_words)) - 1
        # An event beyond its image, which is dropped in the end, may read beyond the table.
        self.coordinates = [CoordinateRow()] * (1 << index_bits(config.coordinates))
        self.axis = CoordinateRow()  # the row read last
        self.d_y = self.d_x = 0
        self.a_clock = self.a_weight = self.a_sum = 0
        self.a_rows = self.a_columns = self.a_groups = self.a_synapses = 0
        self.x_row = ConnectionRow()
        self.x_rows = self.x_columns = self.x_width = self.x_segment = 0
        self.c_weight = self.c_sum = self.r_weight = self.r_sum = 0

    def clock(self, event: int | None, fetching: int, fetch_address: int) -> int:
        """One clock; as without images."""
        looking_up = self.d_valid and not self.described
        fetched = super().clock(event, fetching, fetch_address)
        if looking_up:
            self._look_up()
        return fetched

    def describe(self, event: int) -> None:
        """The clock in which `event` goes into D."""
        super().describe(event)
        y, x = self.place_shifts
        self.d_y = event >> y & self.place_mask
        self.d_x = event >> x & self.place_mask
        self.a_clock = 0
        self.described = not self.connection.image

    def _look_up(self) -> None:
        """A clock in which an event of a row with `image` is in D and not yet described."""
        row = self.connection
        if self.a_clock == 0:
            self.a_weight = row.weight_base + (0 if row.grouped else self.d_index)
            self.a_sum = row.sum_base + self.d_slot
            self._read_axis(row.row_coordinates + self.d_y)
        elif self.a_clock == 1:
            self.a_rows = self._add_axis()
            self._read_axis(row.column_coordinates + self.d_x)
        elif self.a_clock == 2:
            self.a_columns = self._add_axis()
            self._read_axis(row.channel_coordinates + self.d_index)
            if not row.grouped:
                self.a_groups, self.a_synapses = row.groups, row.synapses
                self.described = True
        else:
            self.a_synapses = self.axis.synapses
            self.a_groups = self._add_axis()
            self.described = True
        self.a_clock += 1

    def _read_axis(self, address: int) -> None:
        self.axis = self.coordinates[address & len(self.coordinates) - 1]

    def _add_axis(self) -> int:
        """The row of a coordinate is there; returns its `count`."""
        self.a_weight = self.a_weight + self.axis.weight & self.weight_mask
        self.a_sum = self.a_sum + self.axis.sum & self.sum_mask
        return self.axis.count

    def take(self) -> None:
        """The clock with `d_take`."""
        row = self.connection
        if not row.image:
            super().take()
            self.x_sum_stride = self.slots
            return
        known = self.d_index < row.sources and self.d_y < row.height and self.d_x < row.width
        if not known or row.groups == 0:
            self.dropped = True
            return
        if self.a_rows == 0 or self.a_columns == 0 or self.a_groups == 0:
            return  # it leads nowhere
        self.x_valid = self.x_begins = True
        self.x_slot = self.d_slot
        self.x_weight_address = self.c_weight = self.r_weight = self.a_weight
        self.x_sum_address = self.c_sum = self.r_sum = self.a_sum
        self.x_stride = row.stride
        self.x_sum_stride = row.sum_stride
        self.x_groups = self.x_segment = self.a_groups
        self.x_columns = self.x_width = self.a_columns
        self.x_rows = self.a_rows
        self.x_synapses = self.a_synapses
        self.x_weights = self.high_weights if row.high else self.weights
        self.x_row = row
        self.x_more = self.x_columns != 1 or self.x_rows != 1

    def next_segment(self) -> None:
        """Issue of the last group of a segment, if another one follows."""
        row = self.x_row
        if self.x_columns != 1:
            self.x_columns -= 1
            self.c_weight = self.c_weight + row.column_weights & self.weight_mask
            self.c_sum = self.c_sum - row.column_sums & self.sum_mask
        else:
            self.x_rows -= 1
            self.x_columns = self.x_width
            self.c_weight = self.r_weight = self.r_weight + row.row_weights & self.weight_mask
            self.c_sum = self.r_sum = self.r_sum - row.row_sums & self.sum_mask
        self.x_weight_address, self.x_sum_address = self.c_weight, self.c_sum
        self.x_groups = self.x_segment
        self.x_begins = True
        self.x_more = self.x_columns != 1 or self.x_rows != 1
