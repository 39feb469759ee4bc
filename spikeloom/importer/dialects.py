"""The dialect of each framework, by name, and how options change it."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from spikeloom.golden.errors import SpikeloomError, meant
from spikeloom.golden.spec import SWITCHES
from spikeloom.importer.dialect import NIR, OF_NODES, Dialect, either

_MANY = "a neuron spikes at most 31 times per step here, and without limit there"

DIALECTS = {
    dialect.name: dialect
    for dialect in (
        NIR,
        # Importer and exporter hard-code dt. There is neither a leak nor a reset potential, and an
        # IF is a Leaky of beta 1. Layers subtract, one step late, unless told otherwise.
        Dialect(
            "snntorch",
            1e-4,
            integrator="step",
            reset="subtract",
            reset_delay=True,
            reset_first=True,
            restore=True,
            clip=True,
            repeat=True,
            fixed=(("v_leak", 0.0), ("v_reset", 0.0)),
            differences=(
                "a Leaky with reset_mechanism='zero' and reset_delay=True spikes as here, but its "
                "potential is read before the reset there and after it here",
                "an RSynaptic with reset_delay=False fails in snnTorch 1.0 where it keeps its own "
                "state, and resets late where it does not: import it with reset_delay=True",
                "an IF: importers before the fix of its beta make a Leaky with beta 0.9 of it",
            ),
            unstated=(
                "reset_mechanism: reset='subtract' (default of snnTorch), 'zero' or 'none'; by "
                "layer reset={'1': 'zero', '*': 'subtract'}",
                "reset_delay: reset_delay=True (default of snnTorch) or False, likewise",
                "padding and ceil_mode of an AvgPool2d are left out: set them in the node",
                "graded_spikes_factor: multiply the weights of the next layer by it",
                "inhibition and state_quant: no option; train without them",
            ),
        ),
        # The default dt of its cells and of its importer, which ignores v_reset, and r except in
        # a CubaLIF; states start at the leak potential; IAFCell adds its input unscaled.
        Dialect(
            "norse",
            1e-3,
            integrator="step",
            start="leak",
            synaptic_leak=True,
            recurrent_bias_from=1,
            repeat=True,
            fixed=(("IF.r", 1.0), ("LI.r", 1.0), ("LIF.r", 1.0), ("v_reset", 0.0)),
            differences=("to_nir multiplies time constants by its dt: export with dt=1",),
            unstated=(
                "dt of the cells: dt=0.001 (default of Norse)",
                "a LIFCell is exported without the gain of its synapse: synaptic_gain='one', "
                "synaptic_leak=False",
                "reset_method: reset='value' (default of Norse) or 'subtract'",
                "v_reset of a cell is left out: set it in the node, with fixed=()",
            ),
        ),
        # Time constants count steps; spikes are graded. Layers have no lower bound, and a leaky one
        # scales its input by 1 - alpha (norm_input).
        Dialect(
            "sinabs",
            1.0,
            decay="exponential",
            gain="decay",
            synaptic_gain="decayed",
            reset="subtract",
            compare=">=",
            max_spikes=31,
            repeat=True,
            fixed=(("v_leak", 0.0),),
            differences=(
                _MANY,
                "its importer gives an IF min_v_mem=-v_threshold and an LIF norm_input=False, "
                "unlike the defaults of its layers: for a network that from_nir made, pass "
                "clamp=('IF',), gain='one'",
                "its importer knows no CubaLIF or CubaLI; here they follow these options",
            ),
            unstated=(
                "min_v_mem: clamp=-1.0, or by kind clamp=(('IF', -1.0), ('LIF', -2.0)) "
                "(default of Sinabs: none)",
                "norm_input=False: gain='one' (default of Sinabs: norm_input=True, gain='decay')",
                "spike_fn=SingleSpike: max_spikes=1; MaxSpike(n): max_spikes=n "
                "(default of Sinabs: MultiSpike)",
                "reset_fn=MembraneReset(): reset='zero', max_spikes=1",
                "tau_syn of a layer is left out: make the node a CubaLIF with it",
            ),
        ),
        # Every Dense of a network hands on what it computed a step before.
        Dialect(
            "lava",
            1e-4,
            input_delay=1,
            forward_delay=1,
            repeat=True,
            fixed=(
                ("IF.r", 1.0),
                ("LIF.r", 1.0),
                ("v_leak", 0.0),
                ("v_reset", 0.0),
                ("bias", 0.0),
            ),
            differences=(
                "these are the floating-point processes; the fixed-point ones round weights, "
                "decays and thresholds in their own way (load_lava_net reads their integers)",
                "the importer published with the NIR paper puts one more Dense before each LIF: "
                "for it, pass input_delay=2 and forward_delay=2",
                "slayer spikes at v >= v_threshold, for the threshold it exports plus a margin: "
                "pass compare='>=' for a network whose potentials can equal it",
            ),
            unstated=(
                "delays of axons (delay=True): a Delay node behind the neuron node",
                "refractory delays (tau_rho) and thresholds that adapt: no option; train without",
            ),
        ),
        # No time step is stored: its importer guesses one from r.
        Dialect(
            "rockpool",
            decay="exponential",
            gain="one",
            synaptic_gain="decayed",
            reset="subtract",
            compare=">=",
            max_spikes=31,
            repeat=True,
            fixed=(("v_leak", 0.0),),
            differences=(
                _MANY,
                "its importer takes min(tau_mem / (1 + r)) for dt, which is not quite the dt that "
                "was exported; pass the true one",
                "its importer leaves out the bias of a recurrent Affine",
            ),
            unstated=(
                "dt of the modules: dt= (default of Rockpool: 0.001)",
                "bias of a LIFTorch or LIFNeuronTorch is written as 0: put it into the Affine "
                "in front",
                "w_rec of a LIFTorch with has_rec=True is left out: add a Linear from the node to "
                "itself",
                "max_spikes_per_dt: max_spikes=",
                "noise_std: no option; evaluate without noise",
            ),
        ),
        # It compares the potential from before the step, so spikes leave a step late. Its images
        # are channels-last, and its exporter transposes all but the order of a Flatten. A PSU_LIF,
        # which is an LI with a Threshold, compares after the step.
        Dialect(
            "spyx",
            1.0,
            gain="one",
            synaptic_gain="one",
            integrator="step",
            reset="subtract",
            reset_delay=("IF", "LIF"),
            clip=True,
            forward_delay=(("CubaLIF", 1), ("IF", 1), ("LIF", 1)),
            repeat=True,
            flatten="channels_last",
            padding="same",
            loop_entry="neuron",
            fixed=(("v_leak", 0.0),),
            differences=(
                "spikes are recorded in the step that makes them here, and a step later there "
                "(those of a PSU_LIF in the same step)",
            ),
            unstated=(
                "dt of to_nir: dt=1 (default of Spyx)",
                "feature_group_count and kernel_dilation of a Conv are written as 1: set them in "
                "the node",
                "the upper half of a padding of unequal halves: set padding in the node",
            ),
        ),
    )
}


EVERY_OTHER = "*"
"""Stands for all nodes that an option does not name."""


def resolve(dialect: str | Dialect, **options: Any) -> Dialect:
    """The dialect called `dialect` (or given as a record), with `options` that are not None put in.

    An option may be a mapping from names of neuron nodes to values, with "*" for all others.

    Raises `SpikeloomError` where a name is unknown or an option has an impossible value.
    """
    if not isinstance(dialect, Dialect):
        if not isinstance(dialect, str) or dialect not in DIALECTS:
            hint = meant(dialect, DIALECTS) if isinstance(dialect, str) else ""
            raise SpikeloomError(
                f"dialect must be {either(tuple(DIALECTS))}, not {dialect!r}{hint}"
            )
        dialect = DIALECTS[dialect]
    check_options(options)
    given = {option: value for option, value in options.items() if value is not None}
    nodes = {name: dict(stated) for name, stated in dialect.nodes}
    for option, value in list(given.items()):
        if not isinstance(value, Mapping):
            continue
        if option not in OF_NODES:
            raise SpikeloomError(f"{option}: all nodes share it; give one value, not {value!r}")
        del given[option]
        for name, of_node in value.items():
            if not isinstance(name, str):
                raise SpikeloomError(f"{option}: names of nodes must be strings, not {name!r}")
            if name == EVERY_OTHER:
                given[option] = of_node
            else:
                nodes.setdefault(name, {})[option] = of_node
    of_nodes = tuple((name, tuple(stated.items())) for name, stated in nodes.items())
    return dialect.stating(given, nodes=of_nodes)


def check_options(options: Iterable[str]) -> None:
    """Raise `SpikeloomError` where a name is no option of a dialect."""
    described = {"name", "nodes", "switches", "differences", "unstated"}
    known = {field.name for field in dataclasses.fields(Dialect)} - described | {*SWITCHES}
    for option in options:
        if option not in known:
            raise SpikeloomError(
                f"{option}: no such option of a dialect{meant(option, known)}; there are "
                f"{', '.join(sorted(known))}"
            )
