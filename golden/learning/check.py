"""Checks of the learning rules of a network; each raises `SpikeloomError`."""

from collections.abc import Sequence
from typing import Protocol

from spikeloom.golden.checks import check_flag, check_integer, check_word
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers, signed_range
from spikeloom.golden.learning.rule import (
    OF_SOURCE,
    OF_TARGET,
    OF_WEIGHT,
    ROUNDINGS,
    Rule,
    Term,
    Trace,
    When,
)
from spikeloom.golden.spec import (
    FACTOR_BITS,
    MAX_AGE,
    RULE_NUMBER_BITS,
    RULE_SHIFTS,
    TRACE_BITS,
    Factor,
    Gate,
)

MAX_RULES = 1 << RULE_NUMBER_BITS
"""Maximum number of plastic connections of a network."""

MAX_WITH_PLANES = MAX_RULES // 2
"""If one of them has eligibilities, whose random numbers are of the numbers that are left."""

TERM_BITS = 24
"""Width of the exact sum of a rule's terms."""

MAX_TRACE = (1 << TRACE_BITS) - 1
MAX_KEPT = 1 << TRACE_BITS
MAX_THIRD_SHIFT = 15


class Plastic(Protocol):
    """What the check reads of a connection with a rule; `Connection` documents each."""

    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def weights(self) -> Integers: ...
    @property
    def high(self) -> bool: ...
    @property
    def plasticity(self) -> Rule | None: ...


class Sized(Protocol):
    """A population, as far as a third factor goes."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...


def check_plasticity(
    connections: Sequence[Plastic],
    populations: Sequence[Sized],
    weight_bits: int,
    state_bits: int,
    seed: int | None,
) -> None:
    """Check the rules of all plastic `connections` of a network, whose weights are checked."""
    if len(connections) > MAX_RULES:
        raise SpikeloomError(
            f"network: {len(connections)} connections have a plasticity, of {MAX_RULES} at most; "
            "join connections, or leave out the plasticity of some"
        )
    rules = [rule for connection in connections if isinstance(rule := connection.plasticity, Rule)]
    planes = any(rule.eligibility is not None for rule in rules)
    if planes and len(connections) > MAX_WITH_PLANES:
        raise SpikeloomError(
            f"network: {len(connections)} connections have a plasticity, of {MAX_WITH_PLANES} at "
            "most where one has an eligibility; leave out the plasticity of some"
        )
    if len({id(connection) for connection in connections}) < len(connections):
        raise SpikeloomError(
            "network: a connection with a plasticity is there twice; use dataclasses.replace(it)"
        )
    sizes = {population.name: population.size for population in populations}
    with_traces: dict[str, str] = {}
    for connection in connections:
        where = f"connection {connection.source!r} -> {connection.target!r}: plasticity"
        rule = connection.plasticity
        if not isinstance(rule, Rule):
            raise SpikeloomError(f"{where} must be a Rule or None, not {rule!r}")
        if connection.high:
            raise SpikeloomError(f"{where}: weights of a high connection cannot learn; use high=0")
        if rule.eligibility is not None:
            _check_eligibility(f"{where}: eligibility", rule.eligibility)
        for part in rule.in_order:
            part_of = where if part is rule else f"{where}: eligibility"
            _check_rule(part_of, part, signed_range(weight_bits), signed_range(state_bits))
            if part is not rule and not part.bounds[0] <= 0 <= part.bounds[1]:
                raise SpikeloomError(
                    f"{part_of}: bounds must include 0, with which it begins, not {part.bounds}"
                )
            if part.rounding == "stochastic" and seed is None:
                raise SpikeloomError(
                    f"{part_of}: stochastic rounding needs a seed; give the network one, such as "
                    "seed=1"
                )
            if part.third is not None:
                _check_third(part_of, part.third, sizes, connection.target)
            if part.post is not None:
                if connection.target in with_traces:
                    raise SpikeloomError(
                        f"{part_of}: {connection.target!r} keeps the post trace of its connection "
                        f"from {with_traces[connection.target]!r} already; use POST_CURVE in one "
                        "of them"
                    )
                with_traces[connection.target] = connection.source
        low, high = rule.bounds
        lowest, highest = int(connection.weights.min()), int(connection.weights.max())
        if not (low <= lowest and highest <= high):
            raise SpikeloomError(
                f"{where}: the weights are {lowest}..{highest}, outside bounds {low}..{high}; "
                f"clip them, weights.clip{rule.bounds}"
            )


def _check_eligibility(where: str, rule: object) -> None:
    """Check what the rule of a plane may not be, beyond what no rule may be."""
    if not isinstance(rule, Rule):
        raise SpikeloomError(f"{where} must be a Rule or None, not {rule!r}")
    if rule.eligibility is not None:
        raise SpikeloomError(f"{where} has an eligibility of its own; leave that out")
    if rule.at_end is True:
        raise SpikeloomError(
            f"{where} is learned after every step, not at_end; give at_end to the rule that has it"
        )


def _check_third(where: str, third: str, sizes: dict[str, int], target: str) -> None:
    if not isinstance(third, str) or third not in sizes:
        raise SpikeloomError(f"{where}: the network has no population {third!r}; name one as third")
    if sizes[third] != sizes[target]:
        raise SpikeloomError(
            f"{where}: third must have a neuron for each of the {sizes[target]} targets, "
            f"but {third!r} has {sizes[third]}"
        )


def _check_rule(
    where: str, rule: Rule, weights: tuple[int, int], potentials: tuple[int, int]
) -> None:
    terms = rule.terms
    if not isinstance(terms, tuple) or not all(isinstance(term, Term) for term in terms):
        raise SpikeloomError(f"{where}: terms must be a tuple of Term, not {terms!r}")
    if not 1 <= len(terms) <= 2:
        raise SpikeloomError(f"{where}: terms must be one or two, not {len(terms)}")
    _check_range(f"{where}: bounds", rule.bounds, weights)
    if type(rule.shift) is not int or rule.shift not in RULE_SHIFTS:
        raise SpikeloomError(f"{where}: shift must be 0, 4, 8 or 12, not {rule.shift!r}")
    check_word(f"{where}: rounding", rule.rounding, ROUNDINGS)
    check_flag(f"{where}: at_end", rule.at_end)
    check_integer(f"{where}: third_shift", rule.third_shift, 0, MAX_THIRD_SHIFT)
    for name in ("pre", "post"):
        _check_trace(f"{where}: {name}", getattr(rule, name))
    if rule.at_end and rule.post is not None:
        raise SpikeloomError(
            f"{where}: a rule at the end of a sample has seen no step before, so it keeps no post "
            "trace; use POST_CURVE, or at_end=False"
        )
    for number, term in enumerate(terms):
        _check_term(f"{where}: term {number}", term, rule, potentials)
    uses_plane = any(Factor.ELIGIBILITY in term.factors for term in terms)
    if uses_plane != (rule.eligibility is not None):
        missing = "no eligibility" if uses_plane else "an eligibility, which no term uses"
        raise SpikeloomError(
            f"{where}: there is {missing}; give both eligibility and Factor.ELIGIBILITY"
        )
    uses_third = any(Factor.THIRD in term.factors for term in terms)
    if uses_third != (rule.third is not None):
        missing = "no population as third" if uses_third else "a third, which no term uses"
        raise SpikeloomError(f"{where}: there is {missing}; give both third and Factor.THIRD")
    most = sum(_most(term, rule) for term in terms) + (1 << rule.shift) - 1
    if most > signed_range(TERM_BITS)[1]:
        raise SpikeloomError(
            f"{where}: the sum of the terms can be {most}, more than {TERM_BITS} bits; "
            "use smaller factors or narrower bounds"
        )


def _check_range(where: str, pair: tuple[int, int], limits: tuple[int, int]) -> None:
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise SpikeloomError(f"{where} must be a pair (lowest, highest), not {pair!r}")
    for value in pair:
        check_integer(where, value, *limits)
    if pair[0] > pair[1]:
        raise SpikeloomError(f"{where} must be (lowest, highest), not {pair}")


def _check_trace(where: str, trace: Trace | None) -> None:
    if trace is None:
        return
    if not isinstance(trace, Trace):
        raise SpikeloomError(f"{where} must be a Trace or None, not {trace!r}")
    _check_table(f"{where}: decay", trace.decay, (0, MAX_KEPT))
    if trace.decay[MAX_AGE]:
        raise SpikeloomError(
            f"{where}: decay must be 0 at the age of {MAX_AGE}, which stands for never; "
            f"not {trace.decay[MAX_AGE]}"
        )
    check_integer(f"{where}: amount", trace.amount, 0, MAX_TRACE)
    check_flag(f"{where}: nearest", trace.nearest)


def _check_table(where: str, table: object, limits: tuple[int, int]) -> None:
    if not isinstance(table, tuple) or len(table) != MAX_AGE + 1:
        raise SpikeloomError(f"{where} must have {MAX_AGE + 1} integers, one for each age")
    for value in table:
        check_integer(where, value, *limits)


def _check_term(where: str, term: Term, rule: Rule, potentials: tuple[int, int]) -> None:
    factors = term.factors
    for factor in factors:
        if not isinstance(factor, Factor):
            raise SpikeloomError(f"{where}: left and right must be a Factor, not {factor!r}")
    named = [factor for factor in factors if factor is not Factor.ONE]
    for end, kind in (("source", OF_SOURCE), ("target", OF_TARGET), ("weight", OF_WEIGHT)):
        if len([factor for factor in named if factor in kind]) > 1:
            raise SpikeloomError(
                f"{where}: {factors[0].name} and {factors[1].name} do not combine: both are of the "
                f"{end}; take one of another"
            )
    if not named:
        raise SpikeloomError(f"{where}: a term needs a factor; for a number use CONSTANT")
    check_integer(f"{where}: constant", term.constant, *signed_range(FACTOR_BITS))
    curves = {Factor.PRE_CURVE, Factor.POST_CURVE} & {*named}
    if bool(curves) != (term.curve is not None):
        problem = f"{curves.pop().name} needs a curve" if curves else "no factor uses its curve"
        raise SpikeloomError(f"{where}: {problem}; give both or neither")
    if term.curve is not None:
        _check_table(f"{where}: curve", term.curve, signed_range(FACTOR_BITS))
    check_flag(f"{where}: negative", term.negative)
    for end, when in (("pre", term.pre), ("post", term.post)):
        _check_when(f"{where}: {end}", when)
    if term.window is not None:
        _check_range(f"{where}: window", term.window, potentials)
    if term.trace_window is not None:
        _check_range(f"{where}: trace_window", term.trace_window, (0, MAX_TRACE))
    if rule.eligibility is not None:
        if term.pre.gate is not Gate.ALWAYS:
            raise SpikeloomError(
                f"{where}: pre must be ALWAYS in a rule with an eligibility, not {term.pre}; give "
                "that gate to a term of the eligibility"
            )
        of_source = {Factor.PRE_TRACE, Factor.PRE_CURVE} & {*named}
        if of_source:
            raise SpikeloomError(
                f"{where}: {of_source.pop().name} is no factor of a rule with an eligibility; use "
                "it in a term of the eligibility"
            )
    uses_post = Factor.POST_TRACE in named or term.trace_window is not None
    for uses, end in ((Factor.PRE_TRACE in named, "pre"), (uses_post, "post")):
        if uses and getattr(rule, end) is None:
            raise SpikeloomError(f"{where}: the rule has no {end} trace; give it {end}=Trace(...)")


def _check_when(where: str, when: When) -> None:
    if not isinstance(when, When):
        raise SpikeloomError(f"{where} must be a When, such as SPIKED, not {when!r}")
    if not isinstance(when.gate, Gate):
        raise SpikeloomError(f"{where}: gate must be a Gate, not {when.gate!r}")
    _check_range(f"{where}: first, last", (when.first, when.last), (0, MAX_AGE))
    check_flag(f"{where}: now", when.now)


def _most(term: Term, rule: Rule) -> int:
    """The greatest magnitude of a term."""
    spread = rule.bounds[1] - rule.bounds[0]
    plane = rule.eligibility.bounds if rule.eligibility is not None else (0,)
    curve = max(abs(int(value)) for value in (term.curve if term.curve is not None else (0,)))
    most: dict[Factor, int] = {
        Factor.ONE: 1,
        Factor.CONSTANT: abs(term.constant),
        Factor.PRE_TRACE: MAX_TRACE,
        Factor.PRE_CURVE: curve,
        Factor.POST_TRACE: MAX_TRACE,
        Factor.POST_CURVE: curve,
        Factor.THIRD: 1 << (FACTOR_BITS - 1),
        Factor.ABOVE: spread,
        Factor.BELOW: spread,
        Factor.WEIGHT: max(map(abs, rule.bounds)),
        Factor.BETWEEN: (spread // 2) * (spread - spread // 2) >> 8,
        Factor.ELIGIBILITY: max(map(abs, plane)),
    }
    return most[term.left] * most[term.right]
