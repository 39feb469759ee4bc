"""The accumulators, and the last two stages of integrate, which add to them."""

from amaranth import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import FabricConfig, ReadTarget, index_bits
from spikeloom.hdl.common.arithmetic import add_carry
from spikeloom.hdl.common.read import SplitRow, connect_read, read_member
from spikeloom.hdl.common.shapes import lanes, memory
from spikeloom.hdl.core.address_generation import segments
from spikeloom.hdl.core.amount import Amount
from spikeloom.hdl.core.ports import Fetch, MemoryWrite


class Accumulate(wiring.Component):
    """Adds a word of weights to accumulators, in every clock; a fetch clears them.

        sum[row] += weight times what the event counts

    Timing: a word issued in clock n, which arrives in clock n + 1, is written in clock n +
    `latency`. What the two operations before wrote is forwarded.

    Parameters
    ----------
    config
        Sizes of the fabric.

    Members
    -------
    issue : In(1)
        A word is issued.
    event : In(segments(config))
        Of the event to which it belongs.
    bits : In
        The lowest of them that is 1: which bit of the magnitude the issue is for.
    rows : In
        Row of the issue in each bank of the accumulators.
    word : In(config.weight_row)
        Its weights, a clock after its issue.
    fetch : In(Fetch(config))
        Fire reads and clears a row; not in the two clocks after another operation on that row.
    read : In(read_signature(config))
        With `readable` only.
    sum_write : Out(MemoryWrite)
        Writes to the accumulators, with an address for each of `config.sum_banks`.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        address = index_bits(config.sum_words)
        super().__init__(
            {
                "issue": In(1),
                "event": In(segments(config)),
                "bits": In(max(1, config.graded_bits)),
                "rows": In(data.ArrayLayout(unsigned(address), config.sum_banks)),
                "word": In(lanes(config.lanes, config.weight_bits)),
                "fetch": In(Fetch(config)),
                **read_member(config),
                "sum_write": Out(MemoryWrite(config.sum_banks * address, config.sum_row.width)),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from an issue to its write."""
        return 2

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        sums = [
            memory(lanes(config.lanes // config.sum_banks, config.sum_bits), config.sum_words)
            for _ in range(config.sum_banks)
        ]
        for lane, bank in enumerate(sums):
            m.submodules["sums" if len(sums) == 1 else f"sums_{lane}"] = bank
        reads = [bank.read_port() for bank in sums]
        # Stage R: the rows are there, except for the writes of the two operations before.
        r_valid = Signal()
        r_clears = Signal()
        # Stage A: add and write. `written` is the write of the operation before.
        a_valid = Signal()
        m.d.sync += [
            r_valid.eq(self.issue | self.fetch.valid),
            r_clears.eq(self.fetch.valid),
            a_valid.eq(r_valid),
        ]
        m.d.comb += self.fetch.sums.eq(Cat(read.data for read in reads))
        amount = Amount(m, config, self.event, self.bits)
        weight = self._weights(m, r_clears, amount)
        carry = amount.carry(m, r_clears)
        writes = [bank.write_port() for bank in sums]
        for number, (read, write) in enumerate(zip(reads, writes, strict=True)):
            issue_address = self.rows[number]
            address = Signal(index_bits(config.sum_words), name=f"address_{number}")
            r_address = Signal.like(address, name=f"r_address_{number}")
            r_after_last = Signal(name=f"r_after_last_{number}")
            r_after_next_to_last = Signal(name=f"r_after_next_to_last_{number}")
            a_after_last = Signal(name=f"a_after_last_{number}")
            a_address = Signal.like(address, name=f"a_address_{number}")
            row = Signal.like(write.data, name=f"row_{number}")
            written = Signal.like(write.data, name=f"written_{number}")
            m.d.comb += [
                address.eq(Mux(self.fetch.valid, self.fetch.address, issue_address)),
                read.addr.eq(address),
                write.addr.eq(a_address),
                write.en.eq(a_valid),
            ]
            m.d.sync += [
                r_address.eq(address),
                r_after_last.eq(r_valid & (r_address == issue_address)),
                r_after_next_to_last.eq(a_valid & (a_address == issue_address)),
                a_address.eq(r_address),
                a_after_last.eq(r_after_last),
                written.eq(write.data),
                row.eq(Mux(r_after_next_to_last, written, read.data)),
            ]
            for lane in range(len(row)):
                before = Mux(a_after_last, written[lane], row[lane])
                added = weight[number * len(row) + lane]
                total = before + added if carry is None else add_carry(before, added, carry)
                m.d.comb += write.data[lane].eq(total)
            # A fetch writes 0: a sum of 0, a weight of 0, and nothing forwarded.
            with m.If(r_clears):
                m.d.sync += [row.as_value().eq(0), a_after_last.eq(0)]
        m.d.comb += [
            self.sum_write.valid.eq(a_valid),
            self.sum_write.address.eq(Cat(write.addr for write in writes)),
            self.sum_write.data.eq(Cat(write.data for write in writes)),
        ]
        if config.readable:
            split = SplitRow(reads, Cat(read.data for read in reads))
            m.d.comb += self.read.data.eq(connect_read(m, self.read, {ReadTarget.SUM: split}))
        return m

    def _weights(self, m: Module, r_clears: Signal, amount: Amount) -> data.View:
        """Stage R: the weights that stage A adds, times the event's amount; 0 for a fetch."""
        config = self.config
        bits = (config.weight_bits << config.weight_pairs) + amount.bits
        weight = Signal(lanes(config.lanes, bits))
        m.d.sync += [weight[lane].eq(amount.times(self.word[lane])) for lane in range(config.lanes)]
        if config.weight_pairs:
            r_high = Signal()
            m.d.sync += r_high.eq(self.event.high)
            with m.If(r_high):
                for lane in range(config.lanes):
                    high = self.word[lane] << config.weight_bits
                    m.d.sync += weight[lane].eq(amount.times(high))
        if config.one_to_one:
            r_single = Signal()
            r_lane = Signal.like(self.event.lane)
            m.d.sync += [r_single.eq(self.event.single), r_lane.eq(self.event.lane)]
            for lane in range(config.lanes):
                with m.If(r_single & (r_lane != lane)):
                    m.d.sync += weight[lane].eq(amount.times(Const(0)))
        with m.If(r_clears):
            m.d.sync += weight.as_value().eq(0)
        return weight
