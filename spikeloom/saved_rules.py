"""Learning rules as JSON values, for the files of Programs."""

import dataclasses
from typing import Any

from spikeloom.golden.learning.rule import Rule, Term, Trace, When
from spikeloom.golden.spec import Factor, Gate


def saved_rule(rule: Rule | None) -> dict[str, Any] | None:
    """The fields of a rule, and of its terms and traces."""
    return None if rule is None else dataclasses.asdict(rule)


def restored_rule(values: Any) -> Rule | None:
    """The rule that `saved_rule` made JSON of; may raise any exception if it did not."""
    if values is None:
        return None
    fields = {name: _tuple(value) for name, value in values.items()}
    fields["terms"] = tuple(map(_term, values["terms"]))
    for end in ("pre", "post"):
        if (trace := values[end]) is not None:
            fields[end] = Trace(**{name: _tuple(value) for name, value in trace.items()})
    fields["eligibility"] = restored_rule(values["eligibility"])
    return Rule(**fields)


def _term(values: dict[str, Any]) -> Term:
    fields = {name: _tuple(value) for name, value in values.items()}
    for end in ("pre", "post"):
        fields[end] = When(**{**values[end], "gate": Gate(values[end]["gate"])})
    for side in ("left", "right"):
        fields[side] = Factor(values[side])
    return Term(**fields)


def _tuple(value: Any) -> Any:
    """Lists, which JSON has for tuples, as tuples."""
    return tuple(value) if isinstance(value, list) else value
