"""Cycle-level golden model of integrate: the section Integrate of `docs/hardware.md`.

With the subsection Signed and graded events.
"""

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
    plastic: int = 0
    rule: int = 0
    axon_base: int = 0
    axon_row: int = 0
    axon_column: int = 0
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


class Integrate:
    """Adds the weights of events to the accumulators, a group of `lanes` synapses per clock.

    A row of sums is one integer with its lanes packed in two's complement, as in the memory. All
    lanes are added at once. The bits below the sign bits take one addition, which cannot carry
    into the next lane because the sign bits are masked out; an exclusive or of both sign bits and
    that carry then gives the sign. Every lane wraps, as in hardware. Weight rows are stored sign
    extended to the lanes of a row of sums, split into (lower bits, sign bits). They are stored once
    for everything that an issue can multiply them with, in `tables`: by the sign of the event and
    `high`, then by the bit of the magnitude.

    `x_whole`: magnitude of the event in X, 1 in a fabric without. `x_rest`: bits of it for which
    the group has yet to be issued after its next issue. `x_more`: another segment follows the one
    in X. `described`: the event in D has its addresses and can leave. Only images change these two.
    """

    __slots__ = (
        "a_address",
        "a_weights",
        "connection",
        "connections",
        "counter_mask",
        "d_index",
        "d_magnitude",
        "d_negative",
        "d_slot",
        "d_valid",
        "described",
        "dropped",
        "errors",
        "event_masks",
        "event_shifts",
        "lower",
        "magnitude_shift",
        "negative_shift",
        "r_address",
        "r_weights",
        "row_bits",
        "signs",
        "stalls",
        "sums",
        "synops",
        "tables",
        "w_event",
        "x_begins",
        "x_groups",
        "x_more",
        "x_rest",
        "x_slot",
        "x_stride",
        "x_sum_address",
        "x_sum_stride",
        "x_synapses",
        "x_table",
        "x_valid",
        "x_weight_address",
        "x_weights",
        "x_whole",
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
        self.negative_shift = at["negative"] if config.signed_spikes else None
        self.magnitude_shift = at["magnitude"] if config.graded_bits else None
        self.tables = {
            (negative, high): [
                [(0, 0)] * config.weight_words for _ in range(max(1, config.graded_bits))
            ]
            for negative in range(1 + config.signed_spikes)
            for high in range(1 + config.weight_pairs)
        }
        # A power of two of rows, so that any connection number can be read; the rest stay unused.
        unused = ConnectionRow()
        self.connections = [unused] * (1 << index_bits(config.connections))
        self.connection = unused  # the row read last
        self.w_event: int | None = None  # packed; None if W is empty
        self.d_valid = False
        self.d_index = self.d_slot = self.d_negative = 0
        self.d_magnitude = 1
        self.described = True
        self.x_valid = self.x_begins = self.x_more = False
        self.x_slot = self.x_weight_address = self.x_sum_address = self.x_stride = self.x_groups = 0
        self.x_sum_stride = config.slots
        self.x_synapses = 0
        self.x_rest, self.x_whole = 0, 1
        self.x_table = self.tables[0, 0]
        self.x_weights = self.x_table[0]
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
        for (negative, high), by_bit in self.tables.items():
            for bit, table in enumerate(by_bit):
                factor = 1 << bit + high * weight_bits
                table[address] = self._extended(word, -factor if negative else factor)

    def _extended(self, word: int, factor: int) -> tuple[int, int]:
        """Packed weights times `factor`, sign extended: (lower bits, sign bits) of all lanes."""
        lanes, weight_bits, sum_bits = self.row_bits
        sign = 1 << (weight_bits - 1)
        row = 0
        for lane in range(lanes):
            weight = word >> lane * weight_bits & (2 * sign - 1)
            row |= (((weight ^ sign) - sign) * factor & (1 << sum_bits) - 1) << lane * sum_bits
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
                self.synops = self.synops + self.x_synapses & self.counter_mask
            if self.x_rest:
                self._issue_bits(self.x_rest)
            elif self.x_groups != 1:
                self.x_begins = False
                self.x_weight_address += self.x_stride
                self.x_sum_address += self.x_sum_stride
                self.x_groups -= 1
                if self.x_whole != 1:
                    self._issue_bits(self.x_whole)
            elif self.x_more:
                self.next_segment()
                self._issue_bits(self.x_whole)
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
        if self.negative_shift is not None:
            self.d_negative = event >> self.negative_shift & 1
        if self.magnitude_shift is not None:
            bits = len(self.tables[0, 0])
            self.d_magnitude = event >> self.magnitude_shift & (1 << bits) - 1

    def take(self) -> None:
        """`d_take`: move the event in D to X, which is free, or drop it."""
        row = self.connection
        if self.d_index >= row.sources or row.groups == 0:
            self.dropped = True
            return
        if self.d_magnitude == 0:
            return  # nothing to add
        self.x_valid = self.x_begins = True
        self.x_slot = self.d_slot
        self.x_weight_address = row.weight_base + self.d_index
        self.x_sum_address = row.sum_base + self.d_slot
        self.x_stride = row.sources
        self.x_groups = row.groups
        self.x_synapses = row.synapses
        self.choose_weights(row)

    def choose_weights(self, row: ConnectionRow) -> None:
        """Set what multiplies the weights of the event that moves from D to X."""
        self.x_table = self.tables[self.d_negative, row.high]
        self.x_whole = self.d_magnitude
        self._issue_bits(self.x_whole)

    def _issue_bits(self, bits: int) -> None:
        """Issue a group next for the lowest of `bits`, and then for the others."""
        self.x_rest = bits & bits - 1
        self.x_weights = self.x_table[(bits ^ self.x_rest).bit_length() - 1]

    def next_segment(self) -> None:
        """Start the segment that follows the one in X; only images have several."""
        raise NotImplementedError
