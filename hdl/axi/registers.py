"""The registers of a fabric on AXI4-Lite; docs/integration.md lists them."""

import dataclasses
import enum
import hashlib
import itertools

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.axi.buses import WORD_BITS, WORD_BYTES, Axi4Lite, Response
from spikeloom.hdl.axi.register_port import RegisterPort
from spikeloom.hdl.common.load import load_signature
from spikeloom.hdl.common.shapes import struct

IDENTIFIER = int.from_bytes(b"LOOM", "little")
VERSION = 2
"""Version of the register map; it changes with every change that a driver would notice."""


class Register(enum.IntEnum):
    """Byte addresses of the registers; of a group, the address of its first register."""

    IDENTIFIER = 0x000
    VERSION = 0x004
    CONFIGURATION = 0x008
    STATUS = 0x010
    CONTROL = 0x014
    CYCLES = 0x018
    LOAD_TILE = 0x020
    LOAD_TARGET = 0x024
    LOAD_ADDRESS = 0x028
    LOAD_COMMIT = 0x02C
    LOAD_DATA = 0x040
    SIZES = 0x080
    COUNTERS = 0x800


def configuration_hash(config: FabricConfig) -> int:
    """The value of CONFIGURATION, 64 bits: a driver checks that an image fits this fabric."""
    return int.from_bytes(hashlib.sha256(config.to_json().encode()).digest()[:8], "little")


class FabricRegisters(wiring.Component):
    """The registers of a fabric; docs/integration.md lists them.

    Timing: that of `RegisterPort`. A load word is valid in the clock in which the write of
    LOAD_COMMIT is carried out.

    Parameters
    ----------
    config
        Sizes of the fabric.

    Members
    -------
    bus : In(Axi4Lite())
        The bus.
    busy : In(1)
        Bit 0 of STATUS. No load word is accepted while it is 1, or in reset.
    waiting : In(1)
        Bit 1 of STATUS.
    counters : In(config.counters)
        Counters of the fabric.
    load : Out(load_signature(config))
        A load word.
    reset : Out(1)
        Holds the fabric in reset: bit 0 of CONTROL.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        super().__init__(
            {
                "bus": In(Axi4Lite()),
                "busy": In(1),
                "waiting": In(1),
                "counters": In(struct(config.counters)),
                "load": Out(load_signature(config)),
                "reset": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.port = port = RegisterPort()
        wiring.connect(m, wiring.flipped(self.bus), port.bus)

        word = self.load.word
        # One bit more than the address, so that the address after the last row is invalid.
        row = Signal(len(word.address) + 1)
        m.d.comb += word.address.eq(row)
        stored: dict[int, Value] = {
            Register.CONTROL: self.reset,
            Register.LOAD_TILE: word.tile,
            Register.LOAD_TARGET: word.target,
            Register.LOAD_ADDRESS: row,
        }
        for n, low in enumerate(range(0, len(word.data), WORD_BITS)):
            stored[Register.LOAD_DATA + WORD_BYTES * n] = word.data[low : low + WORD_BITS]
        counters = self._counters()
        high = Signal(WORD_BITS)  # upper word of the counter that was read last
        readable: dict[int, Value] = {
            **self._constants(),
            **stored,
            **{address: counter[:WORD_BITS] for address, counter in counters.items()},
            **{address + WORD_BYTES: high for address in counters},
            Register.STATUS: Cat(self.busy, self.waiting),
        }

        with m.Switch(port.read_address[2:]):
            for address, value in readable.items():
                with m.Case(address // WORD_BYTES):
                    m.d.comb += port.read_data.eq(value)
                    if address in counters:
                        with m.If(port.read):
                            m.d.sync += high.eq(counters[address][WORD_BITS:])
            with m.Default():
                m.d.comb += port.read_response.eq(Response.DECERR)

        taken = Signal()
        ready = Signal()
        m.d.comb += port.write_response.eq(Mux(taken, Response.OKAY, Response.SLVERR))
        with m.Switch(port.write_address[2:]):
            for address, value in stored.items():
                with m.Case(address // WORD_BYTES):
                    m.d.comb += taken.eq(_fits(port, len(value)))
                    with m.If(port.write & taken):
                        m.d.sync += value.eq(port.write_data)
            with m.Case(Register.LOAD_COMMIT // WORD_BYTES):
                m.d.comb += [
                    ready.eq(~self.busy & ~self.reset & self._exists(m, row)),
                    taken.eq(port.write_whole & ready),
                    self.load.valid.eq(port.write & taken),
                ]
                with m.If(self.load.valid):
                    m.d.sync += row.eq(row + 1)
            with m.Case(*(address // WORD_BYTES for address in readable)):
                pass  # Read only.
            with m.Default():
                m.d.comb += port.write_response.eq(Response.DECERR)
        return m

    def _constants(self) -> dict[int, Value]:
        """Values of the registers that are constant."""
        config = self.config
        configuration = configuration_hash(config)
        values = {
            Register.IDENTIFIER: IDENTIFIER,
            Register.VERSION: VERSION,
            Register.CONFIGURATION: configuration % (1 << WORD_BITS),
            Register.CONFIGURATION + WORD_BYTES: configuration >> WORD_BITS,
            Register.LOAD_COMMIT: 0,
        }
        for n, size in enumerate(dataclasses.astuple(config)):
            values[Register.SIZES + WORD_BYTES * n] = int(size)
        return {address: Const(value, WORD_BITS) for address, value in values.items()}

    def _counters(self) -> dict[int, Value]:
        """The counters by the address of their low words."""
        addresses: dict[int, str] = {Register.CYCLES: "cycles"}
        names = self.config.tile_counters
        for tile, (n, name) in itertools.product(range(self.config.tiles), enumerate(names)):
            number = len(names) * tile + n
            addresses[Register.COUNTERS + 2 * WORD_BYTES * number] = f"{name}.{tile}"
        return {address: self.counters[name] for address, name in addresses.items()}

    def _exists(self, m: Module, row: Signal) -> Value:
        """Whether the memory that the load word is for has this `row`."""
        config = self.config
        exists = Signal()
        with m.Switch(self.load.word.target):
            for target, memory in config.built_memories.items():
                with m.Case(target):
                    m.d.comb += exists.eq(row < memory.depth)
        return exists & (self.load.word.tile < config.tiles)


def _fits(port: RegisterPort, width: int) -> Value:
    """Whether a write has all bytes, and a value of at most `width` bits."""
    return port.write_whole & ((port.write_data >> width) == 0)
