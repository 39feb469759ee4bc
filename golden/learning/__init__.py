"""Learning rules: how the weights of a connection change while the network runs.

`rule` has the records, `ready_made` and `by_error` the rules of the literature, `check` what is
refused.
`docs/learning.md` explains them.
"""

from spikeloom.golden.learning.by_error import e_prop, random_backprop, super_spike
from spikeloom.golden.learning.ready_made import (
    first_spike_stdp,
    pair_stdp,
    reward_stdp,
    sdsp,
    table_stdp,
)
from spikeloom.golden.learning.rule import ALWAYS, NEVER, SPIKED, Rule, Term, Trace, When

__all__ = [
    "ALWAYS",
    "NEVER",
    "SPIKED",
    "Rule",
    "Term",
    "Trace",
    "When",
    "e_prop",
    "first_spike_stdp",
    "pair_stdp",
    "random_backprop",
    "reward_stdp",
    "sdsp",
    "super_spike",
    "table_stdp",
]
