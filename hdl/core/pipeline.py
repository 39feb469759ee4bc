"""The pipeline of the neuron update: values that travel with a neuron from stage to stage."""

from collections.abc import Mapping

from amaranth import Module, Value
from amaranth.lib import data

from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.common.delay import delayed


class Pipeline:
    """Builds the pipeline stage by stage, and delays each value until a stage uses it.

    Values are fetched and registered outside of `m.If`, which would make their delays conditional.

    Parameters
    ----------
    m
        Gets the registers.
    config
        Sizes of the fabric.
    row
        The population's row, which holds while its neurons are in the pipeline.
    own
        Parameters that each neuron has for itself, as they enter in stage 0.

    Attributes
    ----------
    clock
        The stage that is being built, by the clocks since a neuron's potential arrived.
    """

    def __init__(
        self, m: Module, config: FabricConfig, row: data.View, own: Mapping[str, Value]
    ) -> None:
        self.m = m
        self.config = config
        self.row = row
        self.clock = 0
        self._lines: dict[str, tuple[int, list[Value]]] = {}
        for name, value in own.items():
            self.put(name, value)

    def put(self, name: str, value: Value, later: int = 0) -> None:
        """Give a name to a value of the neuron in the present stage, or `later` stages on."""
        self._lines[name] = self.clock + later, [value]

    def get(self, name: str) -> Value:
        """The value of this name that belongs to the neuron in the present stage."""
        first, line = self._lines[name]
        assert first <= self.clock, f"{name} is not known yet"
        while len(line) <= self.clock - first:
            line.append(delayed(self.m, line[-1], 1))
        return line[self.clock - first]

    def coming(self, name: str) -> tuple[Value, int]:
        """The value of this name as it comes, and how many clocks after the present stage."""
        first, line = self._lines[name]
        return line[0], first - self.clock

    def parameter(self, name: str) -> Value:
        """A parameter of the neuron in the present stage: what was put, or else that of the row."""
        return self.get(name) if name in self._lines else self.row[name]

    def advance(self, clocks: int = 1) -> None:
        """Go on to the stage that is so many clocks later."""
        self.clock += clocks

    def register(self, value: Value) -> Value:
        """`value` in the next stage, to which this goes on."""
        self.advance()
        return delayed(self.m, value, 1)
