"""From a float network to the integer network that the hardware computes.

The rule. Every population has one scale s, so that all its incoming weights, its bias and its
potentials are in the same unit of 1 / s, and multiplying all of them by s changes no spike:

    s          = most / max |weight|, over all incoming connections; most is the greatest integer
                 weight: 2**(weight_bits - 1) - 1, or that times (2**weight_bits + 1) with pairs
    weights    = rint(weight * s)          bias, leak, v_reset, v_init, v_min likewise
    threshold  = floor(threshold * s)      where a spike needs u > threshold: for an integer u,
                                           u > x exactly if u > floor(x)
               = ceil(threshold * s)       where it needs u >= threshold, for the same reason
    subtrahend = rint(threshold * s)       what a reset by subtraction takes away
    decays     = rint(4096 * decay)

rint rounds halves to even. Thresholds and resets are computed in rational numbers, so that a
threshold which is a whole number of weight units stays exactly that. A population whose weights
are all 0 (or that has none) is scaled so that its largest potential or bias takes half the range.
Where a neuron can spike several times in a step, s is lowered until threshold * s is whole.

Only rounding is lossy, and the report says how much. What does not fit its width is refused: a
lower scale would cost weight precision silently. With a calibration input that is what is asked
for: s is lowered, and the report says to what, until nothing overflows or saturates on it.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers, signed_range
from spikeloom.golden.network import AnyConnection, Connection, Input, Network, Population
from spikeloom.golden.spec import DECAY_ONE, WEIGHT_BITS, Reset
from spikeloom.importer.float_network import (
    AnyFloatConnection,
    FloatConvolution,
    FloatNetwork,
    FloatPopulation,
    levels,
    with_delays,
)
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.importer.linear_maps import Floats, magnitude
from spikeloom.quantise.report import (
    QuantisationReport,
    Rounded,
    Schedule,
    bits_of,
    largest_weight,
    make_report,
)
from spikeloom.quantise.saturation import saturations

__all__ = ["Schedule", "quantise"]

STATE_BITS = (8, 24)
SUM_BITS = (8, 32)
"""Least and greatest widths of states and sums that hardware can be built with."""

HEADROOM = Fraction(31, 32)
"""Part of its range that a state may take on the calibration input; rounding may add to it."""

HALF = Fraction(1, 2)


def quantise(
    net: FloatNetwork,
    *,
    weight_bits: int = 8,
    state_bits: int = 16,
    sum_bits: int = 16,
    schedule: Schedule = "layered",
    max_count: int = 1,
    weight_pairs: bool = False,
    calibration: Mapping[str, ArrayLike] | ArrayLike | None = None,
) -> tuple[Network, QuantisationReport]:
    """Round a float network to integers by the rule above.

    Parameters
    ----------
    net
        What `load_nir` gave.
    weight_bits, state_bits, sum_bits
        Widths of the integers: 2, 4 or 8; 8..24; 8..32. 16 for `weight_bits` means pairs of 8.
    schedule
        "layered": the phase of a population is its depth, and delays stay as they are.
        "pipelined": one phase; a connection's delay grows by the layers it crosses, 1 between
        neighbours, so that what spikes do to the layer at depth l they do l + 1 steps late. A
        bias, a leak and a potential that starts above or below 0 act from step 0 all the same:
        a network that has them starts otherwise than the layered one.
    max_count
        Most events an input axon can have in one step, 1..255.
    weight_pairs
        Every connection becomes two, of the lower and the upper halves of weights that are twice
        as wide.
    calibration
        Events as for `simulate_float`. Scales are lowered until on these, with the delays of the
        schedule, no state saturates, and no sum can overflow.

    Raises
    ------
    SpikeloomError
        A number does not fit its width, a sum could overflow, or an argument is out of range.
    """
    _check_arguments(weight_bits, state_bits, sum_bits, schedule, max_count)
    if weight_bits == 16:
        weight_bits, weight_pairs = 8, True
    depth = levels(net)
    scales = _scales(net, largest_weight(weight_bits, weight_pairs), min(state_bits, sum_bits))
    layered = schedule == "layered"
    delays = [c.delay if layered else _pipelined_delay(c, depth) for c in net.connections]
    if calibration is not None:
        peaks = simulate_float(with_delays(net, delays), calibration).peaks
        lower_half = 1 << (weight_bits - 1) if weight_pairs else 0
        for population in net.populations:
            limit = _limit(net, population, peaks, state_bits, sum_bits, max_count, lower_half)
            scales[population.name] = min(scales[population.name], limit)
    for population in net.populations:
        scales[population.name] = _whole_threshold(population, scales[population.name])
    rounded = [
        _round(connection, scales[connection.target], delay, weight_pairs)
        for connection, delay in zip(net.connections, delays, strict=True)
    ]
    network = Network(
        tuple(Input(node.name, node.size, max_count, node.image) for node in net.inputs),
        tuple(
            _population(p, scales[p.name], depth[p.name] if layered else 0, state_bits, sum_bits)
            for p in net.populations
        ),
        tuple(part for one in rounded for part in _connections(one, weight_bits, weight_pairs)),
        weight_bits=weight_bits,
        state_bits=state_bits,
        sum_bits=sum_bits,
    )
    saturated = None if calibration is None else saturations(network, calibration)
    report = make_report(net, network, rounded, scales, schedule, weight_pairs, saturated)
    return network, report


def _check_arguments(
    weight_bits: int, state_bits: int, sum_bits: int, schedule: str, max_count: int
) -> None:
    integer = isinstance(weight_bits, (int, np.integer))
    if not integer or weight_bits not in (*WEIGHT_BITS, 16):
        raise SpikeloomError(f"weight_bits must be 2, 4 or 8 (or 16: pairs), not {weight_bits!r}")
    for name, value, (low, high) in (
        ("state_bits", state_bits, STATE_BITS),
        ("sum_bits", sum_bits, SUM_BITS),
    ):
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, np.integer))
            or not low <= value <= high
        ):
            raise SpikeloomError(f"{name} must be an integer {low}..{high}, not {value!r}")
    if isinstance(max_count, bool) or not isinstance(max_count, (int, np.integer)):
        raise SpikeloomError(f"max_count must be an integer 1..255, not {max_count!r}")
    if schedule not in ("layered", "pipelined"):
        raise SpikeloomError(f"schedule must be 'layered' or 'pipelined', not {schedule!r}")


# Scales.


def _scales(net: FloatNetwork, most: int, narrowest: int) -> dict[str, Fraction]:
    """For each population, in order, the integer units per unit of its potential.

    `most` is the greatest integer weight, `narrowest` the width of the narrower of state and sum.
    """
    scales = {}
    for population in net.populations:
        weights = [connection.weights for connection in net.into(population.name)]
        largest = max((magnitude(array) for array in weights), default=0.0)
        steps = most
        if largest == 0:
            largest = max(magnitude(population.bias), *(abs(v) for v in _potentials(population)))
            steps = signed_range(narrowest - 1)[1]
        if largest and steps / largest == math.inf:
            raise SpikeloomError(
                f"population {population.name!r}: its largest weight is {largest:g}, which cannot "
                "be scaled to integers; rescale the layer"
            )
        scales[population.name] = steps / Fraction(largest) if largest else Fraction(1)
    return scales


def _potentials(population: FloatPopulation) -> list[float]:
    """Every potential that a population states."""
    stated = [population.shared("threshold"), population.shared("v_reset"), population.v_init]
    if population.v_min is not None:
        stated.append(population.v_min)
    if population.leak is not None:
        stated.append(magnitude(population.leak))
    return stated


def _limit(
    net: FloatNetwork,
    population: FloatPopulation,
    peaks: Mapping[str, float],
    state_bits: int,
    sum_bits: int,
    max_count: int,
    lower_half: int,
) -> Fraction:
    """The greatest scale at which states with these peaks, and all sums, keep to their range.

    `lower_half` is the largest magnitude of the lower half of a weight; 0 without pairs.
    """
    counts = {node.name: max_count for node in net.inputs}
    counts |= {p.name: p.max_spikes for p in net.populations}
    low, high = np.zeros(population.size), np.zeros(population.size)
    # Rounding takes a weight further from 0 by up to a half. In a pair the lower half can have the
    # other sign, and what it takes away the upper half has more.
    events = np.zeros(population.size)
    for connection in net.into(population.name):
        count = counts[connection.source]
        low += count * _arriving(connection, np.minimum(connection.weights, 0))
        high += count * _arriving(connection, np.maximum(connection.weights, 0))
        events += count * _arriving(connection, np.ones_like(connection.weights))
    needed = Fraction(max(magnitude(low), magnitude(high), magnitude(population.bias)))
    room = signed_range(sum_bits)[1] - Fraction(magnitude(events)) * (lower_half + HALF) - 1
    reach = Fraction(max(peaks[population.name], *(abs(v) for v in _potentials(population))))
    rail = signed_range(state_bits)[1] * HEADROOM - 1
    limits = [room / needed] if needed else []
    limits += [rail / reach] if reach else []
    limit = min(limits, default=Fraction(1 << 32))
    if limit <= 0:
        raise SpikeloomError(
            f"population {population.name!r}: {magnitude(events):g} events can arrive in a step, "
            f"too many for sums of {sum_bits} bits; raise sum_bits"
        )
    return limit


def _arriving(connection: AnyFloatConnection, weights: Floats) -> Floats:
    """What reaches each target where every source spikes once, with other weights."""
    if isinstance(connection, FloatConvolution):
        kernel = connection.kernel
        whole = np.ones(math.prod(kernel.image))
        everywhere: Floats = dataclasses.replace(kernel, weights=weights).apply(whole)
        return everywhere
    sums: Floats = weights.sum(axis=0)
    return sums


def _whole_threshold(population: FloatPopulation, scale: Fraction) -> Fraction:
    """The scale, lowered until a threshold that several spikes share is whole."""
    if population.max_spikes == 1:
        return scale
    threshold = Fraction(population.shared("threshold"))
    steps = math.floor(threshold * scale)
    if steps == 0:
        raise SpikeloomError(
            f"population {population.name!r}: its threshold {float(threshold):g} is less than "
            "one step of the weights; raise weight_bits"
        )
    return steps / threshold


# Integers.


def _round(
    connection: AnyFloatConnection, scale: Fraction, delay: int, weight_pairs: bool
) -> Rounded:
    weights = np.rint(connection.weights * float(scale)).astype(np.int64)
    return Rounded(connection, weights, delay, weights.size * (1 + weight_pairs))


def _connections(one: Rounded, weight_bits: int, weight_pairs: bool) -> Iterator[AnyConnection]:
    """The connections that a float one became."""
    if not weight_pairs:
        yield _connection(one, one.weights, high=False)
        return
    half = 1 << (weight_bits - 1)
    low = (one.weights + half) % (2 * half) - half
    yield _connection(one, low, high=False)
    yield _connection(one, (one.weights - low) // (2 * half), high=True)


def _connection(one: Rounded, weights: Integers, high: bool) -> AnyConnection:
    trained = one.trained
    if not isinstance(trained, FloatConvolution):
        return Connection(trained.source, trained.target, weights, one.delay, high)
    kernel = trained.kernel
    return Convolution(
        trained.source,
        trained.target,
        weights,
        one.delay,
        high,
        kernel.stride,
        kernel.padding,
        kernel.dilation,
        kernel.groups,
        kernel.pool,
    )


def _population(
    population: FloatPopulation, scale: Fraction, phase: int, state_bits: int, sum_bits: int
) -> Population:
    if population.restores:
        raise SpikeloomError(
            f"population {population.name!r}: snnTorch's subtraction without delay restores "
            "what it took from a potential that stays above the threshold, which integer neurons "
            "do not; "
            "train with reset_delay=True (snnTorch's default), or allow a plain subtraction with "
            "restore=False"
        )
    threshold = Fraction(population.shared("threshold")) * scale
    rounded = math.ceil(threshold) if population.inclusive else math.floor(threshold)
    # With "u > threshold", a threshold at the upper rail could never be exceeded.
    reached = rounded if population.inclusive or not population.spiking else rounded + 1
    _check_fits(population, "threshold", reached, state_bits, population.shared("threshold"))
    subtrahend = None
    if population.reset is Reset.SUBTRACT and population.spiking and round(threshold) != rounded:
        subtrahend = round(threshold)

    def potential(name: str) -> int:
        value = getattr(population, name)
        scaled = round(Fraction(value) * scale)
        _check_fits(population, name, scaled, state_bits, value)
        return scaled

    def array(name: str, bits: int) -> Integers:
        values = getattr(population, name)
        for value in (values.min(), values.max()):
            _check_fits(population, name, round(Fraction(value) * scale), bits, value)
        integers: Integers = np.rint(values * float(scale)).astype(np.int64)
        return integers

    synaptic = None
    if population.synaptic_decay is not None:
        synaptic = population.shared("synaptic_decay")
    return Population(
        population.name,
        population.size,
        array("bias", sum_bits),
        phase=phase,
        decay=round(DECAY_ONE * population.shared("decay")),
        threshold=rounded,
        inclusive=population.inclusive,
        spiking=population.spiking,
        reset=population.reset,
        v_reset=potential("v_reset"),
        v_init=potential("v_init"),
        image=population.image,
        synaptic_decay=None if synaptic is None else round(DECAY_ONE * synaptic),
        leak=None if population.leak is None else array("leak", state_bits),
        subtrahend=subtrahend,
        delayed_reset=population.delayed_reset,
        v_min=None if population.v_min is None else potential("v_min"),
        max_spikes=population.max_spikes,
    )


def _check_fits(
    population: FloatPopulation, name: str, value: int, bits: int, trained: float
) -> None:
    needed = bits_of(value)
    if needed <= bits:
        return
    width, (_, most) = ("sum_bits", SUM_BITS) if name == "bias" else ("state_bits", STATE_BITS)
    remedy = (
        f"raise {width} to {needed} or lower weight_bits"
        if needed <= most
        else "it is too large for the weights: check dt and r, or rescale the layer"
    )
    raise SpikeloomError(
        f"population {population.name!r}: {name} {trained:g} needs {needed} bits at the scale of "
        f"the weights, and {width} is {bits}; {remedy}"
    )


def _pipelined_delay(connection: AnyFloatConnection, depth: Mapping[str, int]) -> int:
    """The delay that keeps a connection in step where spikes reach depth l l + 1 steps late."""
    delay = connection.delay + depth[connection.target] - depth.get(connection.source, -1)
    if delay < 1:
        raise SpikeloomError(
            f"connection {connection.source!r} -> {connection.target!r}: it feeds back sooner than "
            'pipelined layers allow; use schedule="layered" or a longer delay'
        )
    return delay
