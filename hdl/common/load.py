"""The load port: how a network gets into the memories."""

from amaranth import Module, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Out

from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.hdl.common.shapes import struct


def load_signature(config: FabricConfig) -> wiring.Signature:
    """A word that is written in the clock in which it is `valid`; nobody can refuse it."""
    return wiring.Signature({"valid": Out(1), "word": Out(struct(config.load))})


def loads(load: wiring.PureInterface, target: LoadTarget) -> Value:
    """Whether there is a word for `target` in this clock."""
    return load.valid & (load.word.target == target)


def connect_load(m: Module, load: wiring.PureInterface, target: LoadTarget, memory: Memory) -> None:
    """Give `memory` a write port that takes the words for `target`."""
    write = memory.write_port()
    m.d.comb += [
        write.addr.eq(load.word.address),
        write.data.eq(load.word.data),
        write.en.eq(loads(load, target)),
    ]
