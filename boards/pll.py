"""Chooses PLL settings by exhaustive search within the vendors' limits.

A PLL divides its input by `reference`, locks an oscillator to `feedback` times that, and divides
the oscillator's frequency for its output. Frequencies are exact fractions, so rounding excludes no
setting.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from spikeloom.golden.errors import SpikeloomError

MHZ = 1_000_000


@dataclass(frozen=True)
class Range:
    """Frequencies from `low` to `high`, in Hz, both included."""

    low: int
    high: int

    def __contains__(self, value: Fraction) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Setting:
    """The dividers of a PLL, and the resulting frequencies.

    Parameters
    ----------
    reference
        Divisor of the input.
    feedback
        Multiplier of the loop.
    output
        Divisor of the oscillator.
    frequency, oscillator, detector
        In Hz: output, oscillator, and divided input.
    """

    reference: int
    feedback: int
    output: int
    frequency: Fraction
    oscillator: Fraction
    detector: Fraction


@dataclass(frozen=True)
class Rules:
    """The limits of a PLL.

    Parameters
    ----------
    references, feedbacks, outputs
        Available divisors and multipliers.
    detector, oscillator, frequency
        Allowed frequencies of the divided input, the oscillator, and the output.
    loop
        The output is fed back, so `feedback` multiplies the output frequency; otherwise the
        oscillator is fed back.
    """

    references: Iterable[int]
    feedbacks: Iterable[int]
    outputs: Iterable[int]
    detector: Range
    oscillator: Range
    frequency: Range
    loop: bool

    def settings(self, source: int) -> Iterator[Setting]:
        """Every allowed setting for an input of `source` Hz."""
        for reference in self.references:
            detector = Fraction(source, reference)
            if detector not in self.detector:
                continue
            for feedback in self.feedbacks:
                fed_back = detector * feedback
                if fed_back not in (self.frequency if self.loop else self.oscillator):
                    continue
                for output in self.outputs:
                    oscillator = fed_back * (output if self.loop else 1)
                    frequency = oscillator / output
                    if oscillator in self.oscillator and frequency in self.frequency:
                        yield Setting(reference, feedback, output, frequency, oscillator, detector)


RULES = {
    # iCE40 sysCLOCK PLL (FPGA-TN-02052): simple feedback, DIVR + 1, DIVF + 1, 2**DIVQ.
    "ice40": Rules(
        range(1, 17),
        range(1, 129),
        [2, 4, 8, 16, 32, 64],
        Range(10 * MHZ, 133 * MHZ),
        Range(533 * MHZ, 1066 * MHZ),
        Range(16 * MHZ, 275 * MHZ),
        loop=False,
    ),
    # ECP5 sysCLOCK PLL (FPGA-TN-02200), CLKOP fed back: CLKI_DIV, CLKFB_DIV, CLKOP_DIV.
    "ecp5": Rules(
        range(1, 129),
        range(1, 129),
        range(1, 129),
        Range(10 * MHZ, 400 * MHZ),
        Range(400 * MHZ, 800 * MHZ),
        Range(3_125_000, 400 * MHZ),
        loop=True,
    ),
    # GW1NR-9 C6/I5 rPLL (DS117, UG286): IDIV_SEL + 1, FBDIV_SEL + 1, ODIV_SEL.
    "gowin": Rules(
        range(1, 65),
        range(1, 65),
        [2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128],
        Range(3 * MHZ, 400 * MHZ),
        Range(400 * MHZ, 1200 * MHZ),
        Range(3_125_000, 600 * MHZ),
        loop=True,
    ),
}
"""The PLL of each family, for the slowest speed grade."""


def setting(family: str, source: int, wanted: int) -> Setting:
    """The setting with the highest output frequency up to `wanted` Hz.

    Among equal ones, that with the fastest detector, which means the least jitter.

    Raises
    ------
    SpikeloomError
        There is no such setting.
    """
    best = max(
        (
            candidate
            for candidate in RULES[family].settings(source)
            if candidate.frequency <= wanted
        ),
        key=lambda choice: (choice.frequency, choice.detector, choice.oscillator),
        default=None,
    )
    if best is None:
        lowest = min(choice.frequency for choice in RULES[family].settings(source))
        raise SpikeloomError(
            f"the PLL cannot make {wanted / MHZ:g} MHz or less from {source / MHZ:g} MHz: "
            f"ask for {float(lowest) / MHZ:g} MHz or more"
        )
    return best
