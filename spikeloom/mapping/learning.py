"""Rows of learning: the rules of a tile's plastic connections, and what their neurons keep."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from spikeloom.golden.convolution import ImageShape
from spikeloom.golden.fixed import signed_range
from spikeloom.golden.learning.check import MAX_RULES
from spikeloom.golden.learning.rule import ROUNDINGS, Rule, Term, Trace, visits
from spikeloom.golden.network import Learnable, Network
from spikeloom.golden.spec import MAX_AGE, RULE_SHIFTS, TRACE_BITS, FabricConfig
from spikeloom.mapping.geometry import Geometry, geometry, shapes
from spikeloom.mapping.kernels import axon_rows, kernel_fields
from spikeloom.mapping.tile_parts import TilePart


@dataclass(frozen=True)
class LearningRows:
    """Rows of the memories RULE, TERM and CURVE."""

    rules: tuple[int, ...] = ()
    terms: tuple[int, ...] = ()
    curves: tuple[int, ...] = ()


@dataclass(frozen=True)
class TileRule:
    """The rule of a plastic connection in a tile with a part of its target.

    Parameters
    ----------
    rule
        Its number in the tile; with a plane that of the plane's rule, and it is the next.
    axon_base
        The row of its first axon.
    connection, number
        The connection, and its number among the plastic ones of the network.
    joined
        Its geometry.
    """

    rule: int
    axon_base: int
    connection: Learnable
    number: int
    joined: Geometry

    @property
    def plane(self) -> bool:
        """Whether it has a plane of eligibilities."""
        return rule_of(self.connection).eligibility is not None


def rule_of(connection: Learnable) -> Rule:
    """The rule of a plastic connection."""
    assert connection.plasticity is not None
    return connection.plasticity


def with_planes(network: Network) -> list[Learnable]:
    """The connections with a plane of eligibilities, which takes as many words as their weights."""
    return [c for c in network.plastic if rule_of(c).eligibility is not None]


def totals(network: Network) -> dict[str, int]:
    """The rules and plastic axons of a tile that has a part of every target."""
    return _taken(network, network.plastic)


def of_target(network: Network, name: str) -> dict[str, int]:
    """The rules and plastic axons of a part of a population."""
    return _taken(network, [c for c in network.plastic if c.target == name])


def _taken(network: Network, plastic: Sequence[Learnable]) -> dict[str, int]:
    nodes = shapes(network)
    return {
        "rules": sum(len(rule_of(c).in_order) for c in plastic),
        "plastic_axons": sum(axon_rows(nodes[c.source]) for c in plastic),
    }


def tile_rules(
    network: Network, nodes: dict[str, ImageShape], parts: Sequence[TilePart]
) -> dict[int, TileRule]:
    """The rules of the tile with these `parts`, by the number of their connection."""
    local = {part.population.name for part in parts}
    rules: dict[int, TileRule] = {}
    axon_base = rule = number = 0
    for n, connection in enumerate(network.connections):
        if isinstance(connection, Learnable) and connection.plasticity is not None:
            if connection.target in local:
                joined = geometry(connection, nodes)
                rules[n] = TileRule(rule, axon_base, connection, number, joined)
                axon_base += axon_rows(joined.source)
                rule += len(connection.plasticity.in_order)
            number += 1
    return rules


def kept_fields(network: Network, name: str) -> dict[str, int]:
    """The fields of a population's row that say what its neurons keep for learning, and when."""
    rules = [rule for c in network.plastic if c.target == name for rule in rule_of(c).in_order]
    third = any(rule.third == name for c in network.plastic for rule in rule_of(c).in_order)
    when = visits(rules)
    return {
        "plasticity": bool(rules) or third,
        "plasticity_always": when.always,
        "plasticity_on_spike": when.on_spike,
        "plasticity_at_age": when.at_age,
    }


def learning_rows(
    config: FabricConfig,
    rules: Mapping[int, TileRule],
    parts: Sequence[TilePart],
    connections: Sequence[int],
) -> LearningRows:
    """The rows of a tile.

    The table of rules is always whole: hardware walks all of it, whatever was loaded before.

    Parameters
    ----------
    rules
        A result of `tile_rules`.
    connections
        The connection table of the tile.
    """
    by_name = {part.population.name: part for part in parts}
    rows = [0] * config.rules
    terms: list[int] = []
    curves: list[int] = []
    for n, local in rules.items():
        table = config.connection_row.unpack(connections[n])
        anything = signed_range(config.state_bits)
        for row, rule in enumerate(rule_of(local.connection).in_order, local.rule):
            fields = _rule_fields(rule, local, by_name, config)
            if local.joined.placed:
                fields |= _kernel_words(local, by_name, config, table)
            else:
                fields |= _words(rule, local, table)
            rows[row] = config.rule_row.pack(fields)
            packed = [config.term_row.pack(_term_fields(term, anything)) for term in rule.terms]
            terms += packed + [0] * (config.rule_terms - len(packed))
            curves += [config.curve_row.pack(each) for each in _curves(rule)]
    return LearningRows(tuple(rows), tuple(terms), tuple(curves))


def _words(rule: Rule, local: TileRule, table: Mapping[str, int]) -> dict[str, int]:
    """The fields that say where a rule's words and its plane lie, from the connection's row."""
    fields = {name: table[name] for name in ("weight_base", "sources", "groups")}
    plane_base = fields["weight_base"] + fields["sources"] * fields["groups"]
    if rule.eligibility is not None:
        return fields | {"plane": 1, "plane_base": plane_base}
    return fields | ({"weight_base": plane_base} if local.plane else {})


def _kernel_words(
    local: TileRule,
    parts: Mapping[str, TilePart],
    config: FabricConfig,
    table: Mapping[str, int],
) -> dict[str, int]:
    """The same of the rule of a convolution, and those that say how its kernel lies."""
    part = parts[local.connection.target].part
    return kernel_fields(local.joined) | {
        "weight_base": table["weight_base"],
        "sources": local.joined.taps * local.joined.source[0],
        "groups": part.groups(config.lanes),
    }


def _rule_fields(
    rule: Rule, local: TileRule, parts: Mapping[str, TilePart], config: FabricConfig
) -> dict[str, int]:
    target = parts[local.connection.target]
    is_plane = rule is rule_of(local.connection).eligibility
    fields = {
        "axon_base": local.axon_base,
        "neurons": target.part.size,
        "neuron_base": target.group * config.lanes,
        "index_base": target.part.start,
        "number": MAX_RULES - 1 - local.number if is_plane else local.number,
        "at_end": rule.at_end,
        "silent": rule.silent,
        "traces": rule.post is not None,
        "shift": RULE_SHIFTS.index(rule.shift),
        "rounding": ROUNDINGS[rule.rounding],
        "lowest": rule.bounds[0],
        "highest": rule.bounds[1],
    }
    if rule.third is not None:
        fields |= {
            "third": 1,
            "third_base": parts[rule.third].group * config.lanes,
            "third_shift": rule.third_shift,
        }
    for end, trace in (("pre", rule.pre), ("post", rule.post)):
        if trace is not None:
            fields |= {f"{end}_amount": trace.amount, f"nearest_{end}": trace.nearest}
    return fields


def _term_fields(term: Term, potentials: tuple[int, int]) -> dict[str, int]:
    lower, upper = term.window or potentials
    trace_lowest, trace_highest = term.trace_window or (0, (1 << TRACE_BITS) - 1)
    return {
        **{
            f"{end}_{name}": getattr(when, name)
            for end, when in (("pre", term.pre), ("post", term.post))
            for name in ("gate", "now", "first", "last")
        },
        "lower": lower,
        "upper": upper,
        "trace_lowest": trace_lowest,
        "trace_highest": trace_highest,
        "left": term.left,
        "right": term.right,
        "negative": term.negative,
        "constant": term.constant,
    }


def _curves(rule: Rule) -> Iterator[dict[str, int]]:
    """The fields of each age."""

    def decay(trace: Trace | None, age: int) -> int:
        return int(trace.decay[age]) if trace is not None else 0

    for age in range(MAX_AGE + 1):
        fields = {"pre_decay": decay(rule.pre, age), "post_decay": decay(rule.post, age)}
        for k, term in enumerate(rule.terms):
            if term.curve is not None:
                fields[f"curve{k}"] = int(term.curve[age])
        yield fields
