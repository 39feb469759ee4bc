"""Cycle-level golden model of integrate with the subsections Sparse matrices and One to one of
`docs/hardware.md`.
"""

from spikeloom.golden.cycle.image_integrate import ImageIntegrate
from spikeloom.golden.spec import FabricConfig, index_bits


class SparseIntegrate(ImageIntegrate):
    """Integrate of a fabric with sparse matrices or connections one to one, images or not.

    `x_lane`: the only lane that counts of the event in X; None for all lanes.
    `r_lane_rows` and `a_lane_rows`: the accumulator rows of the lanes of a sparse word in stages R
    and A; None for other operations, which have one row for all lanes.
    """

    __slots__ = (
        "a_lane_rows",
        "address_bits",
        "banks",
        "groups",
        "lane_masks",
        "r_lane_rows",
        "word_split",
        "x_lane",
        "x_sparse",
    )

    def __init__(self, config: FabricConfig) -> None:
        super().__init__(config)
        lane = (1 << config.sum_bits) - 1
        self.lane_masks = [lane << n * config.sum_bits for n in range(config.lanes)]
        self.address_bits = index_bits(config.sum_words)
        self.word_split = config.lanes * config.weight_bits, index_bits(config.groups)
        # For each sparse word the accumulator rows of its lanes, at slot 0.
        self.groups = [(0,) * config.lanes] * config.sparse_words
        self.banks = config.sum_banks
        self.x_sparse = False
        self.x_lane: int | None = None
        self.r_lane_rows: tuple[int, ...] | None = None
        self.a_lane_rows: tuple[int, ...] | None = None

    def write_weights(self, address: int, word: int) -> None:
        """Write a packed word of weights, and its groups if it can be sparse."""
        weights, width = self.word_split
        super().write_weights(address, word & (1 << weights) - 1)
        if address < len(self.groups):
            groups = word >> weights
            self.groups[address] = tuple(
                (groups >> n * width & (1 << width) - 1) * self.slots
                for n in range(len(self.lane_masks))
            )

    @property
    def write_address(self) -> int | None:
        """The rows of sums that stage A writes in this clock, if any: one for each bank."""
        if self.a_address is None:
            return None
        rows = self.a_lane_rows or (self.a_address,) * self.banks
        return sum(row << n * self.address_bits for n, row in enumerate(rows))

    def row(self, address: int) -> int:
        """The lanes of the rows of sums at a `write_address`."""
        if self.banks == 1:
            return self.sums[address]
        row_mask = (1 << self.address_bits) - 1
        return sum(
            self.sums[address >> n * self.address_bits & row_mask] & mask
            for n, mask in enumerate(self.lane_masks)
        )

    def clock(self, event: int | None, fetching: int, fetch_address: int) -> int:
        """Advance by one clock, as in `Integrate.clock`."""
        rows, self.a_lane_rows = self.a_lane_rows, self.r_lane_rows
        if rows is not None:
            self._add(rows)
            self.a_address = None  # nothing is left to add
        self.r_lane_rows = None
        issues = self.x_valid and not fetching
        if self.x_sparse and issues:
            slot = self.x_slot
            self.r_lane_rows = tuple(row + slot for row in self.groups[self.x_weight_address])
        lane = self.x_lane if issues else None
        fetched = super().clock(event, fetching, fetch_address)
        if lane is not None and self.r_weights is not None:
            lower, signs = self.r_weights
            self.r_weights = lower & self.lane_masks[lane], signs & self.lane_masks[lane]
        return fetched

    def _add(self, rows: tuple[int, ...]) -> None:
        """Stage A: add the weights of a sparse word, each lane to its row."""
        assert self.a_weights is not None
        lower, signs = self.a_weights
        for row, mask in zip(rows, self.lane_masks, strict=True):
            before = self.sums[row]
            added = (before & mask) + ((lower | signs) & mask) & mask
            self.sums[row] = before & ~mask | added

    def accept(self, event: int) -> None:
        """Move `event` into D and read its row of the connection table."""
        super().accept(event)
        if self.connection.sparse:
            self.described = False

    def _look_up(self) -> None:
        if not self.connection.sparse:
            super()._look_up()
            return
        self._read_coordinate(self.connection.channel_coordinates + self.d_index)
        self.described = True

    def take(self) -> None:
        """`d_take`: move the event in D to X, which is free, or drop it."""
        row = self.connection
        self.x_sparse, self.x_lane = bool(row.sparse), None
        if not row.sparse:
            super().take()
            if row.one_to_one:
                self._select_lane()
            return
        if self.d_index >= row.sources or row.groups == 0:
            self.dropped = True
            return
        source = self.coordinate_row
        if source.count == 0 or self.d_magnitude == 0:
            return  # no targets
        self.x_valid = self.x_begins = True
        self.x_slot = self.d_slot
        self.x_weight_address = source.weight
        self.x_sum_address = 0  # not used
        self.x_stride = 1
        self.x_groups = source.count
        self.x_synapses = source.synapses
        self.choose_weights(row)
        self.x_more = False

    def _select_lane(self) -> None:
        """Of the event in X, which is one to one, keep the word and the lane of its source."""
        row = self.connection
        if not row.first <= self.d_index <= row.last:
            self.x_valid = False  # no targets here, or dropped
            return
        word, self.x_lane = divmod(self.d_index, len(self.lane_masks))
        self.x_weight_address = row.weight_base + word & self.weight_mask
        self.x_sum_address = row.sum_base + self.d_slot + word * self.slots & self.sum_mask
        self.x_groups = 1
