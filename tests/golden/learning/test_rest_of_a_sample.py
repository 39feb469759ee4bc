"""A sample in which nobody can spike any more ends as it does step by step.

Step by step it goes where potentials are traced.
"""

from typing import Any

import numpy as np
import pytest

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.learning import first_spike_stdp
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Reset
from spikeloom.golden.step.neuron import Neurons
from spikeloom.golden.step.plastic_sums import PlasticSums
from spikeloom.golden.step.run import simulate
from spikeloom.golden.switches.refractory import Refractory
from spikeloom.golden.switches.selection import Selection
from spikeloom.golden.switches.spike_once import SpikeOnce

STEPS = 9


def random_network(rng: np.random.Generator) -> Network:
    """Mostly of first spikes and winners that silence others; or with what forbids to end early."""
    kernel = bool(rng.integers(2))
    lowest = int(rng.choice([0, 0, 0, -50]))
    rule = first_spike_stdp((lowest, 127), 0.1, 0.08)
    image, delay = (2, 5, 6), int(rng.choice([0, 0, 0, 1]))
    source = Input("in", 60, int(rng.integers(1, 4)), image=image, signed=bool(rng.integers(8) < 1))
    connection: Any
    if kernel:
        weights = rng.integers(lowest, 100, (3, 2, 3, 3))
        padding = ((1, 1), (0, 1))
        connection = Convolution("in", "p", weights, delay, padding=padding, plasticity=rule)
        shape = connection.output(image)
    else:
        weights = rng.integers(lowest, 100, (60, 12))
        connection = Connection("in", "p", weights, delay, plasticity=rule)
        shape = (3, 2, 2)
    radius = [None, 0, 1][int(rng.integers(3))]
    selection = Selection(int(rng.integers(1, 3)), radius=radius, then="silence")
    switches: list[Any] = [SpikeOnce(), selection][: int(rng.choice([1, 2, 2, 2]))]
    if rng.integers(8) < 2:
        switches.append(Refractory(2))
    size = int(np.prod(shape))
    population = Population(
        "p",
        size,
        rng.integers(-3 if rng.integers(8) < 1 else 0, 9, size),
        decay=int(rng.choice([0, 0, 0, 300])),
        threshold=int(rng.integers(60, 900)),
        reset=Reset.NONE if rng.integers(2) else Reset.VALUE,
        image=shape,
        switches=tuple(switches),
    )
    connections: list[Any] = [connection]
    if rng.integers(8) < 1:
        connections.append(Connection("p", "p", rng.integers(0, 9, (size, size)), 1))
    if rng.integers(8) < 1:
        connections.append(Connection("in", "p", rng.integers(0, 9, (60, size))))
    state_bits = int(rng.choice([11, 12, 16, 20]))
    return Network(
        (source,),
        (population,),
        tuple(connections),
        state_bits=state_bits,
        sum_bits=18,
        seed=int(rng.integers(99)),
    )


def compare(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    (source,) = network.inputs
    lowest = -source.max_count if source.signed else 0
    events = rng.integers(lowest, source.max_count + 1, (4, STEPS, 60))
    events *= rng.random(events.shape) < 0.1
    run = simulate(network, events, learn=True)
    traced = simulate(network, events, learn=True, traces={"p": np.arange(network.size("p"))})
    assert np.array_equal(run.spikes["p"], traced.spikes["p"])
    assert np.array_equal(run.states["p"], traced.traces["p"][:, -1])
    assert np.array_equal(run.weights[0], traced.weights[0])
    assert run.updates == traced.updates


SEEDS = range(80)


def test_the_rest_of_a_sample_is_what_it_is_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    rest, ends = Neurons.rest, {True: 0, False: 0}

    def counted(*arguments: Any) -> Any:
        state = rest(*arguments)
        ends[state is None] += 1
        return state

    monkeypatch.setattr(Neurons, "rest", counted)
    for seed in SEEDS:
        compare(seed)
    assert ends[False] > 30
    assert ends[True] > 3  # would have saturated


def later(sums: PlasticSums, total: Any) -> None:
    sums._step += 1
    REST(sums, total)
    sums._step -= 1


REST = PlasticSums.rest


@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [
        (Refractory, "stays", True),
        (PlasticSums, "rest", later),
        (Neurons, "rest", lambda neurons, state, x: state._replace(v=state.v + x)),
        (Neurons, "over", lambda neurons, state: True),
    ],
)
def test_a_planted_fault_is_found(
    owner: type, name: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, value)
    with pytest.raises(AssertionError):
        tuple(map(compare, SEEDS))
