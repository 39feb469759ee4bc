"""The read port, which reads the memories of a fabric at rest."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import ReadPort
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import FabricConfig, ReadTarget, index_bits
from spikeloom.hdl.common.shapes import struct


def read_signature(config: FabricConfig) -> wiring.Signature:
    """One byte of one memory; the request must hold until the byte has come.

    Members
    -------
    active : Out(1)
        The host owns the read ports of the memories; the fabric must be at rest.
    word : Out(config.read)
        Memory, row and byte.
    data : In(8)
        The byte; 0 from memories that are not addressed.
    """
    return wiring.Signature({"active": Out(1), "word": Out(struct(config.read)), "data": In(8)})


def read_member(config: FabricConfig) -> dict[str, Any]:
    """The member `read` of a component whose memories are readable, if the fabric is `readable`."""
    return {"read": In(read_signature(config))} if config.readable else {}


class SplitRow(NamedTuple):
    """The read ports of memories that hold parts of one row, and the row.

    With `low`, they hold different rows, and that many low bits of an address choose the memory.
    """

    ports: Sequence[ReadPort]
    row: Value
    low: int = 0


def connect_read(
    m: Module, read: wiring.PureInterface, memories: Mapping[ReadTarget, ReadPort | SplitRow]
) -> Value:
    """Lend the read ports of `memories` to the host while it is `active`.

    Call it after the statements that drive the ports otherwise.

    Returns
    -------
    The byte, two clocks after the word that addresses it; 0 if no memory of these is addressed.
    """
    read_bytes = []
    for target, memory in memories.items():
        if isinstance(memory, SplitRow):
            ports, row, low = memory
        else:
            ports, row, low = [memory], Value.cast(memory.data), 0
        count = -(-len(row) // 8)
        padded = Cat(row, Const(0, 8 * count - len(row)))
        byte = Signal(8, name=f"{target.name.lower()}_byte")
        with m.If(read.active):
            for port in ports:
                m.d.comb += [port.addr.eq(read.word.address[low:]), port.en.eq(1)]
        m.d.sync += byte.eq(0)
        with m.If(read.active & (read.word.target == target)):
            position = read.word.byte[: index_bits(count)] if count > 1 else Const(0)
            m.d.sync += byte.eq(padded.word_select(position, 8))
        read_bytes.append(byte)
    return reduce(or_, read_bytes)


def ask(m: Module, parts: Sequence[wiring.PureInterface], active: Value, word: Value) -> Value:
    """Send the same request to all `parts`, at most one of which has the byte; the byte."""
    for part in parts:
        m.d.comb += [part.active.eq(active), part.word.eq(word)]
    return reduce(or_, (part.data for part in parts))
