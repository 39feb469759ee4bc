"""Every component of the hardware documents every member, and nothing else."""

import dataclasses
import importlib
import inspect
import pkgutil
import re
from typing import Any

import pytest
from amaranth import Fragment
from amaranth.lib import wiring

import spikeloom.hdl
from spikeloom.golden.link import LinkConfig
from spikeloom.golden.spec import SWITCHES, FabricConfig
from spikeloom.hdl.axi.axi_fabric import AxiFabric
from spikeloom.hdl.fabric import Fabric
from spikeloom.hdl.fabric_with_link import FabricWithLink

EVERYTHING = FabricConfig(
    columns=2,
    rows=2,
    lanes=2,
    neurons=8,
    weight_words=8,
    queue=4,
    extent=3,
    coordinates=8,
    synaptic_current=True,
    weight_pairs=True,
    delayed_reset=True,
    lower_clamp=True,
    max_spikes=3,
    signed_spikes=True,
    graded_bits=2,
    fraction_bits=3,
    neuron_parameters=True,
    traces=True,
    plasticity=True,
    quadratic_bounds=True,
    eligibility=True,
    plastic_kernels=True,
    two_ports=True,
    readable=True,
    multipliers=False,
    **dict.fromkeys(SWITCHES, True),
)

FIRE_LANES = dataclasses.replace(
    EVERYTHING, fire_lanes=2, selection=False, learn_lanes=1, two_ports=False
)
"""Several fire lanes have no selection, and words of two passes wait where there is one port."""


def component_classes() -> set[type]:
    """All that the package defines."""
    classes = set()
    for module in pkgutil.walk_packages(spikeloom.hdl.__path__, "spikeloom.hdl."):
        for value in vars(importlib.import_module(module.name)).values():
            ours = getattr(value, "__module__", "").startswith("spikeloom.hdl")
            if ours and inspect.isclass(value) and issubclass(value, wiring.Component):
                classes.add(value)
    return classes


@pytest.fixture(scope="module")
def components() -> dict[type, list[wiring.Component]]:
    """All components of elaborated fabrics with every option, by class."""
    instances: dict[type, list[wiring.Component]] = {}
    plain = wiring.Component.__init__

    def recorded(self: wiring.Component, *arguments: Any, **options: Any) -> None:
        plain(self, *arguments, **options)
        instances.setdefault(type(self), []).append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring.Component, "__init__", recorded)
        Fragment.get(
            FabricWithLink(EVERYTHING, LinkConfig("test", clock_hz=1_000_000, clocks_per_bit=4)),
            None,
        )
        Fragment.get(AxiFabric(EVERYTHING), None)
        Fragment.get(Fabric(EVERYTHING, probe=True, status=True), None)
        Fragment.get(Fabric(FIRE_LANES), None)
    return instances


def documented(component: type) -> set[str]:
    """Names in the section Members of its docstring."""
    docstring = inspect.cleandoc(component.__doc__ or "")
    _, _, section = docstring.partition("\nMembers\n-------\n")
    section = re.split(r"\n\n\w+\n-+\n", section)[0]
    names: set[str] = set()
    for line in section.splitlines():
        if not line.startswith(" "):
            for listed in re.findall(r"(\w+(?:, \w+)*) : ", line):
                names |= set(listed.split(", ")) - {"In", "Out"}
    return names


def test_every_component_is_in_a_fabric(components: dict[type, list[wiring.Component]]) -> None:
    ours = {component for component in components if component.__module__.startswith("spikeloom")}
    assert ours == component_classes()
    assert {Fabric, FabricWithLink, AxiFabric} < ours


@pytest.mark.parametrize("component", sorted(component_classes(), key=lambda c: c.__qualname__))
def test_every_member_is_documented(
    component: type, components: dict[type, list[wiring.Component]]
) -> None:
    members = {name for instance in components[component] for name in instance.signature.members}
    assert members
    assert documented(component) == members


def test_a_member_that_is_missing_is_found() -> None:
    class Partial(wiring.Component):
        """Documents half of its members.

        Members
        -------
        first, second : In(1)
            An entry of two names.
        third : In(1), fourth : Out(1)
            Two entries: of fifth : Out(1) only the text speaks.

        Raises
        ------
        sixth : Error
        """

    assert documented(Partial) == {"first", "second", "third", "fourth"}
