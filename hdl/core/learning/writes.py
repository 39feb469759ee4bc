"""The words of weights that wait to be written."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import FabricConfig, index_bits
from spikeloom.hdl.common.shapes import lanes, memory

PENDING = 8
"""Words that may be read and not yet written; a power of two."""


class WriteQueue(wiring.Component):
    """A FIFO whose writer knows that there is room for `PENDING` words.

    Timing: a word pushed in clock n into an empty queue is the head in clock n + `latency`, and
    after a pop the next word, if it came before, is the head in the next clock.

    The head is in a register, if it came when there was no other word, or in the output register
    of a memory, which has the others.

    Parameters
    ----------
    config
        Sizes of the fabric, with `plasticity`.

    Members
    -------
    push : In(1)
        Appends `address` and `word`.
    address, word : In
    valid : Out(1)
        There is a head.
    head_address, head : Out
        The head.
    pop : In(1)
        Removes the head, if there is one.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        address = index_bits(config.weight_words)
        word = lanes(config.lanes, config.weight_bits)
        super().__init__(
            {
                "push": In(1),
                "address": In(address),
                "word": In(word),
                "valid": Out(1),
                "head_address": Out(address),
                "head": Out(word),
                "pop": In(1),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from the push of a word into an empty queue until it is the head."""
        return 0

    def elaborate(self, platform: object) -> Module:
        m = Module()
        item = data.StructLayout({"address": len(self.address), "word": len(self.word.as_value())})
        m.submodules.storage = storage = memory(item, PENDING)
        write, read = storage.write_port(), storage.read_port()
        held = Signal()  # there is a head besides what is pushed
        first = Signal(item)
        in_memory = Signal()  # the head is what the memory read
        written, taken = (Signal(range(PENDING), name=name) for name in ("written", "taken"))
        stored = Signal(range(PENDING + 1))  # words of the memory that are not the head
        pushed = Signal(item)
        head = Signal(item)
        leaves = Signal()
        keeps = Signal()
        m.d.comb += [
            pushed.address.eq(self.address),
            pushed.word.eq(self.word.as_value()),
            head.eq(Mux(held, Mux(in_memory, read.data.as_value(), first.as_value()), pushed)),
            self.valid.eq(held | self.push),
            self.head_address.eq(head.address),
            self.head.as_value().eq(head.word),
            leaves.eq(held & self.pop),
            keeps.eq(self.push & (held | ~self.pop)),  # what is pushed stays
            write.addr.eq(written),
            write.data.eq(pushed),
            write.en.eq(keeps & held & ~(leaves & (stored == 0))),
            read.addr.eq(taken),
            read.en.eq(leaves & (stored != 0)),
        ]
        m.d.sync += [
            written.eq(written + write.en),
            taken.eq(taken + read.en),
            stored.eq(stored + write.en - read.en),
            held.eq((held & ~leaves) | (stored != 0) | keeps),
        ]
        with m.If(read.en):
            m.d.sync += in_memory.eq(1)
        with m.Elif(leaves | ~held):
            m.d.sync += [in_memory.eq(0), first.eq(pushed)]
        return m
