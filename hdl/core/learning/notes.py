"""Notes of the axons that spiked, in the order in which their events came."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import FabricConfig, count_bits
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.fall_through_queue import FallThroughQueue
from spikeloom.hdl.core import ports

NOTES = 16
"""Notes that may wait."""


class NoteQueue(wiring.Component):
    """Notes wait until learn has time for them; while too many do, integrate takes no event.

    Timing: a note of clock n is the head in clock n + `latency`, if no other one waits. Registers
    lie before the queue, because notes come late in their clock.

    Parameters
    ----------
    config
        Sizes of the fabric, with `plasticity`.

    Members
    -------
    notes : In(Notes(config))
        From integrate; `full` is of the clocks before.
    learning : In(1)
        Notes are wanted.
    valid : Out(1)
        There is a head.
    head : Out(note(config))
    pop : In(1)
        Removes the head.
    empty : Out(1)
        No note waits.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        super().__init__(
            {
                "notes": In(ports.Notes(config)),
                "learning": In(1),
                "valid": Out(1),
                "head": Out(ports.note(config)),
                "pop": In(1),
                "empty": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from a note until it is the head of a queue that was empty."""
        return 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = FallThroughQueue(ports.note(self.config), NOTES)
        arrived = delayed(m, self.notes.valid, 1)
        level = Signal(count_bits(NOTES))  # without the one that has just arrived
        m.d.sync += level.eq(level + arrived - (queue.valid & self.pop))
        m.d.comb += [
            queue.push.eq(delayed(m, arrived, 1)),
            queue.item.eq(delayed(m, self.notes.p, self.latency)),
            queue.pop.eq(self.pop),
            self.valid.eq(queue.valid),
            self.head.eq(queue.head),
            self.empty.eq((level == 0) & ~arrived),
            self.notes.learning.eq(self.learning),
            self.notes.full.eq(level == Mux(arrived, NOTES - 1, NOTES)),
        ]
        return m
