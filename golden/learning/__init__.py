"""Learning rules: how the weights of a connection change while the network runs.

`rule` has the records, `check` says which are refused. `docs/learning.md` explains them.
"""

from spikeloom.golden.learning.rule import ALWAYS, NEVER, SPIKED, Rule, Term, Trace, When

__all__ = ["ALWAYS", "NEVER", "SPIKED", "Rule", "Term", "Trace", "When"]
