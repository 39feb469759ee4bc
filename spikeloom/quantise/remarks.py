"""Lines of the report: notes on choices, and warnings of losses that are hardly intended."""

import dataclasses
import math
from collections.abc import Iterator

from spikeloom.golden.network import Population
from spikeloom.golden.spec import DECAY_ONE, MAX_FRACTION_BITS
from spikeloom.golden.switches.adaptive_threshold import AdaptiveThreshold
from spikeloom.golden.switches.constant_leak import ConstantLeak
from spikeloom.importer.float_network import FloatPopulation
from spikeloom.importer.switches.adaptive_threshold import FloatAdaptiveThreshold
from spikeloom.importer.switches.constant_leak import FloatConstantLeak
from spikeloom.quantise.leak import SLOW, integer_time_constant, time_constant
from spikeloom.quantise.ranges import MAX_STATE_BITS, MAX_SUM_BITS, Widths
from spikeloom.quantise.records import PopulationReport

DECAY_TOLERANCE = 0.05
"""Relative change of a decay, or of what it retains, above which the report warns."""

TAU_TOLERANCE = 0.1
"""Relative change of a time constant above which the report warns."""

SAFE = 1.25
"""How much further than needed a remedy goes, because it changes what it was computed from."""

SHORT_TAU = 2.0
"""Steps up to which the decay itself is judged: truncation adds little to it."""

FOR_EVER = 1e6
"""Steps from which on a time constant means that nothing decays: a sample has 65,536 at most."""

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
    # From coarse weights every time constant is far off, and a readout has no threshold.
    limited = report.scale_origin == "calibration" and report.weight_limit < WEIGHT_LIMIT
    judged = report.spiking and not coarse and not limited
    taus = (report.tau, report.effective_tau) if judged else (None, None)
    finer = _finer(report, widths, report.decay, *taus)
    yield from _decay_warnings(report, "", report.decay, report.decay_integer, *taus, finer)
    if report.synaptic_decay is not None and report.synaptic_decay_integer is not None:
        decays = report.synaptic_decay, report.synaptic_decay_integer
        taus = report.synaptic_tau, report.effective_synaptic_tau
        finer = _finer(report, widths, report.synaptic_decay, *taus)
        yield from _decay_warnings(report, "synaptic ", *decays, *taus, finer)
    yield from _range_warnings(where, report, widths)


def switch_warnings(
    population: FloatPopulation, integer: Population, unit: float, widths: Widths
) -> Iterator[str]:
    """Of switches whose numbers are lost in integers, of which `unit` are a potential of 1."""
    where = f"population {population.name!r}"
    widest = widths.weight_pairs and widths.state_bits == MAX_STATE_BITS
    finer = "" if widest else f"use weight_bits=16 and state_bits={MAX_STATE_BITS}, or "
    for switch, whole in zip(population.switches, integer.switches, strict=True):
        match switch, whole:
            case FloatAdaptiveThreshold(), AdaptiveThreshold():
                yield from _fading(f"{where}: {switch.name}", switch.decay, whole, finer)
                name, level, steps = "increment", switch.increment, whole.increment
            case FloatConstantLeak(), ConstantLeak():
                name, level, steps = "leak", switch.amount, whole.amount
            case _:
                continue
        if abs(relative(steps / unit, level)) > TAU_TOLERANCE:
            yield (
                f"{where}: {switch.name}: {name} {level:g} became {steps}, which is "
                f"{steps / unit:.3g}; {finer}change it to that"
            )


def _fading(where: str, decay: float, whole: AdaptiveThreshold, finer: str) -> Iterator[str]:
    """Of an adaptation that decays in another time."""
    tau = time_constant(decay)
    if tau is None or tau >= FOR_EVER:
        return
    became = f"{where}: a time constant of {tau:.4g} steps became"
    effective = integer_time_constant(whole.decay, whole.increment) if whole.increment else None
    if not whole.decay:
        yield f"{became} none, so it never decays; use one below {2 * DECAY_ONE} steps"
    elif effective is not None and abs(relative(effective, tau)) > TAU_TOLERANCE:
        yield (
            f"{became} {effective:.4g}, as {whole.decay}/{DECAY_ONE} and truncation make it of an "
            f"increment of {whole.increment}; {finer}raise the increment or shorten the time "
            "constant"
        )


def _range_warnings(where: str, report: PopulationReport, widths: Widths) -> Iterator[str]:
    """Of states that are too narrow, or leave too little to the weights."""
    if report.saturations:
        wider = max(report.reach_bits, widths.state_bits + 1)
        lower = report.scale / (1 << wider - widths.state_bits)
        yield (
            f"{where}: {report.saturations} updates saturated on the calibration events; "
            f"{_wider(wider)}use {_scale(report, lower)}"
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
        # Rounded down by half a step, weights would still use so much.
        used = report.weight_limit - 1 / 2 / widths.largest_weight
        more = math.ceil(math.log2(WEIGHT_LIMIT / used))
        settings = _more_bits(widths, more), _fewer_weight_bits(report, widths)
        remedies = [f"use {setting}" for setting in settings if setting]
        yield (
            f"{where}: potentials or sums leave its weights {report.weight_limit:.2g} of their "
            f"range; {', or '.join(remedies)}"
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


def _scale(report: PopulationReport, value: float) -> str:
    """The setting of a population's scale."""
    return f"scales={{{report.population!r}: {value:.4g}}}"


def _more_bits(widths: Widths, more: int) -> str:
    """The setting of wider states, and of sums where their width is given; empty if none are."""
    if widths.state_bits + more > MAX_STATE_BITS:
        return ""
    settings = f"state_bits={widths.state_bits + more}"
    if widths.sum_bits is not None:
        settings += f" and sum_bits={min(widths.sum_bits + more, MAX_SUM_BITS)}"
    return settings


def _fewer_weight_bits(report: PopulationReport, widths: Widths) -> str:
    """The setting of the widest narrower weights that would use their range; 2 bits if none do."""
    used = report.weight_limit * widths.largest_weight
    for bits in (8, 4, 2):
        narrower = dataclasses.replace(widths, weight_bits=bits, weight_pairs=False)
        if narrower.largest_weight < widths.largest_weight and (
            bits == 2 or used >= WEIGHT_LIMIT * narrower.largest_weight
        ):
            return f"weight_bits={bits}"
    return ""


def _slower(report: PopulationReport, factor: float) -> str:
    """The remedy for a decay that integers do not have: one that is `factor` times as large."""
    fastest = max(report.decay, report.synaptic_decay or 0.0)
    dt = f", or multiply dt by {factor:.6g}" if fastest * factor <= 1 else ""
    return f"divide the time constant by {factor:.6g}{dt}"


def _wider(state_bits: int) -> str:
    """The first half of a remedy; empty where no states are as wide."""
    return f"use state_bits={state_bits}, or " if state_bits <= MAX_STATE_BITS else ""


def _finer(
    report: PopulationReport,
    widths: Widths,
    decay: float,
    tau: float | None,
    effective: float | None,
) -> str:
    """The remedy for a time constant that truncation changes."""
    if tau is None or effective is None:
        return ""
    # Each bit halves what truncation adds to the decay; a decay as much larger does, too.
    added = max(tau / effective - 1, TAU_TOLERANCE)
    bits = math.ceil(math.log2(added / TAU_TOLERANCE)) + 1
    held = max(widths.state_bits, report.reach_bits)
    if report.scale_origin == "calibration":  # weights take the room first
        held += math.ceil(-math.log2(report.weight_limit))
    room = max(0, min(MAX_STATE_BITS - held, MAX_FRACTION_BITS - report.fraction_bits))
    rest = SAFE * added / TAU_TOLERANCE / (1 << room)
    if bits <= room or rest <= 1:
        return _finer_states(report, widths, held, min(bits, room))
    factor = math.ceil(DECAY_ONE * decay * rest) / DECAY_ONE / decay
    if not room:
        return _slower(report, factor)
    states = _finer_states(report, widths, held, room)
    return f"{states} and divide the time constant by {factor:.6g}"


def _finer_states(report: PopulationReport, widths: Widths, held: int, bits: int) -> str:
    """The setting of states with so many more fraction bits."""
    state_bits, fraction_bits = held + bits, report.fraction_bits + bits
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
    report: PopulationReport,
    kind: str,
    decay: float,
    integer: int,
    tau: float | None,
    effective: float | None,
    finer: str,
) -> Iterator[str]:
    where = f"population {report.population!r}"
    became = f"{where}: a {kind}decay of {decay:g} became {integer}/{DECAY_ONE}"
    if decay > 0 and integer == 0:
        yield f"{became}, so it never leaks; {_slower(report, 1 / DECAY_ONE / decay)}"
    elif decay < 1 and integer == DECAY_ONE:
        yield f"{became}, so it keeps nothing; {_slower(report, (1 - 1 / DECAY_ONE) / decay)}"
    elif excess(decay, integer, tau, effective) <= 1:
        return
    elif tau is not None and effective is not None and tau > SHORT_TAU:
        rounded = time_constant(integer / DECAY_ONE) or effective
        by_rounding = abs(rounded - tau) > abs(rounded - effective)
        yield (
            f"{where}: a {kind}time constant of {tau:.4g} steps became {effective:.4g}, as "
            f"{integer}/{DECAY_ONE} and truncation make it; "
            + (_slower(report, integer / DECAY_ONE / decay) if by_rounding else finer)
        )
    else:
        yield f"{became}; {_slower(report, integer / DECAY_ONE / decay)}"


def _threshold_warnings(where: str, report: PopulationReport, widths: Widths) -> Iterator[str]:
    """Of a positive threshold that is few steps of the weights; one on a grid is meant to be."""
    if report.exact or report.threshold <= 0:
        return
    steps = report.threshold_integer / (1 << report.fraction_bits)
    remedy = _finer_steps(report, widths, (THRESHOLD_STEPS + 1) / (report.threshold * report.scale))
    became = f"{where}: a threshold of {report.threshold:g} became {steps:g}"
    if report.threshold_integer <= 0:
        yield f"{became}; it is less than one step of the weights; {remedy}"
    elif steps < THRESHOLD_STEPS:
        yield f"{became} steps of the weights, which is coarse; {remedy}"


def _finer_steps(report: PopulationReport, widths: Widths, factor: float) -> str:
    """The remedy for a threshold that has too few steps of the weights by a factor."""
    pairs = dataclasses.replace(widths, weight_bits=8, weight_pairs=True)
    room = pairs.largest_weight / widths.largest_weight / report.weight_limit
    limited = report.scale_origin in ("states", "calibration")
    missing = math.ceil(math.log2(factor))
    if report.scale_origin == "states":  # which also has room for a leak
        missing = max(missing, MAX_STATE_BITS - widths.state_bits)
    if report.scale_origin in ("grid", "range") and factor <= room and not widths.weight_pairs:
        return f"use weight_bits=16 and state_bits={MAX_STATE_BITS}"
    remedies = []
    more = _more_bits(widths, missing) if limited else ""
    if report.weight_limit * factor > 1 or (limited and not more):
        most = report.weight_limit * widths.largest_weight / report.scale / factor
        remedies.append(f"clip its weights to {most:.3g}")
    if report.scale_origin == "given":
        remedies.append(f"use {_scale(report, report.scale * factor)}")
    elif more:
        remedies.append(f"use {more}")
    return " and ".join(remedies)
