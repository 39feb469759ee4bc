"""What a driver has to know of the registers: the header and the class are written from it."""

import dataclasses
from dataclasses import dataclass

from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.axi.buses import WORD_BITS, WORD_BYTES
from spikeloom.hdl.axi.registers import Register


@dataclass(frozen=True)
class Place:
    """A register of 32 or 64 bits; of a group, one of its members.

    Parameters
    ----------
    name
        Its name: that of `Register`, of a group with that of the member.
    address
        Byte address of its lower word.
    bits
        32, or 64: two words, the lower first.
    access
        "R", "W" or "RW".
    fields
        Names of single bits, the lowest first.
    """

    name: str
    address: int
    bits: int
    access: str
    fields: tuple[str, ...] = ()


_SINGLE = {
    Register.IDENTIFIER: (32, "R", ()),
    Register.VERSION: (32, "R", ()),
    Register.CONFIGURATION: (64, "R", ()),
    Register.STATUS: (32, "R", ("BUSY", "WAITING")),
    Register.CONTROL: (32, "RW", ("RESET",)),
    Register.CYCLES: (64, "R", ()),
    Register.LOAD_TILE: (32, "RW", ()),
    Register.LOAD_TARGET: (32, "RW", ()),
    Register.LOAD_ADDRESS: (32, "RW", ()),
    Register.LOAD_COMMIT: (32, "W", ()),
}


def places(config: FabricConfig) -> tuple[Place, ...]:
    """Every register of a fabric, by address."""
    single = [Place(at.name, int(at), *rest) for at, rest in _SINGLE.items()]
    parts = -(-config.load.fields[-1].width // WORD_BITS)
    data = [
        Place(f"LOAD_DATA_{n}", Register.LOAD_DATA + WORD_BYTES * n, 32, "RW") for n in range(parts)
    ]
    sizes = [
        Place(f"SIZES_{field.name.upper()}", Register.SIZES + WORD_BYTES * n, 32, "R")
        for n, field in enumerate(dataclasses.fields(config))
    ]
    names = [f"{name}_{tile}" for tile in range(config.tiles) for name in config.tile_counters]
    counters = [
        Place(f"COUNTERS_{name.upper()}", Register.COUNTERS + 2 * WORD_BYTES * n, 64, "R")
        for n, name in enumerate(names)
    ]
    return (*single, *data, *sizes, *counters)
