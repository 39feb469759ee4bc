"""Random learning rules, and random networks in which some connections have one."""

import contextlib
import dataclasses
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from random_kernels import kernel_programs
from random_networks import programs, seeds

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import signed_range
from spikeloom.golden.learning import Rule, Term, Trace, When
from spikeloom.golden.learning.rule import OF_SOURCE, OF_TARGET, OF_WEIGHT, ROUNDINGS, Table
from spikeloom.golden.network import Learnable, Network
from spikeloom.golden.spec import FACTOR_BITS, MAX_AGE, RULE_SHIFTS, FabricConfig, Factor, Gate
from spikeloom.program import Program

Rng = np.random.Generator

WITH_LEARNING: dict[str, Any] = {
    "plasticity": True,
    "rules": 4,
    "plastic_axons": 64,
    "quadratic_bounds": True,
}
"""Fields of a fabric that has room for whatever `learning_programs` draws."""

TRIES = 8
"""Rules tried for a connection until it can have one."""


@st.composite
def learning_programs(draw: st.DrawFn, config: FabricConfig) -> Program:
    """Those of `programs`, with random rules on at least one of their matrices.

    With `plastic_kernels` half of them are of `kernel_programs`.
    """
    rng = np.random.default_rng(draw(seeds()))
    kernels = config.plastic_kernels and rng.integers(2)
    program = draw(kernel_programs(config) if kernels else programs(config))
    for number in rng.permutation(len(program.network.connections)).tolist():
        program = _with_rule(rng, program, number)
    assume(program.network.plastic)
    return program


def _with_rule(rng: Rng, program: Program, number: int) -> Program:
    """The program with a rule on this connection, if it can have one and there is room for it."""
    network, config = program.network, program.fabric
    connection = network.connections[number]
    if not isinstance(connection, Learnable) or connection.high:
        return program
    size = network.size(connection.target)
    shared = isinstance(connection, Convolution)
    joined = {c.target for c in network.connections if isinstance(c, Convolution)}
    thirds = [p.name for p in network.populations if p.size == size and p.name not in joined]
    for _ in range(TRIES):
        planes = config.eligibility and not shared
        draw = with_plane if planes and rng.integers(2) else random_rule
        rule = draw(rng, config, [] if shared else thirds)
        weights = connection.weights.clip(*rule.bounds)
        plastic = dataclasses.replace(connection, weights=weights, plasticity=rule)
        connections = list(network.connections)
        connections[number] = plastic
        with contextlib.suppress(SpikeloomError):
            learning: Network = dataclasses.replace(network, connections=tuple(connections))
            return dataclasses.replace(program, network=learning)
    return program


def random_rule(rng: Rng, config: FabricConfig, thirds: list[str]) -> Rule:
    """A rule that the fabric has the options for; `thirds` can be its third factor."""
    at_end = bool(rng.integers(4) == 0)
    with_post = not at_end and bool(rng.integers(2))
    count = int(rng.integers(1, config.rule_terms + 1))
    terms = tuple(_term(rng, config, thirds, with_post) for _ in range(count))
    factors = {factor for term in terms for factor in term.factors}
    high = signed_range(config.weight_bits)[1]
    reach = int(rng.choice([high, max(1, high // 2), max(1, high // 16), 1]))
    lowest = int(rng.choice([-reach - 1, -reach, 0]))
    return Rule(
        terms,
        (lowest, reach),
        int(rng.choice(RULE_SHIFTS)),
        str(rng.choice(list(ROUNDINGS))),
        at_end,
        _trace(rng) if Factor.PRE_TRACE in factors else None,
        _trace(rng) if with_post else None,
        str(rng.choice(thirds)) if Factor.THIRD in factors else None,
        int(rng.integers(16)) if rng.integers(2) else 0,
    )


def with_plane(rng: Rng, config: FabricConfig, thirds: list[str]) -> Rule:
    """A random rule that reads the eligibilities of another random rule."""
    plane = random_rule(rng, config, thirds)
    while plane.at_end or plane.bounds[1] < 3 or not _often_grows(plane.terms[0]):
        plane = random_rule(rng, config, thirds)
    if rng.integers(2):  # decays
        kept = Term(Factor.CONSTANT, Factor.WEIGHT, constant=int(rng.integers(256)), negative=True)
        plane = dataclasses.replace(plane, terms=(*plane.terms[: config.rule_terms - 1], kept))
        plane = _without_unused(plane)
    rule = random_rule(rng, config, thirds)
    post = None if plane.post else rule.post
    terms = []
    for term in rule.terms:
        other = [Factor.ONE, Factor.CONSTANT, *([Factor.THIRD] if thirds else [])]
        other += [Factor.POST_TRACE] if post else []
        pair = [Factor.ELIGIBILITY, other[int(rng.integers(len(other)))]]
        if terms and rng.integers(2):
            pair[0] = Factor(int(rng.choice([Factor.WEIGHT, Factor.ABOVE, Factor.BELOW])))
        left, right = (pair[n] for n in rng.permutation(2).tolist())
        terms.append(
            dataclasses.replace(
                term,
                left=left,
                right=right,
                pre=dataclasses.replace(term.pre, gate=Gate.ALWAYS),
                curve=None,
                trace_window=term.trace_window if post else None,
            )
        )
    third = rule.third or (str(rng.choice(thirds)) if thirds else None)
    return _without_unused(
        dataclasses.replace(
            rule, terms=tuple(terms), eligibility=plane, pre=None, post=post, third=third
        )
    )


def _often_grows(term: Term) -> bool:
    """Whether a term is seldom 0 where the weight is."""
    gates = {Gate.ALWAYS, Gate.SPIKED}
    seldom_held = term.window is not None or term.trace_window is not None
    return {term.pre.gate, term.post.gate} <= gates and not (
        seldom_held or {Factor.WEIGHT, Factor.THIRD} & {*term.factors}
    )


def _without_unused(rule: Rule) -> Rule:
    """The rule without a third factor that no term has."""
    used = any(Factor.THIRD in term.factors for term in rule.terms)
    return rule if used else dataclasses.replace(rule, third=None)


def _term(rng: Rng, config: FabricConfig, thirds: list[str], with_post: bool) -> Term:
    of_target = [
        factor
        for factor in OF_TARGET
        if (factor is not Factor.POST_TRACE or with_post) and (factor is not Factor.THIRD or thirds)
    ]
    without = {Factor.ELIGIBILITY} | (set() if config.quadratic_bounds else {Factor.BETWEEN})
    of_weight = [f for f in OF_WEIGHT if f not in without]
    kinds = [[Factor.ONE], list(OF_SOURCE), of_target, of_weight]
    first, second = rng.permutation(len(kinds))[:2].tolist()
    left, right = (kinds[n][int(rng.integers(len(kinds[n])))] for n in (first, second))
    curved = {Factor.PRE_CURVE, Factor.POST_CURVE} & {left, right}
    reach = signed_range(FACTOR_BITS)[1]
    return Term(
        left,
        right,
        _when(rng),
        _when(rng),
        int(rng.integers(-reach - 1, reach + 1)),
        _curve(rng) if curved else None,
        bool(rng.integers(2)),
        _range(rng, signed_range(config.state_bits), 40) if rng.integers(3) == 0 else None,
        _range(rng, (0, 255), 255) if with_post and rng.integers(3) == 0 else None,
    )


def _when(rng: Rng) -> When:
    """NEVER seldom; ages mostly small, or up to that of what never spiked."""
    gate = Gate(int(rng.choice(4, p=[0.04, 0.32, 0.32, 0.32])))
    first, last = sorted(rng.choice([0, 1, 2, 3, 5, MAX_AGE - 1, MAX_AGE], 2).tolist())
    if rng.integers(3) == 0:
        last = first
    return When(gate, first, last, bool(rng.integers(2)))


def _curve(rng: Rng) -> Table:
    low, high = signed_range(FACTOR_BITS)
    return tuple(rng.choice([low, high, 0, *rng.integers(low, high + 1, 9)], MAX_AGE + 1).tolist())


def _trace(rng: Rng) -> Trace:
    kept = rng.choice([0, 128, 200, 255, 256], MAX_AGE)
    if rng.integers(2):
        kept = np.sort(rng.integers(0, 257, MAX_AGE))[::-1]
    return Trace((*kept.tolist(), 0), int(rng.choice([1, 40, 100, 255])), bool(rng.integers(2)))


def _range(rng: Rng, limits: tuple[int, int], near: int) -> tuple[int, int]:
    """A range within limits, one end of which is often a limit."""
    low, high = sorted(rng.integers(max(limits[0], -near), min(limits[1], near) + 1, 2).tolist())
    kind = rng.integers(3)
    return limits[0] if kind == 1 else low, limits[1] if kind == 2 else high
