"""A layer that grows runs as it does step by step, which is how it runs where it is traced."""

from typing import Any

import numpy as np
import pytest

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.learning import first_spike_stdp
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Reset
from spikeloom.golden.step.growing import Growing
from spikeloom.golden.step.learner import Learner
from spikeloom.golden.step.neuron import Neurons
from spikeloom.golden.step.plastic_sums import PlasticSums
from spikeloom.golden.step.run import Run, simulate
from spikeloom.golden.switches.refractory import Refractory
from spikeloom.golden.switches.selection import Selection
from spikeloom.golden.switches.spike_once import SpikeOnce

STEPS = 9


FORBIDDEN = "weights", "sign", "delay", "refractory", "bias", "decay", "recurrent", "other input"
"""What does not grow."""


def random_network(rng: np.random.Generator) -> Network:
    """Mostly of first spikes and winners that silence others; half of them have what forbids it."""
    forbidden = str(rng.choice(FORBIDDEN)) if rng.integers(2) else ""
    lowest = -50 if forbidden == "weights" else 0
    rule = first_spike_stdp((lowest, 127), 0.1, 0.08)
    image, delay = (2, 5, 6), int(forbidden == "delay")
    source = Input("in", 60, int(rng.integers(1, 4)), image=image, signed=forbidden == "sign")
    connection: Any
    if rng.integers(2):
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
    if forbidden == "refractory":
        switches.append(Refractory(2))
    size = int(np.prod(shape))
    population = Population(
        "p",
        size,
        rng.integers(-9, 1, size) if forbidden == "bias" else rng.integers(0, 9, size),
        decay=300 * (forbidden == "decay"),
        threshold=int(rng.integers(60, 900)),
        reset=Reset.NONE if rng.integers(2) else Reset.VALUE,
        image=shape,
        switches=tuple(switches),
    )
    connections: list[Any] = [connection]
    if forbidden == "recurrent":
        connections.append(Connection("p", "p", rng.integers(0, 9, (size, size)), 1))
    if forbidden == "other input":
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


def compare(seed: int) -> Run:
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
    return run


SEEDS = range(120)


def test_what_grows_is_what_it_is_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, samples = Growing.run, list[bool]()

    def seen(growing: Growing, sample: int) -> Any:
        state = whole(growing, sample)
        spiked = bool(growing._events["p"][:, sample].any())
        samples.append(spiked and bool((state.v == growing._highest).any()))
        return state

    monkeypatch.setattr(Growing, "run", seen)
    updates = sum(compare(seed).updates > 0 for seed in SEEDS)
    assert 200 < len(samples) < 280  # of 480: the others do not grow
    assert sum(samples) > 30  # spiked, and saturated
    assert updates > 60


def late(sums: PlasticSums, first: int, last: int, dtype: Any) -> Any:
    return OF_STEPS(sums, min(first + 1, last), last, dtype)


OF_STEPS, GROWN, REACHED = PlasticSums.of_steps, Growing._grown, Neurons.reached


def unlimited(growing: Growing, *arguments: Any) -> Any:
    growing._highest = growing._highest * 8
    return GROWN(growing, *arguments)


@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [
        (Refractory, "stays", True),
        (Learner, "grows", True),
        (Neurons, "reached", lambda neurons, u, able: REACHED(neurons, u, None)),
        (PlasticSums, "of_steps", late),
        (Growing, "_grown", unlimited),
    ],
)
def test_a_planted_fault_is_found(
    owner: type, name: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, value)
    with pytest.raises(AssertionError):
        tuple(map(compare, SEEDS))
