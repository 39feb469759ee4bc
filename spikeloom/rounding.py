"""Float against integer: what quantisation changes, drawn."""

from spikeloom.devices.device import Events
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.step.run import check_inputs, simulate
from spikeloom.importer.float_network import FloatNetwork
from spikeloom.plots.axes import Axes
from spikeloom.plots.rounding import rounding
from spikeloom.program import Program
from spikeloom.scores import run_float, units_of


def plot_rounding(
    program: Program,
    net: FloatNetwork,
    events: Events,
    population: str | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw the final potentials of the float network against those of the integers.

    Parameters
    ----------
    program, net
        A program, and the float network that it was compiled from.
    events
        As for `Device.run`.
    population
        Whose potentials; default: the last population's.

    Raises
    ------
    SpikeloomError
        The program was compiled from another network, or has no such population.
    """
    counts = check_inputs(program.network, events)
    name = program.network.populations[-1].name if population is None else population
    units = units_of(program)
    if name not in units:
        raise SpikeloomError(f"there is no population {name!r}; there are {', '.join(units)}")
    floats = run_float(net, program.network, counts).states[name]
    integers = simulate(program.network, counts).states[name] / units[name]
    return rounding(name, floats, integers, ax)
