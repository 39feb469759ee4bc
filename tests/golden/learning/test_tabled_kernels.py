"""A kernel that learns by a table learns as one that works out its terms, and as plain loops do."""

from typing import Any

import numpy as np
import pytest
from plain_learning import plainly

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.learning import SPIKED, Rule, Term, When
from spikeloom.golden.learning.rule import ROUNDINGS
from spikeloom.golden.network import Input, Network, Population
from spikeloom.golden.spec import MAX_AGE, Factor, Gate
from spikeloom.golden.step import kernel_update, plastic
from spikeloom.golden.step.ends import End
from spikeloom.golden.step.kernel_update import TabledUpdate, has_table
from spikeloom.golden.step.run import simulate

OF_SOURCE = Factor.ONE, Factor.CONSTANT, Factor.PRE_CURVE
OF_WEIGHT = Factor.ONE, Factor.ABOVE, Factor.BELOW, Factor.WEIGHT, Factor.BETWEEN
IMAGE = 2, 4, 5


def random_term(rng: np.random.Generator, now: bool) -> Term:
    gate = Gate(int(rng.choice([Gate.NEVER, Gate.ALWAYS, Gate.AGE, Gate.AGE, Gate.AGE])))
    first, last = np.sort(rng.choice([0, 1, 2, 5, MAX_AGE - 1, MAX_AGE], 2)).tolist()
    factors = [Factor(int(rng.choice(some))) for some in (OF_SOURCE, OF_WEIGHT)]
    left, right = (factors[n] for n in rng.permutation(2))
    return Term(
        left,
        right,
        When(gate, first, last, now) if gate is Gate.AGE else When(gate, now=now),
        SPIKED,
        int(rng.integers(-256, 256)) if Factor.CONSTANT in factors else 0,
        rng.integers(-256, 256, MAX_AGE + 1) if Factor.PRE_CURVE in factors else None,
        bool(rng.integers(2)),
    )


def random_network(rng: np.random.Generator) -> Network:
    """An image, and a population that a kernel with a random rule of one or two terms joins."""
    now = bool(rng.integers(2))
    high = int(rng.choice([127, 40, 3]))
    rule = Rule(
        tuple(random_term(rng, now) for _ in range(int(rng.integers(1, 3)))),
        (int(rng.choice([-high - 1, -2, 0])), high),
        int(rng.choice([0, 4, 8, 12])),
        str(rng.choice(list(ROUNDINGS))),
        bool(rng.integers(8) < 1),
    )
    channels = int(rng.choice([1, 3, 18]))
    weights = rng.integers(rule.bounds[0], high + 1, (channels, 2, 2, 3))
    padding: Any = [(0, 0), (0, 0)] if rng.integers(2) else rng.integers(0, 3, (2, 2)).tolist()
    stride: Any = tuple(rng.integers(1, 3, 2).tolist())
    padding = tuple(map(tuple, padding))
    kernel = Convolution("in", "p", weights, 0, False, stride, padding, plasticity=rule)
    output = kernel.output(IMAGE)
    size = int(np.prod(output))
    neurons = Population("p", size, rng.integers(0, 30, size), 0, threshold=90, image=output)
    seed = int(rng.integers(99))
    return Network((Input("in", 40, image=IMAGE),), (neurons,), (kernel,), state_bits=12, seed=seed)


def allowed_network(rng: np.random.Generator) -> Network:
    while True:
        try:
            return random_network(rng)
        except SpikeloomError:  # terms that could overflow, or do nothing
            pass


def compare(seed: int, monkeypatch: pytest.MonkeyPatch, plain: bool = False) -> bool:
    """Whether weights have changed, by a table."""
    rng = np.random.default_rng(seed)
    network = allowed_network(rng)
    (kernel,) = network.plastic
    assert isinstance(kernel.plasticity, Rule)
    steps = int(rng.choice([4, 9, MAX_AGE + 9]))
    events = rng.random((2, steps, 40)) < rng.choice([0.02, 0.2])
    run = simulate(network, events, learn=True)
    if plain:
        expected = plainly(network, {"in": events})
        weights, updates = np.array(expected.weights[0]), expected.updates
    else:
        with monkeypatch.context() as patch:
            patch.setattr(plastic, "has_table", lambda rule: False)
            worked_out = simulate(network, events, learn=True)
        weights, updates = worked_out.weights[0], worked_out.updates
    assert np.array_equal(run.weights[0], weights)
    assert run.updates == updates
    return has_table(kernel.plasticity) and not np.array_equal(weights, kernel.weights)


def test_a_table_is_what_the_terms_are(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = [compare(seed, monkeypatch) for seed in range(160)]
    assert sum(changed) > 60


def test_a_table_is_what_plain_loops_are(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = [compare(seed, monkeypatch, plain=True) for seed in range(20)]
    assert sum(changed) > 6


def outside_too(update: TabledUpdate, *arguments: Any) -> None:
    update._some_outside = False
    LEARN(update, *arguments)


LEARN, SINCE, BY_AGE = TabledUpdate.__call__, End.since, kernel_update._by_age


@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [
        (End, "since", lambda end, which, now: SINCE(end, which, not now)),
        (TabledUpdate, "__call__", outside_too),
        (kernel_update, "_by_age", lambda term: np.abs(BY_AGE(term))),
        (kernel_update, "_ages", lambda term: np.ones(MAX_AGE + 1, np.bool_)),
    ],
)
def test_a_planted_fault_is_found(
    owner: Any, name: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, value)
    with pytest.raises(AssertionError):
        tuple(compare(seed, monkeypatch) for seed in range(160))
