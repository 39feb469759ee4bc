"""Memories with a row for each neuron, in a bank for each fire lane."""

from collections.abc import Sequence
from typing import Any

from amaranth import Cat, Module, Value
from amaranth.hdl import ShapeLike
from amaranth.lib import wiring
from amaranth.lib.memory import Memory, ReadPort, WritePort

from spikeloom.golden.spec import FabricConfig, LoadTarget, index_bits
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.load import connect_load
from spikeloom.hdl.common.read import SplitRow
from spikeloom.hdl.common.shapes import memory


def lane_bits(config: FabricConfig) -> int:
    """Low bits of a neuron's row that are its fire lane."""
    return index_bits(config.fire_lanes) if config.fire_lanes > 1 else 0


class Banks:
    """A memory with a row for each neuron: row a is row a div F of bank a mod F, F = `fire_lanes`.

    Parameters
    ----------
    m
        Gets the banks as submodules.
    name
        Of the memory.
    shape
        Shape of a row.
    config
        Sizes of the fabric.
    depth
        Rows of all banks.
    rows
        Initial rows, packed.

    Attributes
    ----------
    reads
        A read port for each bank, that of lane 0 first.
    """

    def __init__(
        self,
        m: Module,
        name: str,
        shape: ShapeLike,
        config: FabricConfig,
        depth: int,
        rows: Sequence[int] | None = None,
    ) -> None:
        self._m = m
        self._low = lane_bits(config)
        count = config.fire_lanes
        self._memories: list[Memory] = []
        self.reads: list[ReadPort] = []
        for lane in range(count):
            bank = memory(shape, -(-depth // count), (rows or ())[lane::count])
            m.submodules[name if count == 1 else f"{name}{lane}"] = bank
            self._memories.append(bank)
            self.reads.append(bank.read_port())

    def write_port(self, lane: int) -> WritePort:
        """A new write port of a bank."""
        return self._memories[lane].write_port()

    def load(self, load: wiring.PureInterface, target: LoadTarget) -> None:
        """Let the load port write the rows."""
        for lane, bank in enumerate(self._memories):
            connect_load(self._m, load, target, bank, lane, self._low)

    def look_up(self, row: Value) -> list[Any]:
        """Read a row, in place of what else is read in this clock."""
        return [port.addr.eq(row[self._low :]) for port in self.reads]

    def row(self, row: Value) -> Value:
        """The row that was looked up in the clock before, packed."""
        rows = Cat(Value.cast(port.data) for port in self.reads)
        if not self._low:
            return rows
        return rows.word_select(delayed(self._m, row[: self._low], 1), len(rows) >> self._low)

    def readable(self, read: wiring.PureInterface) -> ReadPort | SplitRow:
        """What the read port reads."""
        if not self._low:
            return self.reads[0]
        rows = Cat(Value.cast(port.data) for port in self.reads)
        row = rows.word_select(read.word.address[: self._low], len(rows) >> self._low)
        return SplitRow(self.reads, row, self._low)
