"""Lines of the report: notes on choices, and warnings of losses that are hardly intended."""

import math
from collections.abc import Iterator

from spikeloom.golden.spec import DECAY_ONE
from spikeloom.quantise.leak import time_constant
from spikeloom.quantise.records import PopulationReport

DECAY_TOLERANCE = 0.05
"""Relative change of a decay, or of what it retains, above which the report warns."""

TAU_TOLERANCE = 0.1
"""Relative change of a time constant above which the report warns."""

SHORT_TAU = 2.0
"""Steps up to which the decay itself is judged: truncation adds little to it."""

WEIGHT_LIMIT = 0.5
"""Fraction of their range that weights use below which the report warns."""

THRESHOLD_STEPS = 32
"""Steps of the weights in a threshold below which the report warns."""


def notes(report: PopulationReport) -> Iterator[str]:
    """Choices that a user may want to know."""
    where = f"population {report.population!r}"
    decays = (report.decay_integer, report.synaptic_decay_integer or 0)
    if report.exact and any(0 < k < DECAY_ONE for k in decays):
        yield f"{where}: all but its decays exact on a grid of {report.grid}"
    elif report.exact:
        yield f"{where}: exact on a grid of {report.grid}"
    elif report.grid is not None:
        yield f"{where}: weights exact on a grid of {report.grid}, biases or potentials rounded"
    if report.per_neuron:
        yield f"{where}: each neuron has its own {', '.join(report.per_neuron)}"
    if report.gains is not None:
        yield (
            f"{where}: weights scaled by up to {max(report.gains):.3g} to make thresholds uniform; "
            'fabric={"neuron_parameters": True} keeps them as they are'
        )


def warnings(report: PopulationReport) -> Iterator[str]:
    """Losses that are hardly intended, each with its remedy."""
    where = f"population {report.population!r}"
    coarse = tuple(_threshold_warnings(where, report))
    yield from coarse
    # From a coarse threshold every time constant is far off, and a readout has none.
    judged = report.spiking and not coarse
    taus = (report.tau, report.effective_tau) if judged else (None, None)
    yield from _decay_warnings(where, "", report.decay, report.decay_integer, *taus)
    if report.synaptic_decay is not None and report.synaptic_decay_integer is not None:
        decays = report.synaptic_decay, report.synaptic_decay_integer
        taus = report.synaptic_tau, report.effective_synaptic_tau
        yield from _decay_warnings(where, "synaptic ", *decays, *taus)
    # Fraction bits leave the room that a step is likely to need.
    if report.state_headroom_bits < 0 and not report.fraction_bits:
        yield (
            f"{where}: the strongest input of one step saturates the potential; raise state_bits, "
            "or give events for calibration"
        )
    if report.saturations:
        yield (
            f"{where}: {report.saturations} updates saturated on the calibration events; raise "
            "state_bits, or lower its scale"
        )
    if report.weight_limit < WEIGHT_LIMIT and report.scale_origin == "calibration":
        yield (
            f"{where}: potentials or sums leave its weights {report.weight_limit:.2g} of their "
            "range; raise state_bits and sum_bits, or lower weight_bits"
        )


def relative(value: float, reference: float) -> float:
    """`value` / `reference` - 1; 0 where the reference is 0."""
    return value / reference - 1 if reference else 0.0


def excess(decay: float, integer: int, tau: float | None, effective: float | None) -> float:
    """Change of a decay relative to its tolerance.

    Infinite where the integer forgets nothing or everything, and the decay does not.
    """
    if (integer == 0) != (decay == 0) or (integer == DECAY_ONE) != (decay == 1):
        return math.inf
    if tau is not None and effective is not None and tau > SHORT_TAU:
        return abs(relative(effective, tau)) / TAU_TOLERANCE
    retained = relative(1 - integer / DECAY_ONE, 1 - decay)
    return max(abs(relative(integer / DECAY_ONE, decay)), abs(retained)) / DECAY_TOLERANCE


def _decay_warnings(
    where: str, kind: str, decay: float, integer: int, tau: float | None, effective: float | None
) -> Iterator[str]:
    became = f"{where}: a {kind}decay of {decay:g} became {integer}/{DECAY_ONE}"
    if decay > 0 and integer == 0:
        yield f"{became}, so it never leaks; raise dt, or shorten the time constant"
    elif decay < 1 and integer == DECAY_ONE:
        yield f"{became}, so it keeps nothing; lower dt, or lengthen the time constant"
    elif excess(decay, integer, tau, effective) <= 1:
        return
    elif tau is not None and effective is not None and tau > SHORT_TAU:
        rounded = time_constant(integer / DECAY_ONE) or effective
        by_rounding = abs(rounded - tau) > abs(rounded - effective)
        yield (
            f"{where}: a {kind}time constant of {tau:.4g} steps became {effective:.4g}, as "
            f"{integer}/{DECAY_ONE} and truncation make it; "
            + (
                "choose dt or the time constant so that the decay is nearer to n/4096"
                if by_rounding
                else "raise state_bits, or use a fabric with fraction_bits, or weight_bits=16"
            )
        )
    else:
        yield f"{became}; choose dt or the time constant so that the decay is nearer to n/4096"


def _threshold_warnings(where: str, report: PopulationReport) -> Iterator[str]:
    """Of a positive threshold that is few steps of the weights; one on a grid is meant to be."""
    if report.exact or report.threshold <= 0:
        return
    steps = report.threshold_integer / (1 << report.fraction_bits)
    became = f"{where}: a threshold of {report.threshold:g} became {steps:g}"
    if report.threshold_integer <= 0:
        yield f"{became}; it is less than one step of the weights; raise weight_bits"
    elif steps < THRESHOLD_STEPS:
        yield f"{became} steps of the weights, which is coarse; raise weight_bits"
