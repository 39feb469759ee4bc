"""The plastic connections of a network, sample after sample."""

from collections.abc import Mapping, Sequence

import numpy as np

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.event_counts import Events
from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Learnable, Network
from spikeloom.golden.random_numbers import Words
from spikeloom.golden.step.plastic import PlasticConnection, plastic_kernel, plastic_matrix
from spikeloom.golden.step.plastic_sums import PlasticSums


class Learner:
    """The plastic connections of a network while it learns, sample after sample.

    Parameters
    ----------
    network
        The network; its own weights do not change.
    plastic
        Its plastic connections, or none if it does not learn.
    """

    def __init__(self, network: Network, plastic: Sequence[Learnable]) -> None:
        self._network = network
        self._connections = [
            _plastic(network, connection, number) for number, connection in enumerate(plastic)
        ]
        seen = set()
        for c in self._connections:
            for rule in (update.rule for update in c.updates):
                if any(term.window is not None for term in rule.terms):
                    seen.add(c.connection.target)
                if rule.third is not None:
                    seen.add(rule.third)
        self.potentials = {name: np.zeros((1, network.size(name)), np.int64) for name in seen}
        """Of populations whose potentials a rule reads, as compared in this step.

        The batch writes them.
        """
        order = {id(connection): n for n, connection in enumerate(network.connections)}
        self._order = [order[id(c.connection)] for c in self._connections]

    @property
    def sums(self) -> dict[int, PlasticSums]:
        """For each plastic connection, by its `id`, what its events add."""
        return {id(c.connection): c.sums for c in self._connections}

    @property
    def weights(self) -> dict[int, Integers]:
        """The weights of each plastic connection, by its number in the network."""
        learned = zip(self._order, self._connections, strict=True)
        return {number: c.weights.astype(np.int64) for number, c in learned}

    @property
    def planes(self) -> dict[int, Integers]:
        """The eligibilities of each plastic connection that has them, by its number."""
        learned = zip(self._order, self._connections, strict=True)
        return {n: c.plane.astype(np.int64) for n, c in learned if c.plane is not None}

    @property
    def grows(self) -> bool:
        """Whether without spikes of a target all weights stay, and none of them is below 0.

        And events have no sign and arrive at once, so they only raise potentials, which no rule
        reads.
        """
        return not self.potentials and all(
            not connection.delay
            and not self._network.has_signs(connection.source)
            and all(update.on_spikes and update.rule.bounds[0] >= 0 for update in c.updates)
            for c in self._connections
            for connection in [c.connection]
        )

    @property
    def updates(self) -> int:
        """Synapses to which a term applied, over all steps."""
        return sum(c.count for c in self._connections)

    @property
    def populations(self) -> set[str]:
        """Those that go sample by sample, because what is learned is seen in them or of them."""
        return {*self.potentials, *(c.connection.target for c in self._connections)}

    def begin(self, states: Words, events: Mapping[str, Events]) -> None:
        """Begin a sample.

        Parameters
        ----------
        states
            What its random numbers are made of, (steps, 1).
        events
            Of each input and spiking population, (steps, 1, size), there when the step is.
        """
        self._steps = len(states)
        of_sample = {name: values[:, 0] for name, values in events.items()}
        for connection in self._connections:
            source, target = connection.connection.source, connection.connection.target
            connection.begin(of_sample.get(source), of_sample.get(target), states[:, 0])

    def step(self, step: int) -> None:
        """Learn from a step of a sample."""
        potentials = {name: values[0] for name, values in self.potentials.items()}
        for connection in self._connections:
            connection.step(potentials, step, step == self._steps - 1)


def _plastic(network: Network, connection: Learnable, number: int) -> PlasticConnection:
    """A plastic connection, with its number among them."""
    scale = 1 << network.population(connection.target).fraction_bits
    if isinstance(connection, Convolution):
        image = network.image(connection.source)
        assert image is not None
        return plastic_kernel(connection, number, scale, image, network.sum_bits)
    return plastic_matrix(connection, number, scale)
