"""Choices that an import made because neither file nor user stated them."""

from collections.abc import Collection
from dataclasses import dataclass

from spikeloom.importer.dialect import NIR, Dialect

MEANINGS = {
    "dt": "time step, in the unit of the file's time constants",
    "decay": "fraction that a time constant forgets per step",
    "gain": "gain of what a potential adds up",
    "synaptic_gain": "gain of what a synaptic current adds up",
    "integrator": "gain of an integrator's input",
    "reset": "effect of a spike on the potential",
    "reset_delay": "whether a spike resets its neuron one step late",
    "restore": "whether a reset that leaves a potential above the threshold repeats for a step",
    "compare": "a neuron spikes where its potential is this to the threshold",
    "start": "potential before the first step",
    "synaptic_leak": "whether synaptic currents leak to v_leak",
    "clamp": "lower bound of potentials",
    "clip": "a decay outside 0..1 is the nearest of these",
    "max_spikes": "maximum spikes of a neuron per step",
    "signed": "whether potentials below 0 spike as well",
    "input_delay": "steps from an input to a neuron",
    "forward_delay": "steps from a neuron to a neuron",
    "recurrent_delay": "steps of a connection that closes a cycle",
    "recurrent_bias_from": "first step in which the bias of a recurrent connection acts",
    "repeat": "a parameter of one element holds for all neurons of its node",
    "flatten": "order in which a Flatten lines up an image",
    "padding": "zeros around a padded image",
    "loop_entry": "where the input of a recurrent layer goes",
}
"""Every option of a dialect that a file leaves open."""

ALWAYS = {
    "dt",
    "gain",
    "synaptic_gain",
    "integrator",
    "reset",
    "reset_delay",
    "compare",
    "clamp",
    "recurrent_delay",
}
"""Options on which frameworks differ most. Others are named where they are not those of NIR."""

FLAGS = ("dt", "reset", "compare")
"""Options that the command line has by their own name."""


@dataclass(frozen=True)
class Assumption:
    """A choice that changes spikes and that the user did not make.

    Parameters
    ----------
    choice
        The option, or a few words where there is none.
    value
        What was assumed.
    meaning
        The choice in a few words.
    python, command
        How `load_nir` and the command line take another value.
    """

    choice: str
    value: object
    meaning: str
    python: str
    command: str

    def __str__(self) -> str:
        change = self.python if self.python == self.command else f"{self.python} or {self.command}"
        return f"{self.choice} = {self.value!r}: {self.meaning}; to change it: {change}"


def assumptions(
    dialect: Dialect, used: Collection[str], given: Collection[str]
) -> tuple[Assumption, ...]:
    """The options that an import used and the user did not give, in the order of `MEANINGS`."""
    of_nodes = {option for _, stated in dialect.nodes for option, _ in stated}
    return tuple(
        Assumption(
            option,
            getattr(dialect, option),
            f"{meaning}, in nodes for which it is not given" if option in of_nodes else meaning,
            f"{option}=",
            f"--{option}" if option in FLAGS else f"--option {option}=",
        )
        for option, meaning in MEANINGS.items()
        if option in used
        and option not in given
        and (option in ALWAYS or getattr(dialect, option) != getattr(NIR, option))
    )
