"""Lines of the report: notes on choices, and warnings of losses that are hardly intended."""

import dataclasses
import math
from collections.abc import Iterator

from spikeloom.golden.spec import DECAY_ONE, MAX_FRACTION_BITS
from spikeloom.quantise.leak import SLOW, time_constant
from spikeloom.quantise.ranges import MAX_STATE_BITS, Widths
from spikeloom.quantise.records import PopulationReport

DECAY_TOLERANCE = 0.05
"""Relative change of a decay, or of what it retains, above which the report warns."""

TAU_TOLERANCE = 0.1
"""Relative change of a time constant above which the report warns."""

SHORT_TAU = 2.0
"""Steps up to which the decay itself is judged: truncation adds little to it."""

WEIGHT_LIMIT = 0.5
"""Fraction of their range that weights use below which the report warns."""

PAIR_LIMIT = 1 / 16
"""The same for pairs of weights, which are still finer than single ones."""

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


def warnings(report: PopulationReport, widths: Widths) -> Iterator[str]:
    """Losses that are hardly intended, each with a remedy that removes it."""
    where = f"population {report.population!r}"
    coarse = tuple(_threshold_warnings(where, report, widths))
    yield from coarse
    # From a coarse threshold every time constant is far off, and a readout has none.
    judged = report.spiking and not coarse
    taus = (report.tau, report.effective_tau) if judged else (None, None)
    finer = _finer(report, widths, *taus)
    yield from _decay_warnings(where, "", report.decay, report.decay_integer, *taus, finer)
    if report.synaptic_decay is not None and report.synaptic_decay_integer is not None:
        decays = report.synaptic_decay, report.synaptic_decay_integer
        taus = report.synaptic_tau, report.effective_synaptic_tau
        finer = _finer(report, widths, *taus)
        yield from _decay_warnings(where, "synaptic ", *decays, *taus, finer)
    yield from _range_warnings(where, report, widths)


def _range_warnings(where: str, report: PopulationReport, widths: Widths) -> Iterator[str]:
    """Of states that are too narrow, or leave too little to the weights."""
    if report.saturations:
        yield (
            f"{where}: {report.saturations} updates saturated on the calibration events; raise "
            "state_bits, or lower its scale"
        )
    # Fraction bits, and pairs, leave the room that a step is likely to need.
    needed = widths.state_bits - report.state_headroom_bits
    if needed > widths.state_bits and not report.fraction_bits and not widths.weight_pairs:
        yield (
            f"{where}: the strongest input of one step saturates the potential; "
            f"{_wider(needed)}give events for calibration"
        )
    if report.drift_bits > widths.state_bits and report.saturations is None:
        yield (
            f"{where}: inhibition or a negative bias prevails, and the potential falls until it "
            f"saturates; {_wider(report.drift_bits)}give events for calibration"
        )
    if report.scale_origin == "calibration" and report.weight_limit < WEIGHT_LIMIT:
        yield (
            f"{where}: potentials or sums leave its weights {report.weight_limit:.2g} of their "
            "range; raise state_bits and sum_bits, or lower weight_bits"
        )
    if (
        report.scale_origin == "states"
        and report.weight_limit < PAIR_LIMIT
        and widths.state_bits < MAX_STATE_BITS
    ):
        wider = max(widths.state_bits, report.reach_bits)
        wider += math.ceil(-math.log2(report.weight_limit))
        # Of a slow leak the closest time constant decides, not the room.
        slow = 0 < report.decay * DECAY_ONE < SLOW
        yield (
            f"{where}: {widths.state_bits}-bit states leave its weights {report.weight_limit:.2g} "
            f"of their range; {'' if slow else _wider(wider)}use weight_bits={widths.weight_bits}"
        )


def _wider(state_bits: int) -> str:
    """The first half of a remedy; empty where no states are as wide."""
    return f"use state_bits={state_bits}, or " if state_bits <= MAX_STATE_BITS else ""


def _finer(
    report: PopulationReport, widths: Widths, tau: float | None, effective: float | None
) -> str:
    """The remedy for a time constant that truncation changes."""
    if tau is None or effective is None:
        return ""
    # Each bit halves what truncation adds to the decay.
    added = max(tau / effective - 1, TAU_TOLERANCE)
    bits = math.ceil(math.log2(added / TAU_TOLERANCE)) + 1
    state_bits = max(widths.state_bits, report.reach_bits, report.drift_bits) + bits
    fraction_bits = report.fraction_bits + bits
    if state_bits > MAX_STATE_BITS or fraction_bits > MAX_FRACTION_BITS:
        return "raise dt, or shorten the time constant"
    if fraction_bits <= widths.max_fraction_bits or widths.weight_pairs:
        return f"use state_bits={state_bits}"
    return f"use fraction_bits={fraction_bits} and state_bits={state_bits}"


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
    where: str,
    kind: str,
    decay: float,
    integer: int,
    tau: float | None,
    effective: float | None,
    finer: str,
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
                else finer
            )
        )
    else:
        yield f"{became}; choose dt or the time constant so that the decay is nearer to n/4096"


def _threshold_warnings(where: str, report: PopulationReport, widths: Widths) -> Iterator[str]:
    """Of a positive threshold that is few steps of the weights; one on a grid is meant to be."""
    if report.exact or report.threshold <= 0:
        return
    steps = report.threshold_integer / (1 << report.fraction_bits)
    exact_steps = report.threshold * report.scale
    pairs = dataclasses.replace(widths, weight_bits=8, weight_pairs=True)
    finer = exact_steps * pairs.largest_weight / widths.largest_weight
    remedy = "rescale the layer: its weights are large beside its threshold"
    if report.scale_origin == "given":
        remedy = "raise its scale"
    elif report.scale_origin == "calibration":
        remedy = "raise state_bits and sum_bits"
    elif finer >= THRESHOLD_STEPS + 1 and not widths.weight_pairs:
        remedy = f"use weight_bits=16 and state_bits={MAX_STATE_BITS}"
    became = f"{where}: a threshold of {report.threshold:g} became {steps:g}"
    if report.threshold_integer <= 0:
        yield f"{became}; it is less than one step of the weights; {remedy}"
    elif steps < THRESHOLD_STEPS:
        yield f"{became} steps of the weights, which is coarse; {remedy}"
