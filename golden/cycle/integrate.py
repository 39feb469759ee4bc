"""Cycle-level golden model of integrate: the section Integrate of `docs/hardware.md`.

`ImageIntegrate` adds the subsection Images.
"""

from dataclasses import dataclass
from typing import NamedTuple

from spikeloom.golden.cycle.packing import masks, offsets
from spikeloom.golden.spec import FabricConfig, index_bits


class ConnectionRow(NamedTuple):
    """Row of the connection table; fields as in `FabricConfig.connection_row`, 0 if absent."""

    weight_base: int = 0
    sources: int = 0
    sum_base: int = 0
    groups: int = 0
    synapses: int = 0
    high: int = 0
    sparse: int = 0
    one_to_one: int = 0
    first: int = 0
    last: int = 0
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
    """Adds the weights of events to the accumulators, a group of `lanes` synapses per clock.

    A row of sums is one integer with its lanes packed in two's complement, as in the memory. All
    lanes are added at once. The bits below the sign bits take one addition, which cannot carry
    into the next lane because the sign bits are masked out; an exclusive or of both sign bits and
    that carry then gives the sign. Every lane wraps, as in hardware. Weight rows are stored sign
    extended to the lanes of a row of sums, split into (lower bits, sign bits). With weight pairs
    they are stored a second time, scaled for connections with `high`.

    `x_more`: another segment follows the one in X. `described`: the event in D has its addresses
    and can leave. Only images change them.
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
        "w_event",
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
        # A power of two of rows, so that any connection number can be read; the rest stay unused.
        unused = ConnectionRow()
        self.connections = [unused] * (1 << index_bits(config.connections))
        self.connection = unused  # the row read last
        self.w_event: int | None = None  # packed; None if W is empty
        self.d_valid = False
        self.d_index = self.d_slot = 0
        self.described = True
        self.x_valid = self.x_begins = self.x_more = False
        self.x_slot = self.x_weight_address = self.x_sum_address = self.x_stride = self.x_groups = 0
        self.x_sum_stride = config.slots
        self.x_synapses = 0
        self.x_weights = self.weights
        # Stages R and A: accumulator rows of the operations issued one and two clocks ago, and the
        # weights to add (None: a fetch).
        self.r_address: int | None = None
        self.r_weights: tuple[int, int] | None = None
        self.a_address: int | None = None
        self.a_weights: tuple[int, int] | None = None
        self.dropped = False  # in the previous clock
        self.synops = self.stalls = self.errors = 0

    def write_weights(self, address: int, word: int) -> None:
        """Write a packed word of weights."""
        _, weight_bits, _ = self.row_bits
        self.weights[address] = self._extended(word, 0)
        if self.high_weights:
            self.high_weights[address] = self._extended(word, weight_bits)

    def _extended(self, word: int, shift: int) -> tuple[int, int]:
        """Packed weights times 2**`shift`, sign extended: (lower bits, sign bits) of all lanes."""
        lanes, weight_bits, sum_bits = self.row_bits
        sign = 1 << (weight_bits - 1)
        row = 0
        for lane in range(lanes):
            weight = word >> lane * weight_bits & (2 * sign - 1)
            row |= (((weight ^ sign) - sign) << shift & (1 << sum_bits) - 1) << lane * sum_bits
        return row & self.lower, row & self.signs

    @property
    def write_address(self) -> int | None:
        """The row of sums that stage A writes in this clock, if any."""
        return self.a_address

    def row(self, address: int) -> int:
        """The row of sums at a `write_address`."""
        return self.sums[address]

    def pending(self, slot: int) -> bool:
        """Whether W, D or X holds an event due in `slot`."""
        if self.w_event is not None:
            _, _, slot_shift = self.event_shifts
            _, _, slot_mask = self.event_masks
            if self.w_event >> slot_shift & slot_mask == slot:
                return True
        return (self.d_valid and self.d_slot == slot) or (self.x_valid and self.x_slot == slot)

    @property
    def occupied(self) -> bool:
        """Whether W, D or X holds an event; W holds none while D is empty."""
        return self.d_valid or self.x_valid

    @property
    def empty(self) -> bool:
        """Whether D, X, R and A are empty and no dropped event is left to count."""
        return (
            not self.d_valid
            and not self.x_valid
            and self.r_address is None
            and self.a_address is None
            and not self.dropped
        )

    def clock(self, event: int | None, fetching: int, fetch_address: int) -> int:
        """Advance by one clock.

        Parameters
        ----------
        event
            Packed `FabricConfig.event` that transfers in this clock, if any; W must be empty.
        fetching, fetch_address
            `fetch.valid` (nonzero) and `fetch.address`.

        Returns
        -------
        int
            `fetched`: the row of sums read by a fetch in the previous clock, else 0.
        """
        if self.dropped:
            self.errors = self.errors + 1 & self.counter_mask
            self.dropped = False

        # Stage A. Here each operation reads and writes at once, in order; in hardware forwarding
        # has the same effect.
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
                self.w_event = event
        elif self.w_event is not None:
            self.accept(self.w_event)
            self.w_event = None
        elif event is not None:
            self.accept(event)
        return fetched

    def accept(self, event: int) -> None:
        """Move `event` into D and read its row of the connection table."""
        self.d_valid = True
        connection, index, slot = self.event_shifts
        connection_mask, index_mask, slot_mask = self.event_masks
        self.connection = self.connections[event >> connection & connection_mask]
        self.d_index = event >> index & index_mask
        self.d_slot = event >> slot & slot_mask

    def take(self) -> None:
        """`d_take`: move the event in D to X, which is free, or drop it."""
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
        """Start the segment that follows the one in X; only images have several."""
        raise NotImplementedError


class ImageIntegrate(Integrate):
    """Integrate of a fabric with images.

    For a convolution in X, `x_row` is its row of the connection table; `x_groups` restarts from
    `x_segment` with each segment, `x_columns` from `x_width` with each kernel row.
    """

    __slots__ = (
        "a_clock",
        "a_columns",
        "a_groups",
        "a_rows",
        "a_sum",
        "a_synapses",
        "a_weight",
        "c_sum",
        "c_weight",
        "coordinate_row",
        "coordinates",
        "d_x",
        "d_y",
        "position_mask",
        "position_shifts",
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
        self.position_shifts = at.get("y", 0), at.get("x", 0)
        self.position_mask = (1 << config.position[0][1]) - 1 if config.images else 0
        self.weight_mask = (1 << index_bits(config.weight_words)) - 1
        self.sum_mask = (1 << index_bits(config.sum_words)) - 1
        # A power of two of rows: an event outside its image may read any, and is dropped later.
        self.coordinates = [CoordinateRow()] * (1 << index_bits(config.coordinates))
        self.coordinate_row = CoordinateRow()  # the row read last
        self.d_y = self.d_x = 0
        self.a_clock = self.a_weight = self.a_sum = 0
        self.a_rows = self.a_columns = self.a_groups = self.a_synapses = 0
        self.x_row = ConnectionRow()
        self.x_rows = self.x_columns = self.x_width = self.x_segment = 0
        self.c_weight = self.c_sum = self.r_weight = self.r_sum = 0

    def clock(self, event: int | None, fetching: int, fetch_address: int) -> int:
        """Advance by one clock, as in `Integrate.clock`."""
        looking_up = self.d_valid and not self.described
        fetched = super().clock(event, fetching, fetch_address)
        if looking_up:
            self._look_up()
        return fetched

    def accept(self, event: int) -> None:
        """Move `event` into D and read its row of the connection table."""
        super().accept(event)
        y, x = self.position_shifts
        self.d_y = event >> y & self.position_mask
        self.d_x = event >> x & self.position_mask
        self.a_clock = 0
        self.described = not self.connection.image

    def _look_up(self) -> None:
        """One clock of address generation for an event of a convolution in D."""
        row = self.connection
        if self.a_clock == 0:
            self.a_weight = row.weight_base + (0 if row.grouped else self.d_index)
            self.a_sum = row.sum_base + self.d_slot
            self._read_coordinate(row.row_coordinates + self.d_y)
        elif self.a_clock == 1:
            self.a_rows = self._add_coordinate()
            self._read_coordinate(row.column_coordinates + self.d_x)
        elif self.a_clock == 2:
            self.a_columns = self._add_coordinate()
            self._read_coordinate(row.channel_coordinates + self.d_index)
            if not row.grouped:
                self.a_groups, self.a_synapses = row.groups, row.synapses
                self.described = True
        else:
            self.a_synapses = self.coordinate_row.synapses
            self.a_groups = self._add_coordinate()
            self.described = True
        self.a_clock += 1

    def _read_coordinate(self, address: int) -> None:
        self.coordinate_row = self.coordinates[address & len(self.coordinates) - 1]

    def _add_coordinate(self) -> int:
        """Add the offsets of the coordinate row read last; returns its `count`."""
        self.a_weight = self.a_weight + self.coordinate_row.weight & self.weight_mask
        self.a_sum = self.a_sum + self.coordinate_row.sum & self.sum_mask
        return self.coordinate_row.count

    def take(self) -> None:
        """`d_take`: move the event in D to X, which is free, or drop it."""
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
            return  # no targets
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
        """Start the segment that follows the one in X: next kernel column, or next kernel row."""
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
