"""From a float network to integers.

In: a `FloatNetwork` and widths. Out: a `golden.network.Network` and a report on the rounding.
Data passes `scales` (with `grid`, `fraction`), `integers` (with `leak`) and `report` (with
`remarks`); `quantise` joins them. `wide` splits the weights of integer networks, `fidelity`
measures the loss on events, `choice` finds the least memory that keeps it low.
"""

from spikeloom.quantise.quantise import quantise

__all__ = ["quantise"]
