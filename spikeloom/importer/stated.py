"""Options stated for neuron nodes: each names a node of the graph, and something that it has."""

from collections.abc import Mapping, Sequence

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import SWITCHES
from spikeloom.importer.dialect import PARAMETERS, Dialect, within
from spikeloom.importer.graph import names
from spikeloom.importer.node import Node

MEANT_FOR = PARAMETERS | dict.fromkeys(SWITCHES, PARAMETERS["threshold"])
"""Options that are for nodes with one of these parameters; switches are for those that spike."""


def check_stated(dialect: Dialect, neurons: Mapping[str, Sequence[Node]]) -> None:
    """Refuse options of nodes that the graph does not have, and parameters that no node has.

    `neurons` has the nodes of each population, by its name: a neuron node, and a Threshold behind
    it.
    """
    having = {
        option: [name for name, nodes in neurons.items() if any(_has(n, option) for n in nodes)]
        for option in MEANT_FOR
    }
    for name, stated in dialect.nodes:
        if not any(within(neuron, name) for neuron in neurons):
            raise SpikeloomError(
                f"{', '.join(option for option, _ in stated)}: the graph has no neuron node "
                f"{name!r}; it has {names([*neurons])}"
            )
        for option, _ in stated:
            if option in having and not any(within(neuron, name) for neuron in having[option]):
                raise SpikeloomError(
                    f"{option}: node {name!r} has no {' or '.join(MEANT_FOR[option])}; leave it "
                    f"out, or name one of {names(having[option]) or 'another network'}"
                )
    for option in [name for name in PARAMETERS if getattr(dialect, name) is not None] + [
        name for name, _ in dialect.switches
    ]:
        if not having[option]:
            raise SpikeloomError(
                f"{option}: no neuron node of the graph has {' or '.join(MEANT_FOR[option])}; "
                "leave it out"
            )


def _has(node: Node, option: str) -> bool:
    """Whether an option of `MEANT_FOR` means something for a node."""
    if option == "v_init":
        return node.kind != "Threshold"
    return any(getattr(node.node, name, None) is not None for name in MEANT_FOR[option])
