"""What every switch is made of in a float network."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.random_numbers import NeuronNumbers
from spikeloom.golden.spec import SWITCHES
from spikeloom.golden.switches.switch import Switch
from spikeloom.importer.linear_maps import Floats

Rounded = Callable[[float, str], int]
"""A potential in integer units, which fits its width; the name of its field is for the message."""


class FloatNeurons(Protocol):
    """What a switch reads of its population."""

    @property
    def size(self) -> int: ...
    @property
    def image(self) -> tuple[int, int, int] | None: ...
    @property
    def v_reset(self) -> float | Floats: ...


@dataclass(frozen=True)
class FloatSwitch:
    """A switch of one population, in the units of the float network; times are in steps.

    The methods from `scale` to `after` are lines of the update in `importer.float_simulation`, and
    do nothing by default. `kept` holds what it keeps of each neuron, zeros when a sample begins.
    """

    name: ClassVar[str]

    def __str__(self) -> str:
        parameters = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"{self.name}({parameters})"

    @classmethod
    def stated(cls, value: Any, dt: float | None) -> "FloatSwitch":
        """The switch that an option of `load_nir` states.

        Raises `SpikeloomError` that says what the value must be.
        """
        raise NotImplementedError

    def integer(self, rounded: Rounded) -> Switch:
        """The switch of the integer network."""
        raise NotImplementedError

    def check(self, where: str, neurons: FloatNeurons) -> None:
        """Raise `SpikeloomError`, with `where` in front, if it does not suit its population."""

    @property
    def carries(self) -> bool:
        """Whether what it keeps goes on from sample to sample."""
        return False

    @property
    def versions(self) -> int:
        """Steps until its parameters no longer change."""
        return 1

    def at(self, step: int) -> "FloatSwitch":
        """The switch with the parameters of a step alone."""
        return self

    @property
    def levels(self) -> tuple[float, ...]:
        """The potentials that it names."""
        return ()

    def from_rest(self, rest: float) -> "FloatSwitch":
        """The switch where potentials are counted from `rest` on."""
        return self

    @property
    def scales(self) -> bool:
        """Whether it does the same where all potentials of a neuron are multiplied by a factor."""
        return not any(self.levels)

    def scale(self, x: Floats, step: int) -> Floats:
        """The input."""
        return x

    def leak(self, v: Floats) -> Floats:
        """The potentials after their decay."""
        return v

    def integrate(
        self, u: Floats, v: Floats, neurons: FloatNeurons, kept: Mapping[str, Floats]
    ) -> Floats:
        """The potentials with this step's input; `v` are those before the step."""
        return u

    def limit(self, u: Floats, neurons: FloatNeurons) -> Floats:
        """The potentials before they are compared."""
        return u

    def raised(self, kept: Mapping[str, Floats]) -> Floats | float:
        """What is added to the thresholds."""
        return 0.0

    def noise(self, numbers: NeuronNumbers, u: Floats) -> Floats | float:
        """What is added to the potentials `u` where they are compared."""
        return 0.0

    def eligible(self, kept: Mapping[str, Floats]) -> Any:
        """Which neurons may spike."""
        return True

    def select(
        self, spikes: Any, u: Floats, neurons: FloatNeurons, kept: Mapping[str, Floats]
    ) -> tuple[Any, Floats, Mapping[str, Floats]]:
        """Which of the neurons that would spike do, the potentials, and what is kept."""
        return spikes, u, kept

    def after(self, spikes: Any, kept: Mapping[str, Floats]) -> dict[str, Floats]:
        """What is kept after the step; `spikes` says whether each neuron spiked."""
        return {}


def float_switch(name: str) -> type[FloatSwitch]:
    """The switch called `name`. Raises KeyError if there is none."""
    if name not in SWITCHES:
        raise KeyError(name)
    module = importlib.import_module(f"spikeloom.importer.switches.{name}")
    switch: type[FloatSwitch] = module.FLOAT
    return switch


def number(name: str, value: Any, what: str) -> float:
    """A stated number that is not negative. Raises `SpikeloomError`: it must be `what`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e300:
        raise SpikeloomError(f"{name} must be {what}, not {value!r}")
    return float(value)
