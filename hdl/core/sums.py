"""The sums of neurons, a row of them per clock, in the unit of their potentials."""

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data

from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.shapes import lanes


def shifting(m: Module, config: FabricConfig, fetch: Any) -> data.View:
    """A fetched row of sums, which shifts by the fire lanes every clock: the present ones come
    first.

    Parameters
    ----------
    fetch
        Of fire; its row of sums arrives in the clock after `valid`.
    """
    buffer = Signal(lanes(config.lanes, config.sum_bits))
    arriving = delayed(m, fetch.valid, 1)
    for lane in range(config.lanes):
        above = buffer[(lane + config.fire_lanes) % config.lanes]
        m.d.sync += buffer[lane].eq(Mux(arriving, fetch.sums[lane], above))
    return buffer


def neuron_input(
    m: Module, config: FabricConfig, total: Value, population: data.View, constants: data.View
) -> Value:
    """The neuron's sum, shifted if the fabric is built for it, plus its bias.

    With `input_gain` the update shifts and adds.

    Parameters
    ----------
    total
        The sum.
    population
        The population's row.
    constants
        The neuron's row of the bias memory.
    """
    if config.input_gain:
        return total
    if config.fraction_bits:
        # The row has settled; a register shortens the path from the memory to the shifter.
        shifted = total << delayed(m, population.fraction, 1)
        # Larger shifts than `fraction_bits` do not occur.
        total = shifted[: config.sum_bits + config.fraction_bits].as_signed()
    return total + constants.bias
