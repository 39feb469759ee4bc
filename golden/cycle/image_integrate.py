"""Cycle-level golden model of integrate with the subsection Images of `docs/hardware.md`."""

from dataclasses import dataclass

from spikeloom.golden.cycle.integrate import ConnectionRow, Integrate
from spikeloom.golden.cycle.packing import offsets
from spikeloom.golden.spec import FabricConfig, index_bits


@dataclass(frozen=True, slots=True)
class CoordinateRow:
    """Row of the coordinate table; fields as in `FabricConfig.coordinate_row`."""

    weight: int = 0
    sum: int = 0
    count: int = 0
    synapses: int = 0


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
        if 0 in (self.a_rows, self.a_columns, self.a_groups, self.d_magnitude):
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
        self.choose_weights(row)
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
