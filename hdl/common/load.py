"""The load port, which writes a network into the memories."""

from amaranth import Module, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Out

from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.hdl.common.shapes import struct


def load_signature(config: FabricConfig) -> wiring.Signature:
    """A word to be written in the clock in which it is `valid`; there is no `ready`."""
    return wiring.Signature({"valid": Out(1), "word": Out(struct(config.load))})


def loads(load: wiring.PureInterface, target: LoadTarget) -> Value:
    """Whether this clock has a word for `target`."""
    return load.valid & (load.word.target == target)


def connect_load(
    m: Module,
    load: wiring.PureInterface,
    target: LoadTarget,
    memory: Memory,
    bank: int = 0,
    low: int = 0,
) -> None:
    """Add a write port to `memory` for the words of `target`.

    The memory is the `bank` that the `low` lowest bits of an address choose.
    """
    write = memory.write_port()
    m.d.comb += [
        write.addr.eq(load.word.address[low:]),
        write.data.eq(load.word.data),
        write.en.eq(loads(load, target)),
    ]
    if low:
        m.d.comb += write.en.eq(loads(load, target) & (load.word.address[:low] == bank))
