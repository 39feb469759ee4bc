"""The neuron update, on arrays of neurons."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.event_counts import Events
from spikeloom.golden.fixed import Signed, decay, saturate
from spikeloom.golden.network import Parameter, Population
from spikeloom.golden.random_numbers import NO_NUMBERS, NeuronNumbers
from spikeloom.golden.spec import DECAY_BITS, DECAY_ONE, SWITCHES, Reset
from spikeloom.golden.switches.switch import Switch

Spikes = Events
"""Whether a neuron spiked; the number of spikes where a population can spike several times, with
their sign where they have one."""


class State(NamedTuple):
    """State of a population's neurons, integers of `update_type`, shape (..., size).

    Parameters
    ----------
    v, i
        Membrane potentials and synaptic currents. Without a synaptic current, `i` is a 0 that is
        not used.
    kept
        What each switch keeps, by its name and those of the fields: int8 where a field is narrow.
    """

    v: Signed
    i: Signed
    kept: Mapping[str, Mapping[str, Signed]]


def initial_state(
    population: Population,
    samples: int,
    dtype: type[Any],
    variant: int = 0,
    before: State | None = None,
) -> State:
    """The state before the first step of each of `samples` samples.

    Parameters
    ----------
    variant
        Of the first step.
    before
        After the sample before, if there is one: what a switch carries over.
    """
    shape = samples, population.size
    kept: dict[str, Mapping[str, Signed]] = {
        switch.name: {
            field: np.zeros(shape, np.int8 if 0 < bits < 8 else dtype)
            for field, bits in SWITCHES[switch.name].kept
        }
        for version in population.versions
        for switch in version.switches
    }
    if before is not None:
        carried = [s.name for s in population.at(variant).switches if s.carries]
        kept |= {name: before.kept[name] for name in carried}
    i = np.zeros(() if population.synaptic_decay is None else shape, dtype)
    return State(np.full(shape, population.v_init, dtype), i, kept)


LINES = (
    "scale",
    "leak",
    "integrate",
    "limit",
    "raised",
    "noise",
    "eligible",
    "select",
    "after",
)
"""The methods of a switch that are lines of the update."""


class Neurons:
    """The neurons of a population, and their update.

    Parameters
    ----------
    population
        The population.
    state_bits
        Width to which potential and current saturate.
    """

    def __init__(self, population: Population, state_bits: int) -> None:
        self._population = population
        self._state_bits = state_bits
        late = population.delayed_reset or population.reset is Reset.RESTORE
        self._late = population.spiking and late
        switches = [s for name in SWITCHES for s in population.switches if s.name == name]
        self._having = {
            line: [s for s in switches if getattr(type(s), line) is not getattr(Switch, line)]
            for line in LINES
        }
        self.draws = bool(self._having["noise"])
        """Whether they need random numbers."""
        self.grows = (
            all(switch.stays for switch in switches)
            and spike_type(population) is np.bool_
            and population.synaptic_decay is None
            and population.v_min is None
            and not (self._late or np.any(population.decay))
        )
        """Whether a step without spikes adds the input to the potentials, and does nothing else."""
        self._leaks = bool(np.any(population.decay) or self._having["leak"])
        comparing = self._having["raised"] + self._having["noise"]
        self._comparing = [s for s in switches if s in comparing]

    def update(
        self,
        state: State,
        x: Signed,
        numbers: NeuronNumbers = NO_NUMBERS,
        compared: Signed | None = None,
    ) -> tuple[Spikes, State]:
        """One step.

            x = scale(x)
            i = sat(decay(i, k_syn) + x)        with a synaptic current; else i = x
            r = v > threshold                   with a delayed reset; else 0
            u = sat(leak(decay(v, k_mem)) + i + b_mem - r * subtrahend)
            u = v_reset                         where r, and the reset is to a value
            u = limit(max(integrate(u), v_min))
            s = greatest n <= max_spikes with u + noise > n * threshold + raised, where eligible
            s, u = select(s, u)
            v = v_reset, or sat(u - s * subtrahend), where s and the reset is not delayed; else u

        Comparisons are >= where the population is `inclusive`. Where it is `signed`, |u| is
        compared, and s has the sign of u. A restoring reset has r like a delayed one, and ends with
        v = sat(u - (s - r) * subtrahend). `scale`, `leak`, `integrate`, `limit`, `noise`, `raised`,
        `eligible` and `select` are what the population's switches do there, in their order.

        Parameters
        ----------
        state
            Before the step.
        x
            Exact input: scaled weights of the events due now, plus bias; same shape and type.
        numbers
            The neurons' random numbers.
        compared
            Where the potentials u are written that are compared, if given; same shape.

        Returns
        -------
        tuple
            Spikes, and the state after the step. The arguments but `compared` are not changed.
        """
        population, having, (v, i, kept) = self._population, self._having, state
        for switch in having["scale"]:
            x = switch.scale(x)
        drive = x
        if population.synaptic_decay is not None:
            i = decay(i, population.synaptic_decay)
            i += x
            drive = saturate(i, self._state_bits, out=i)
            if population.leak is not None:
                drive = drive + population.leak.astype(x.dtype)
        before = _reaches(population, v, 1) if self._late else None
        if before is not None and population.reset in (Reset.SUBTRACT, Reset.RESTORE):
            drive = drive - before * _typed(population.subtracted, x.dtype)
        if self._leaks:
            u = decay(v, population.decay)
            for switch in having["leak"]:
                u = switch.leak(u)
            u += drive
        else:
            u = v + drive
        saturate(u, self._state_bits, out=u)
        if before is not None and population.reset is Reset.VALUE:
            _assign(u, before, population.v_reset)
        for switch in having["integrate"]:
            u = switch.integrate(u, v, population, kept[switch.name])
        if population.v_min is not None:
            np.maximum(u, population.v_min, out=u)
        for switch in having["limit"]:
            u = switch.limit(u, population)
        if compared is not None:
            np.copyto(compared, u, casting="unsafe")
        return self.fired(self._spikes(u, kept, numbers), State(u, i, kept), before)

    def fired(
        self, spikes: Spikes, state: State, before: NDArray[np.bool_] | None = None
    ) -> tuple[Spikes, State]:
        """The end of a step, from `select` on: spikes, and the state after it.

        Parameters
        ----------
        spikes
            Of all neurons that would spike.
        state
            With the potentials u, which change, and what was kept before the step.
        before
            r of `update`.
        """
        population, (u, i, kept) = self._population, state
        for switch in self._having["select"]:
            able = spikes.astype(np.bool_, copy=False)
            before_it = kept[switch.name]
            spikes, u, after = switch.select(able, u, population, before_it, self._state_bits)
            kept = {**kept, switch.name: after}
        kept = self._after(spikes, kept)
        if population.spiking and not population.delayed_reset:
            _reset(population, u, spikes, before, self._state_bits)
        return spikes, State(u, i, kept)

    def able(self, kept: Mapping[str, Mapping[str, Signed]]) -> NDArray[np.bool_] | None:
        """Which neurons may spike, by what was kept; None for all."""
        able: NDArray[np.bool_] | None = None
        for switch in self._having["eligible"]:
            if (may := switch.eligible(kept[switch.name])) is not None:
                able = may if able is None else able & may
        return able

    def reached(self, u: Signed, able: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        """Which of those that are `able` would spike at potential u, where spikes are bool."""
        reached = _reaches(self._population, u, 1)
        return reached if able is None else np.logical_and(reached, able, out=reached)

    def _spikes(
        self, u: Signed, kept: Mapping[str, Mapping[str, Signed]], numbers: NeuronNumbers
    ) -> Spikes:
        """How often each neuron spikes at potential `u`."""
        population = self._population
        if not population.spiking:
            return np.zeros(u.shape, spike_type(population))
        potential = u
        if population.signed:
            u = np.abs(u)
        for switch in self._comparing:
            u = u + switch.noise(numbers, u) - switch.raised(kept[switch.name])
        spikes: Spikes = _reaches(population, u, 1)
        for count in range(2, population.max_spikes + 1):
            spikes = spikes.astype(np.uint8, copy=False)
            spikes += _reaches(population, u, count)
        if np.count_nonzero(spikes) and (able := self.able(kept)) is not None:
            spikes *= able
        if population.signed:
            return spikes.astype(np.int8) * np.sign(potential).astype(np.int8)
        return spikes

    def _after(
        self, spikes: Spikes, kept: Mapping[str, Mapping[str, Signed]]
    ) -> Mapping[str, Mapping[str, Signed]]:
        """What switches keep; it is lost where the population does not have one in this step."""
        if not kept:
            return kept
        spiked = spikes.astype(np.bool_, copy=False)
        after = {
            s.name: s.after(spiked, kept[s.name], self._state_bits) for s in self._having["after"]
        }
        if len(after) == len(kept):
            return after
        return {name: after.get(name) or _zeros(fields) for name, fields in kept.items()}


def _zeros(fields: Mapping[str, Signed]) -> dict[str, Signed]:
    return {field: np.zeros_like(values) for field, values in fields.items()}


def spike_type(population: Population) -> type[Any]:
    """The type of the spikes of a population."""
    if population.signed:
        return np.int8
    return np.bool_ if population.max_spikes == 1 else np.uint8


def _reset(
    population: Population,
    u: Signed,
    spikes: Spikes,
    before: NDArray[np.bool_] | None,
    state_bits: int,
) -> None:
    """What this step's spikes do to the potentials `u`, at once; `before` is r of `update`."""
    if population.reset is Reset.NONE:
        return
    subtrahend = _typed(population.subtracted, u.dtype)
    match population.reset:
        case Reset.VALUE:
            _assign(u, spikes.astype(np.bool_, copy=False), population.v_reset)
        case Reset.SUBTRACT:
            u -= spikes * subtrahend
            saturate(u, state_bits, out=u)
        case Reset.RESTORE:
            assert before is not None
            u -= spikes * subtrahend
            u += before * subtrahend
            saturate(u, state_bits, out=u)


def _reaches(population: Population, u: Signed, count: int) -> NDArray[np.bool_]:
    """Whether `u` is above (`inclusive`: at or above) `count` times the threshold."""
    threshold = _typed(count * population.threshold, u.dtype)
    reached: NDArray[np.bool_] = u >= threshold if population.inclusive else u > threshold
    return reached


def _assign(u: Signed, where: NDArray[np.bool_], value: Parameter) -> None:
    """u[where] = value, by arithmetic: several times as fast as NumPy's masked assignment."""
    u *= ~where
    if isinstance(value, np.ndarray) or value:
        u += where * _typed(value, u.dtype)


def _typed(value: Parameter, dtype: np.dtype[Any]) -> Any:
    """A parameter in the type of the computation, which holds it."""
    return value.astype(dtype) if isinstance(value, np.ndarray) else dtype.type(value)


def update_type(
    population: Population, state_bits: int, input_bits: int
) -> type[np.float32] | type[np.int32] | type[np.int64]:
    """The fastest type in which every intermediate result of the update is an exact integer.

    Float32 holds integers up to 2**24. Times what a decay keeps of it, (4096 - k) / 4096, a
    potential has few enough digits there where 4096 - k has: a power of two in it costs none.

    Parameters
    ----------
    state_bits, input_bits
        Widths of potentials, and of the exact input.
    """
    for switch in population.switches:
        input_bits = switch.input_bits(input_bits, state_bits)
    decays = [k for k in (population.decay, population.synaptic_decay) if k is not None]
    decays += [k for switch in population.switches for k in switch.decays]
    kept = np.concatenate([np.ravel(DECAY_ONE - np.asarray(k)) for k in decays])
    odd = int((kept // np.maximum(kept & -kept, 1)).max())
    magnitude = state_bits - 1
    # An exact input and a few potentials; a potential decays; thresholds for several spikes.
    widest = max(
        max(magnitude, input_bits - 1) + 3,
        magnitude + odd.bit_length(),
        magnitude + population.max_spikes.bit_length(),
    )
    if widest <= 24:
        return np.float32
    grown = state_bits + DECAY_BITS + int(kept.max() > DECAY_ONE)
    return np.int32 if max(grown, input_bits) + 1 <= 32 else np.int64
