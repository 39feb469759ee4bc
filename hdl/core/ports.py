"""Signatures of the ports between the core's blocks, and between core and sequencer."""

from amaranth import Cat, Mux, Value
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
    valid : Out(lanes)
        A bit for each lane that is written.
    address, data : Out
        Row, and all lanes; data of lanes that are not written has no meaning.
    """

    def __init__(self, address: int, data: int, lanes: int = 1) -> None:
        super().__init__({"valid": Out(lanes), "address": Out(address), "data": Out(lanes * data)})


def written(write: wiring.PureInterface) -> Value:
    """The data of a `MemoryWrite`, 0 in lanes that are not written."""
    lanes = len(write.valid)
    if lanes == 1:
        return Value.cast(write.data)
    width = len(write.data) // lanes
    return Cat(
        Mux(write.valid[lane], write.data.word_select(lane, width), 0) for lane in range(lanes)
    )
