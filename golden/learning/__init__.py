"""Learning rules: how the weights of a connection change while the network runs.

`rule` has the records, `ready_made` the rules of the literature, `check` what is refused.
`docs/learning.md` explains them.
"""

from spikeloom.golden.learning.ready_made import (
    e_prop,
    first_spike_stdp,
    pair_stdp,
    random_backprop,
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
    "table_stdp",
]
