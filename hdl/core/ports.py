"""Signatures of the ports between the core's blocks, and between core and sequencer."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import FabricConfig, index_bits
from spikeloom.hdl.common.shapes import lanes, struct


class Command(wiring.Signature):
    """A command of the sequencer: fire the next phase.

    Members
    -------
    valid : Out(1)
        The command holds for this clock only; there is no `ready`.
    p : Out(config.fire)
    """

    def __init__(self, config: FabricConfig) -> None:
        super().__init__({"valid": Out(1), "p": Out(struct(config.fire))})


class Fetch(wiring.Signature):
    """A request for one row of accumulators, which is always granted.

    Members
    -------
    valid, address : Out
        Read and clear accumulator row `address`.
    sums : In
        The row, one clock later.
    """

    def __init__(self, config: FabricConfig) -> None:
        super().__init__(
            {
                "valid": Out(1),
                "address": Out(index_bits(config.sum_words)),
                "sums": In(lanes(config.lanes, config.sum_bits)),
            }
        )


class MemoryWrite(wiring.Signature):
    """A write to a memory in this clock, for a bench to observe.

    Members
    -------
    valid : Out(1)
    address, data : Out
    """

    def __init__(self, address: int, data: int) -> None:
        super().__init__({"valid": Out(1), "address": Out(address), "data": Out(data)})
