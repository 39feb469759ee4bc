"""Noise: random numbers of the neurons choose from a table."""

from typing import Any

from amaranth import Cat, Const, Module, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from spikeloom.golden.spec import NOISE_ROWS, NUMBER_BITS, RANDOM_BITS, FabricConfig, LoadTarget
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.load import connect_load, load_signature
from spikeloom.hdl.common.shapes import memory, struct
from spikeloom.hdl.core.random_numbers import MIXING_CLOCKS, mixed

NOISE_CLOCKS = 2 + MIXING_CLOCKS
"""Clocks from a neuron's number to its noise."""


class NoiseSource(wiring.Component):
    """n of a neuron: row `number` mod 256 of its population's table.

        number = mixed(state ^ (neuron | population << 16 | 1 << 31))

    Timing: `neuron` of clock n gives `value` in clock n + `latency`; one in every clock. The row
    must hold all the while.

    Parameters
    ----------
    config
        Sizes of the fabric, with `noise`.

    Members
    -------
    state : In(32)
        Of the step: `StepState`.
    load : In(load_signature(config))
    row : In(config.population_row)
        Of the neuron's population.
    neuron : In(16)
        Its number in the population.
    value : Out(signed(state_bits))
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        super().__init__(
            {
                "state": In(RANDOM_BITS),
                "load": In(load_signature(config)),
                "row": In(struct(config.population_row)),
                "neuron": In(NUMBER_BITS),
                "value": Out(signed(config.state_bits)),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from `neuron` to `value`."""
        return NOISE_CLOCKS

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        m.submodules.tables = tables = memory(
            signed(config.state_bits), NOISE_ROWS * config.noise_tables
        )
        connect_load(m, self.load, LoadTarget.NOISE, tables)
        read = tables.read_port()
        key = Signal(RANDOM_BITS)
        m.d.comb += [
            key.eq(Cat(self.neuron, self.row.number)),
            key[-1].eq(1),
            read.addr.eq(Cat(mixed(m, delayed(m, self.state ^ key, 1))[:8], self.row.noise_table)),
            self.value.eq(read.data),
        ]
        return m


def noise_of(
    m: Module, config: FabricConfig, state: Value, load: Any, row: Any, neuron: Value
) -> list[Value]:
    """The noise of a row of neurons, by lane; `neuron` is the number of that of lane 0."""
    values: list[Value] = []
    for lane in range(config.fire_lanes):
        noise = NoiseSource(config)
        m.submodules["noise" if config.fire_lanes == 1 else f"noise{lane}"] = noise
        connect(m, flipped(load), noise.load)
        further: Value = Const(lane)
        if config.images and lane:
            further = delayed(m, row.plane * lane, 1)  # the row has settled
        m.d.comb += [noise.state.eq(state), noise.row.eq(row), noise.neuron.eq(neuron + further)]
        values.append(noise.value)
    return values
