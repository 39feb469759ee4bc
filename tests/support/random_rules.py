"""Random learning rules, and small networks with several of them."""

import numpy as np

from spikeloom.golden.learning import Rule, Term, Trace, When
from spikeloom.golden.learning.rule import OF_SOURCE, OF_TARGET, OF_WEIGHT
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Factor, Gate


def random_table(rng: np.random.Generator, low: int, high: int) -> tuple[int, ...]:
    return (*rng.integers(low, high + 1, 63).tolist(), 0)


def random_trace(rng: np.random.Generator) -> Trace:
    decay = random_table(rng, 0, 256)
    return Trace(decay, int(rng.integers(0, 256)), nearest=bool(rng.integers(2)))


def random_when(rng: np.random.Generator) -> When:
    gate = Gate(int(rng.choice([0, 1, 1, 2, 2, 3, 3])))
    first, last = sorted(rng.choice([0, 1, 2, 3, 5, 8, 62, 63], 2).tolist())
    if rng.random() < 0.3:
        last = first
    return When(gate, first, last, now=bool(rng.integers(2)))


def random_term(rng: np.random.Generator, traces: bool, third: bool) -> Term:
    """A term of a rule that has all traces, or only that of the source; with a third factor."""
    kinds = [OF_SOURCE, OF_TARGET, OF_WEIGHT, (Factor.ONE,)]
    chosen = rng.permutation(4)[:2]
    left, right = (Factor(int(rng.choice(kinds[kind]))) for kind in chosen)
    if not traces and Factor.POST_TRACE in (left, right):
        left, right = Factor.PRE_TRACE, Factor.POST_CURVE
    if third:
        left, right = Factor.THIRD, right if right not in OF_TARGET else Factor.CONSTANT
    if not third and Factor.THIRD in (left, right):
        left, right = Factor.CONSTANT, Factor.BELOW
    curves = {Factor.PRE_CURVE, Factor.POST_CURVE} & {left, right}
    curve = (*rng.integers(-256, 256, 64).tolist(),) if curves else None
    window = tuple(sorted(rng.integers(-150, 250, 2).tolist())) if rng.random() < 0.4 else None
    seen = tuple(sorted(rng.integers(0, 256, 2).tolist())) if rng.random() < 0.3 else None
    return Term(
        left,
        right,
        random_when(rng),
        random_when(rng),
        constant=int(rng.integers(-256, 256)),
        curve=curve,
        negative=bool(rng.integers(2)),
        window=window,
        trace_window=seen if traces else None,
    )


def random_rule(
    rng: np.random.Generator, weight_bits: int, third: str | None, traces: bool = True
) -> Rule:
    """A rule with one or two terms; `third` is the population that may be its third factor."""
    most = 1 << weight_bits - 1
    low, high = sorted(rng.integers(-most, most, 2).tolist())
    at_end = bool(rng.random() < 0.15)
    traces &= not at_end
    uses = third is not None and bool(rng.random() < 0.5)
    terms = [random_term(rng, traces, uses)]
    if rng.random() < 0.7:
        terms.append(random_term(rng, traces, third=False))
    return Rule(
        tuple(terms[:: int(rng.choice([-1, 1]))]),
        (low, high),
        shift=int(rng.choice([0, 4, 8, 8, 12])),
        rounding=str(rng.choice(["nearest", "floor", "stochastic", "stochastic"])),
        at_end=at_end,
        pre=random_trace(rng),
        post=random_trace(rng) if traces else None,
        third=third if uses else None,
        third_shift=int(rng.integers(0, 5)) if uses else 0,
    )


def learning_network(rng: np.random.Generator) -> Network:
    """An input, two populations in two phases, and a third; most connections learn.

    Among them are recurrent ones, some with delays, and two into one population, of which one alone
    may keep its traces.
    """
    axons, hidden, out = (int(n) for n in rng.integers(1, (7, 20, 6)))
    sizes = {"in": axons, "h": hidden, "o": out, "e": out}
    populations = (
        Population("h", hidden, rng.integers(-9, 30, hidden), 0, int(rng.integers(0, 1500)), 60),
        Population("o", out, rng.integers(-9, 30, out), 1, int(rng.integers(0, 1500)), 40),
        Population("e", out, rng.integers(-9, 30, out), 1, 900, spiking=bool(rng.integers(2))),
    )
    pairs = [("in", "h", True), ("h", "o", True), ("h", "h", False), ("in", "o", False)]
    pairs += [("o", "h", False), ("h", "e", True)]
    connections = []
    for source, target, traces in pairs:
        rule = None
        if rng.random() < 0.7:
            third = {"h": None, "o": "e", "e": "o"}[target]
            rule = random_rule(rng, 8, third, traces)
        low, high = rule.bounds if rule else (-40, 60)
        weights = rng.integers(low, high + 1, (sizes[source], sizes[target]))
        earlier = source == "in" or (source == "h" and target != "h")
        delay = int(rng.integers(0 if earlier else 1, 4))
        connections.append(Connection(source, target, weights, delay, plasticity=rule))
    inputs = (Input("in", axons, max_count=3),)
    seed = int(rng.integers(1 << 32))
    return Network(inputs, populations, tuple(connections), state_bits=12, sum_bits=24, seed=seed)
