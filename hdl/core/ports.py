"""Signatures of the ports between the core's blocks, and between core and sequencer."""

from amaranth import Cat, Mux, Value
from amaranth.lib import data, wiring
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


class LearnCommand(wiring.Signature):
    """A command of the sequencer: learn from the step that is over.

    Members
    -------
    valid : Out(1)
        The command holds for this clock only; there is no `ready`.
    ends : Out(1)
        The step is the last one of its sample.
    """

    def __init__(self) -> None:
        super().__init__({"valid": Out(1), "ends": Out(1)})


def note(config: FabricConfig) -> data.StructLayout:
    """That an axon, a row of AXON, spiked in this step, and the rule of its connection."""
    return data.StructLayout(
        {"rule": index_bits(config.rules), "axon": index_bits(config.plastic_axons)}
    )


class Notes(wiring.Signature):
    """Notes of the axons that spiked, from integrate to learn.

    Members
    -------
    valid, p : Out
        A note, which is taken in this clock.
    learning : In(1)
        Notes are wanted.
    full : In(1)
        None may come.
    """

    def __init__(self, config: FabricConfig) -> None:
        super().__init__(
            {"valid": Out(1), "p": Out(note(config)), "learning": In(1), "full": In(1)}
        )


class WeightPort(wiring.Signature):
    """The port of the weights, lent to learn.

    Members
    -------
    active : Out(1)
        Learn owns the port; integrate is at rest.
    write : Out(1)
        Write `data` to word `address`; if not, the word is read.
    address, data : Out
    write_address : Out
        With `two_ports` only: the word that is written, while that at `address` is read.
    weights : In
        The word read in the clock before.
    """

    def __init__(self, config: FabricConfig) -> None:
        row = lanes(config.lanes, config.weight_bits)
        address = Out(index_bits(config.weight_words))
        super().__init__(
            {
                "active": Out(1),
                "write": Out(1),
                "address": address,
                "data": Out(row),
                "weights": In(row),
                **({"write_address": address} if config.two_ports else {}),
            }
        )


class StatePort(wiring.Signature):
    """The port of the state memory, lent to learn.

    Members
    -------
    active : Out(1)
        Learn owns the port; fire is at rest.
    address : Out
        Row to be read.
    row : In
        The row read in the clock before.
    """

    def __init__(self, config: FabricConfig) -> None:
        super().__init__(
            {
                "active": Out(1),
                "address": Out(index_bits(config.neurons)),
                "row": In(struct(config.state_row)),
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
