"""A population that learns and whose potentials only grow, from one spike to the next.

Without decay, and with inputs that are never below 0, a step without spikes is a sum, and steps
that follow one another are a single sum: what saturates once stays there. So a sample is over as
soon as no neuron may spike any more.
"""

from collections.abc import Mapping

import numpy as np

from spikeloom.golden.fixed import Signed, signed_range
from spikeloom.golden.network import Network, Population
from spikeloom.golden.random_numbers import Words
from spikeloom.golden.step.learner import Learner
from spikeloom.golden.step.neuron import Neurons, Spikes, State, initial_state

FLOAT32_BITS = 24
"""Bits of the magnitudes that are exact in a float32."""


class Growing:
    """The samples of such a population, one after the other.

    Parameters
    ----------
    network
        The network.
    population
        The population, for which `grows` holds.
    neurons
        Its neurons.
    learner
        The connections that learn, all that lead to it.
    events
        Of each input and spiking population, (steps, samples, size); those of this one are written.
    numbers
        What the random numbers of each step are made of, (steps, samples).
    dtype
        In which it is computed.
    """

    def __init__(
        self,
        network: Network,
        population: Population,
        neurons: Neurons,
        learner: Learner,
        events: Mapping[str, Spikes],
        numbers: Words,
        dtype: np.dtype[np.signedinteger],
    ) -> None:
        self._population, self._neurons, self._learner = population, neurons, learner
        self._sums = [*learner.sums.values()]
        self._events, self._numbers = events, numbers
        self._bias = population.bias.astype(dtype)[np.newaxis]
        self._biased = bool(self._bias.any())
        self._initial = initial_state(population, 1, dtype.type)
        # An array: NumPy takes five times as long for the minimum of one and a number.
        self._highest = np.full_like(self._bias, signed_range(network.state_bits)[1])

    def run(self, sample: int) -> State:
        """Run a sample, and learn: the state after its last step."""
        part = slice(sample, sample + 1)
        events = {name: array[:, part] for name, array in self._events.items()}
        self._learner.begin(self._numbers[:, part], events)
        spikes = events[self._population.name]
        spikes[:] = False
        state = self._initial
        able = self._neurons.able(state.kept)
        last = len(spikes) - 1
        for step in range(last + 1):
            u = self._grown(state.v, step, step)
            reached = self._neurons.reached(u, able)
            if not np.count_nonzero(reached):
                state = State(u, state.i, state.kept)
                continue
            spikes[step], state = self._neurons.fired(reached, State(u, state.i, state.kept))
            self._learner.step(step)
            able = self._neurons.able(state.kept)
            if step < last and able is not None and not np.count_nonzero(able):
                return state._replace(v=self._grown(state.v, step + 1, last))
        return state

    def _grown(self, v: Signed, first: int, last: int) -> Signed:
        """The potentials after steps `first`..`last` in which no neuron spikes."""
        u: Signed = v + self._sums[0].of_steps(first, last, v.dtype)
        for sums in self._sums[1:]:
            u += sums.of_steps(first, last, v.dtype)
        if self._biased:
            u += self._bias * v.dtype.type(last + 1 - first)
        np.minimum(u, self._highest, out=u)
        return u


def grows(
    network: Network,
    population: Population,
    neurons: Neurons,
    learner: Learner,
    events: Mapping[str, Spikes],
) -> bool:
    """Whether `Growing` can run a population, and all that learns in the network leads to it.

    It has no other input, which is exact when it is summed over all steps, and no rule reads
    potentials.
    """
    into = [c for c in network.connections if c.target == population.name and c.source in events]
    steps = len(next(iter(events.values())))
    return (
        neurons.grows
        and learner.grows
        and {id(connection) for connection in into} == {*learner.sums}
        and bool(population.bias.min() >= 0)
        and network.input_bits - 1 + steps.bit_length() <= FLOAT32_BITS
        and not any(network.schedule or ())
    )
