"""What every switch of the neuron update is made of."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers, Signed
from spikeloom.golden.plain import PlainIntegers
from spikeloom.golden.random_numbers import NeuronNumbers
from spikeloom.golden.spec import Reset


class Neurons(Protocol):
    """What a switch may know of the population that has it; `Population` documents each."""

    @property
    def size(self) -> int: ...
    @property
    def image(self) -> tuple[int, int, int] | None: ...
    @property
    def spiking(self) -> bool: ...
    @property
    def reset(self) -> Reset: ...
    @property
    def v_reset(self) -> int | Integers: ...
    @property
    def delayed_reset(self) -> bool: ...
    @property
    def max_spikes(self) -> int: ...
    @property
    def signed(self) -> bool: ...
    @property
    def v_min(self) -> int | None: ...


@dataclass(frozen=True)
class Switch(PlainIntegers):
    """A switch of one population: its parameters, its check, and its lines of the update.

    Each method is one line of the update in `golden.step.neuron`, on arrays of neurons, which does
    nothing by default and is then left out. `kept` is what the switch keeps of each neuron, by the
    names of `SWITCHES`, as int8 where a field has fewer than 8 bits; a method reads it, and `after`
    returns what it is after the step.
    """

    name: ClassVar[str]
    """The field of `FabricConfig`, and the module, of this name."""

    title: ClassVar[str]
    """What a population has that has it: a noun."""

    hides_spikes: ClassVar[bool] = False
    """Whether potential and threshold no longer tell which neurons spiked in the step before.

    A delayed reset finds its spikes by them, so a population cannot have both.
    """

    stays: ClassVar[bool] = False
    """Whether a step without spikes leaves everything as it is, but for what `eligible` says."""

    @property
    def carries(self) -> bool:
        """Whether what it keeps goes on from sample to sample."""
        return False

    def __str__(self) -> str:
        parameters = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"{self.name}({parameters})"

    def check(self, where: str, neurons: Neurons, state_bits: int) -> None:
        """Raise `SpikeloomError`, with `where` in front, if it does not suit its population."""

    def fields(self) -> dict[str, int]:
        """Its fields of the population row, without the name of the switch in front."""
        return dataclasses.asdict(self)

    @property
    def decays(self) -> tuple[int, ...]:
        """Factors of its decays, in units of 1/4096."""
        return ()

    def input_bits(self, bits: int, state_bits: int) -> int:
        """Width in which an input of `bits` bits fits after `scale`."""
        return bits

    def scale(self, x: Signed) -> Signed:
        """The exact input."""
        return x

    def leak(self, v: Signed) -> Signed:
        """The potentials after their decay."""
        return v

    def integrate(
        self, u: Signed, v: Signed, neurons: Neurons, kept: Mapping[str, Signed]
    ) -> Signed:
        """The potentials with this step's input; `v` are those before the step."""
        return u

    def limit(self, u: Signed, neurons: Neurons) -> Signed:
        """The potentials before they are compared."""
        return u

    def raised(self, kept: Mapping[str, Signed]) -> Signed | int:
        """What is added to the thresholds."""
        return 0

    def noise(self, numbers: NeuronNumbers, u: Signed) -> Signed | int:
        """What is added to the potentials `u` where they are compared."""
        return 0

    def eligible(self, kept: Mapping[str, Signed]) -> NDArray[np.bool_] | None:
        """Which neurons may spike; None for all."""
        return None

    def select(
        self,
        spikes: NDArray[np.bool_],
        u: Signed,
        neurons: Neurons,
        kept: Mapping[str, Signed],
        state_bits: int,
    ) -> tuple[NDArray[np.bool_], Signed, Mapping[str, Signed]]:
        """Which of the neurons that would spike do, the potentials, and what is kept."""
        return spikes, u, kept

    def after(
        self, spikes: NDArray[np.bool_], kept: Mapping[str, Signed], state_bits: int
    ) -> dict[str, Signed]:
        """What is kept after the step."""
        return {}


def check_switches(
    where: str, switches: Sequence[Switch], neurons: Neurons, state_bits: int
) -> None:
    """Raise `SpikeloomError`, with `where` in front, if these do not suit their population."""
    if not isinstance(switches, tuple) or not all(isinstance(s, Switch) for s in switches):
        raise SpikeloomError(
            f"{where}: switches must be a tuple of switches, such as (SpikeOnce(),), "
            f"not {switches!r}"
        )
    names = [switch.name for switch in switches]
    if {"noise", "selection"} <= {*names}:
        raise SpikeloomError(f"{where}: noise with a selection is not built; leave out one of them")
    late = neurons.delayed_reset or neurons.reset is Reset.RESTORE
    for switch in switches:
        if names.count(switch.name) > 1:
            raise SpikeloomError(f"{where}: {switch.title} is there twice; leave out one")
        if switch.hides_spikes and late and neurons.spiking:
            raise SpikeloomError(
                f"{where}: {switch.title} hides which neurons spiked, by which a delayed or "
                "restoring reset acts; use a reset that acts at once"
            )
        switch.check(f"{where}: {switch.name}", neurons, state_bits)
