"""Size and speed of the neuron core on FPGAs, beside the loop that it cannot be faster than.

Cells are those of one `Tile` alone, and the block RAMs those of a fabric of one tile, as nextpnr
packs them; `bench.synthesis` names them. The clock is that of such a fabric in a `Harness`. The
bare loop is what its integrate does and nothing else: read weights and accumulators, add, write
back, with nothing forwarded. Both are placed with the same seeds; the ratio is that of the best.
nextpnr's router for iCE40 now and then finds no end; a seed with which that happens is left out,
for both.
"""

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bench.figure import Figure
from bench.synthesis import ECP5_6, ECP5_8, HX8K, UP5K, Target, fmax, nextpnr, synthesise
from spikeloom.golden.spec import FabricConfig, index_bits
from spikeloom.hdl.common.shapes import lanes, memory
from spikeloom.hdl.core.tile import Tile
from spikeloom.hdl.fabric import Fabric
from spikeloom.sim import verilog
from spikeloom.sim.toolchain import OutOfTime

_SEEDS = (1, 2, 3, 4, 5)
_CELLS = 1500
_RAMS = 26
_RATIO = 0.8
# Weights fill the memories that a part has for them; counters are as short as they can be.
_PARTS: dict[str, tuple[Target, int]] = {
    "up5k": (UP5K, 16384),
    "hx8k": (HX8K, 256),
    "ecp5_6": (ECP5_6, 8192),
    "ecp5_8": (ECP5_8, 8192),
}
_FLOORS = {"up5k": 36.0, "ecp5_6": 100.0}
_MINUTES = 6
"""For one placement and its routing: several times what one takes that ends."""
_FREQUENCY = "300"
"""In MHz, asked of nextpnr: more than there is, so that it tries as hard as it can."""


class Harness(wiring.Component):
    """A fabric between few pins: all its paths run from register to register.

    A shift register drives all inputs; outputs are captured, then folded into a signature.

    Parameters
    ----------
    config
        Sizes of the fabric.

    Members
    -------
    serial : In(1)
        Into the shift register.
    signature_bit : Out(1)
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        super().__init__({"serial": In(1), "signature_bit": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Connect it."""
        m = Module()
        m.submodules.fabric = fabric = Fabric(self.config)
        load, host_in, host_out = fabric.load, fabric.host_in, fabric.host_out
        inputs = Cat(host_in.valid, host_in.p, host_out.ready, load.valid, load.p)
        outputs = Cat(host_in.ready, host_out.valid, host_out.p, fabric.counters)
        _fold(m, self, inputs, outputs)
        return m


class Loop(wiring.Component):
    """Adds a row of weights to a row of sums in every clock: the bare loop.

    Parameters
    ----------
    config
        Lanes, widths and sizes of the two memories.

    Members
    -------
    serial : In(1)
        Into a shift register that drives all addresses.
    signature_bit : Out(1)
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        super().__init__({"serial": In(1), "signature_bit": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Connect it."""
        config = self.config
        m = Module()
        m.submodules.weights = weights = memory(
            lanes(config.lanes, config.weight_bits), config.weight_words
        )
        m.submodules.sums = sums = memory(lanes(config.lanes, config.sum_bits), config.sum_words)
        weight_read, weight_write = weights.read_port(), weights.write_port()
        sum_read, sum_write = sums.read_port(), sums.write_port()
        weight_address = Signal(index_bits(config.weight_words))
        m.d.comb += [weight_read.addr.eq(weight_address), weight_write.addr.eq(weight_address)]
        m.d.sync += sum_write.addr.eq(sum_read.addr)
        for lane in range(config.lanes):
            total = sum_read.data[lane] + weight_read.data[lane]
            m.d.comb += sum_write.data[lane].eq(total)
        inputs = Cat(
            weight_address, weight_write.en, weight_write.data, sum_read.addr, sum_write.en
        )
        _fold(m, self, inputs, Cat(sum_read.data))
        return m


def _fold(m: Module, top: Harness | Loop, inputs: Cat, outputs: Cat) -> None:
    """Drive `inputs` from the serial pin of `top`, and `outputs` onto the other one."""
    driven = Signal(len(inputs))
    captured, signature = Signal(len(outputs)), Signal(len(outputs))
    m.d.sync += [
        driven.eq(Cat(top.serial, driven)),
        captured.eq(outputs),
        signature.eq((signature << 1) ^ captured),
    ]
    m.d.comb += [inputs.eq(driven), top.signature_bit.eq(signature[-1])]


def _fmax(target: Target, netlist: str, seed: int) -> float | None:
    """In MHz; None where the routing does not end."""
    options = ("--freq", _FREQUENCY, "--seed", str(seed))
    try:
        return fmax(nextpnr(target, netlist, *options, minutes=_MINUTES))
    except OutOfTime:
        return None


def _config(part: str, **options: Any) -> FabricConfig:
    target, weight_words = _PARTS[part]
    sizes = {"weight_words": weight_words, "counter_bits": 16, "multipliers": target is not HX8K}
    return FabricConfig(**sizes | options)


def _netlist(part: str, design: Tile | Harness | Loop) -> str:
    text = verilog.generate(type(design).__name__, design.config, design, "top")
    return synthesise(_PARTS[part][0], text)


def tile_cells(part: str, kind: str = "", **options: Any) -> int:
    """Cells of a tile on one of the parts, as packed: of a kind, or those of its logic.

    `options` are those of its fabric.
    """
    target = _PARTS[part][0]
    packed = nextpnr(target, _netlist(part, Tile(_config(part, **options))), "--pack-only")
    used: int = packed["utilization"][kind or target.cells[0]]["used"]
    return used


def fabric_clocks(part: str, **options: Any) -> list[float]:
    """The clocks of a fabric of one tile, in MHz, of each of three placements that is routed."""
    target = _PARTS[part][0]
    netlist = _netlist(part, Harness(_config(part, **options)))
    return [clock for seed in _SEEDS[:3] if (clock := _fmax(target, netlist, seed))]


def measure(_data: Path) -> Iterator[Figure]:
    """Measure; needs no data."""
    for name, (target, _) in _PARTS.items():
        config = _config(name)
        packed = nextpnr(target, _netlist(name, Tile(config)), "--pack-only")["utilization"]
        fabric, loop = _netlist(name, Harness(config)), _netlist(name, Loop(config))
        for cell in target.cells:
            goal = _CELLS if (name, cell) == ("up5k", "ICESTORM_LC") else None
            used = packed[cell]["used"]
            yield Figure(f"core.{name}.tile.{cell.lower()}", used, "cells", goal, at_most=True)
        if name == "up5k":
            rams = nextpnr(target, fabric, "--pack-only")["utilization"]["ICESTORM_RAM"]["used"]
            yield Figure("core.up5k.fabric.icestorm_ram", rams, "cells", _RAMS, at_most=True)
        pairs = [
            (at_fabric, at_loop)
            for seed in _SEEDS
            if (at_fabric := _fmax(target, fabric, seed)) and (at_loop := _fmax(target, loop, seed))
        ]
        yield Figure(f"core.{name}.seeds", len(pairs), "seeds that ended")
        assert pairs, "no routing ended"
        fabric_clocks, loop_clocks = zip(*pairs, strict=True)
        best, bare = max(fabric_clocks), max(loop_clocks)
        for what, clocks in (("fabric", fabric_clocks), ("loop", loop_clocks)):
            yield Figure(f"core.{name}.{what}.fmax_median", statistics.median(clocks), "MHz")
        yield Figure(f"core.{name}.loop.fmax_best", bare, "MHz")
        yield Figure(f"core.{name}.fabric.fmax_best", best, "MHz", _FLOORS.get(name))
        yield Figure(
            f"core.{name}.fmax_ratio",
            best / bare,
            "of the bare loop",
            _RATIO,
            reference=f"core.{name}.loop.fmax_best",
            reference_value=bare,
        )
