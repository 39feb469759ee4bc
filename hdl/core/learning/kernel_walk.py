"""The positions of a plastic convolution, and the kernel that is learned at each of them."""

from amaranth import Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import NUMBER_BITS, FabricConfig, count_bits, index_bits
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.shapes import struct


def kernel_entry(config: FabricConfig) -> data.StructLayout:
    """A word of a kernel: its number in its group of channels, and the axon at its place.

    `inside`: the place is in the source's image, so that there is such an axon.
    """
    return data.StructLayout(
        {"axon": index_bits(config.plastic_axons), "source": NUMBER_BITS, "inside": 1}
    )


class KernelWalk(wiring.Component):
    """Walks the groups of a rule with `kernel`, and the words of the kernel of each.

    Groups: channel group by channel group, in each all positions, row by row. Words: row by row of
    the kernel, column by column, channel by channel of the source.

        axon = axon_base + (i << axon_row) + (j << axon_column) + d

    for row i, column j and channel d of the source.

    Timing: `turns` describes the group from the clock after `begin` or `advance` on. `entry` is
    that of the first word from the clock after `start` on, which is at least `latency` clocks after
    `begin` or `advance`, and that of the next word from the clock after each `go` on.

    Parameters
    ----------
    config
        Sizes of the fabric, with `plastic_kernels`.

    Members
    -------
    row : In
        The rule, as of `Rules`.
    begin : In(1)
        Its first group is the next one.
    advance : In(1)
        The next group follows.
    start : In(1)
        The next word is the first one of the group.
    go : In(1)
        The next word follows.
    turns : Out(1)
        The next group is one of other channels.
    entry : Out(kernel_entry(config))
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        super().__init__(
            {
                "row": In(struct(config.rule_row)),
                "begin": In(1),
                "advance": In(1),
                "start": In(1),
                "go": In(1),
                "turns": Out(1),
                "entry": Out(kernel_entry(config)),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from the end of a group to the entry of the next one's first word."""
        return 4

    def elaborate(self, platform: object) -> Module:
        row = self.row
        m = Module()
        place = signed(count_bits(self.config.extent) + 2)

        # The group: where the kernel of its position begins in the source.
        top = Signal(place)
        left = Signal(place)
        row_ends, row_restarts = _count_down(m, row.target_width, self.begin, self.advance)
        ends = self.advance & row_ends
        image_ends, image_restarts = _count_down(m, row.target_height, self.begin, ends)
        m.d.comb += self.turns.eq(~row.kernel | (row_ends & image_ends))
        with m.If(row_restarts):
            m.d.sync += left.eq(-row.column_padding)
        with m.Elif(self.advance):
            m.d.sync += left.eq(left + row.column_stride)
        with m.If(image_restarts):
            m.d.sync += top.eq(-row.row_padding)
        with m.Elif(ends):
            m.d.sync += top.eq(top + row.row_stride)

        # The word, counted from there.
        i = Signal(place)
        j = Signal(place)
        channels_end, _ = _count_down(m, row.channels, self.start, self.go)
        next_column = self.go & channels_end
        columns_end, columns_restart = _count_down(m, row.kernel_columns, self.start, next_column)
        next_row = next_column & columns_end
        with m.If(columns_restart):
            m.d.sync += j.eq(left)
        with m.Elif(next_column):
            m.d.sync += j.eq(j + 1)
        with m.If(self.start):
            m.d.sync += i.eq(top)
        with m.Elif(next_row):
            m.d.sync += i.eq(i + 1)
        with m.If(self.start):
            m.d.sync += self.entry.source.eq(0)
        with m.Elif(self.go):
            m.d.sync += self.entry.source.eq(self.entry.source + 1)
        m.d.comb += self.entry.inside.eq(
            (i.as_unsigned() < row.source_height) & (j.as_unsigned() < row.source_width)
        )
        self._axons(m, top, left, next_column, next_row)
        return m

    def _axons(
        self, m: Module, top: Value, left: Value, next_column: Value, next_row: Value
    ) -> None:
        """The axon of the word. Registers lie between shifts and sums: a group is loaded first."""
        row, axon = self.row, self.entry.axon
        bits = len(axon)
        row_step, column_step, rows, columns = (
            delayed(m, (value << shift)[:bits], 1)
            for value, shift in (
                (1, row.axon_row),
                (1, row.axon_column),
                (top, row.axon_row),
                (left, row.axon_column),
            )
        )
        first = delayed(m, (row.axon_base + rows + columns)[:bits], 1)
        # Those of the row's and of the column's first word.
        of_row = Signal(bits)
        of_column = Signal(bits)
        following = Signal(bits)
        with m.If(self.start):
            m.d.comb += following.eq(first)
            m.d.sync += [of_row.eq(following), of_column.eq(following)]
        with m.Elif(next_row):
            m.d.comb += following.eq(of_row + row_step)
            m.d.sync += [of_row.eq(following), of_column.eq(following)]
        with m.Elif(next_column):
            m.d.comb += following.eq(of_column + column_step)
            m.d.sync += of_column.eq(following)
        with m.Else():
            m.d.comb += following.eq(axon + 1)
        with m.If(self.start | self.go):
            m.d.sync += axon.eq(following)


def _count_down(m: Module, total: Value, begin: Value, step: Value) -> tuple[Signal, Value]:
    """Counts the steps of a round of `total`: whether this is its last, and another one begins."""
    left = Signal.like(total, name="left_of_round")
    last = Signal(name="last_of_round")
    restarts = begin | (step & last)
    with m.If(restarts):
        m.d.sync += [left.eq(total), last.eq(total == 1)]
    with m.Elif(step):
        m.d.sync += [left.eq(left - 1), last.eq(left == 2)]
    return last, restarts
