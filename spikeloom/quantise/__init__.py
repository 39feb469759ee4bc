"""From a float network to integers.

In: a `FloatNetwork` and widths. Out: a `golden.network.Network` and a report of what rounding did.
`fidelity` measures the loss on events, `choice` finds the smallest widths that keep it low.
"""

from spikeloom.quantise.quantise import quantise

__all__ = ["quantise"]
