"""What a switch adds to the pipeline of the neuron update."""

import importlib

from amaranth import Const, Value
from amaranth.lib import data

from spikeloom.golden.spec import SWITCHES, FabricConfig
from spikeloom.hdl.core.pipeline import Pipeline


class Stage:
    """A switch; by default it adds nothing.

    Its methods are called in this order, each when the pipeline has come to its place. Where a
    method takes clocks (`SWITCHES`), it advances the pipeline.
    """

    def start(self, pipe: Pipeline) -> None:
        """Stage 1: the neuron's potential, its parameters and what is kept of it have arrived."""

    def scale(self, pipe: Pipeline, x: Value) -> Value:
        """The neuron's input; `product_clocks` after `start`."""
        return x

    def leak(self, pipe: Pipeline, retained: Value, negative: Value) -> Value:
        """The potential after the decay, from its product and the sign that it had."""
        return retained

    def after_sum(self, pipe: Pipeline, u: Value) -> Value:
        """The potential after m + 6."""
        return u

    def before_comparison(self, pipe: Pipeline, u: Value) -> Value:
        """The potential after m + 7."""
        return u

    def raised(self, pipe: Pipeline, threshold: Value) -> Value:
        """What m + 8 compares with."""
        return threshold

    def bars(self, pipe: Pipeline) -> Value:
        """Whether it keeps the neuron from spiking."""
        return Const(0)

    def keeps(self, pipe: Pipeline, spiked: Value) -> dict[str, Value]:
        """Its kept fields as m + 9 writes them."""
        return {}


def begins(first: Value, population: data.View, kept: str) -> Value:
    """Whether the field `kept` of the state memory is read as 0; `first`: in a first step."""
    for name, layout in SWITCHES.items():
        keeps = any(field[0] == "keep" for field in layout.row)
        if keeps and kept in (f"{name}_{field}" for field, _ in layout.kept):
            return first & ~population[f"{name}_keep"]
    return first


def stages(config: FabricConfig) -> list[Stage]:
    """The switches that are built, in their order."""
    modules = (
        importlib.import_module(f"spikeloom.hdl.core.switches.{name}") for name in config.switches
    )
    return [module.STAGE() for module in modules]
