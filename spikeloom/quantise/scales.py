"""Scales: how many integer units stand for 1 in each population of a float network.

The unit of potentials, currents and biases may be 2**f times finer than that of weights and sums;
`spikeloom.quantise.fraction` has the rule for f.

All numbers of a population, its incoming weights, biases and potentials, are multiplied by the same
scale, which changes no spike; what rounding then loses is smaller the larger the scale is. Its
scale is the first of these that applies:

1. the one the user gives;
2. that of a common grid: weights k * g with whole k (quantisation-aware training) are exact with a
   scale of n / g. n is the smallest that makes biases and potentials whole, too, or, where none
   does or the potential leaks, the largest that fits;
3. largest integer weight / largest weight: the weights use their whole range;
4. without weights, half the range of the states / the largest potential or bias.

With calibration, 2 to 4 are lowered until on its events no potential saturates, and no sum can
overflow.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import signed_range
from spikeloom.importer.float_network import (
    FloatNetwork,
    FloatPopulation,
)
from spikeloom.importer.linear_maps import Floats, magnitude
from spikeloom.quantise.fraction import choose_fraction_bits, finest_scale, tolerated_bits
from spikeloom.quantise.grid import grid_scale, on_grid, whole_multiple
from spikeloom.quantise.ranges import (
    HEADROOM,
    MAX_STATE_BITS,
    MAX_SUM_BITS,
    Widths,
    exact_numbers,
    leaks,
    potentials,
    step_sums,
    wider_weights,
)
from spikeloom.quantise.room import reach

Origin = Literal["given", "grid", "range", "states", "calibration"]
"""Why a scale is what it is."""

HALF = Fraction(1, 2)

TINY = 1e200
"""Factor by which numbers are multiplied of which the reciprocal is beyond a float."""

DEFAULT_STATE_BITS = 16
"""Width of states where nothing needs more."""


@dataclass(frozen=True)
class Scale:
    """How a population's numbers become integers.

    Parameters
    ----------
    value
        Units of the weights per unit of the float potential.
    origin
        The rule that chose it.
    grid
        The grid on which the weights lie, where they lie on one and `value` keeps them exact.
    fraction_bits
        f: a unit of the weights is 2**f units of the potential.
    """

    value: Fraction
    origin: Origin
    grid: Fraction | None = None
    fraction_bits: int = 0

    @property
    def state(self) -> Fraction:
        """Units of the integer potential per unit of the float potential."""
        return self.value * (1 << self.fraction_bits)

    def whole(self, number: float) -> int | None:
        """`number` in units of the potential, if whole: exactly, or on a grid to float32."""
        if self.grid is not None:
            return whole_multiple(number, self.state)
        exact = Fraction(number) * self.state
        return int(exact) if exact.denominator == 1 else None


def choose_scales(
    net: FloatNetwork,
    widths: Widths,
    max_count: int = 1,
    given: Mapping[str, float | Fraction] | None = None,
    peaks: Mapping[str, float] | None = None,
) -> dict[str, Scale]:
    """The scale of each population, by name.

    Parameters
    ----------
    max_count
        Maximum number of events of an input axon in a step.
    given
        Scales of some populations, by name.
    peaks
        Largest magnitude of a potential or synaptic current of each population on the calibration
        events; without calibration None.

    Raises
    ------
    SpikeloomError
        A given scale names no population, is not a positive number, or takes a weight out of its
        range; a layer cannot be scaled to integers; or calibration leaves no room.
    """
    given = _check_given(net, given or {})
    scales = {}
    for population in net.populations:
        weights = [connection.weights for connection in net.into(population.name)]
        if population.name in given:
            scale = Scale(given[population.name], "given", _grid_of(weights, given, population))
            _check_range(population, weights, scale.value, widths)
        else:
            limit = None
            if peaks is not None:
                limit = _calibrated_limit(net, population, peaks, widths, max_count)
            scale = _automatic_scale(net, population, weights, widths, max_count, limit)
        peak = None if peaks is None else peaks[population.name]
        bits = choose_fraction_bits(
            net, population, scale.value, scale.grid is not None, widths, max_count, peak
        )
        scale = dataclasses.replace(scale, fraction_bits=bits)
        scales[population.name] = _with_whole_threshold(population, scale, widths)
    return scales


def choose_state_bits(
    net: FloatNetwork,
    widths: Widths,
    max_count: int = 1,
    given: Mapping[str, float | Fraction] | None = None,
    peaks: Mapping[str, float] | None = None,
) -> tuple[int, str | None]:
    """The even width of states, `DEFAULT_STATE_BITS` or more, and the population that needs more.

    It holds what the network states, its thresholds above all, at the scale that fills the range of
    the weights, finer where a slow leak needs it; and the peaks on calibration events, or, of pairs
    of weights, which make states large, what steps are likely to bring. Parameters and errors are
    those of `choose_scales`, but for the width of states.
    """
    widest = dataclasses.replace(widths, state_bits=MAX_STATE_BITS)
    needed, neediest = DEFAULT_STATE_BITS, None
    for name, scale in choose_scales(net, widest, max_count, given, peaks).items():
        population = net.population(name)
        bits = min(scale.fraction_bits, tolerated_bits(net, population, scale.value))
        if peaks is not None or widths.weight_pairs:
            held = reach(net, population, max_count, None if peaks is None else peaks[name])
        else:
            held = Fraction(max(abs(value) for value in potentials(population)))
        width = math.ceil(held * scale.value * (1 << bits) + 1).bit_length() + 1
        if width > needed:
            needed, neediest = min(width + width % 2, MAX_STATE_BITS), name
    return needed, neediest


# Given scales.


def _check_given(net: FloatNetwork, given: Mapping[str, float | Fraction]) -> dict[str, Fraction]:
    if not isinstance(given, Mapping):
        raise SpikeloomError(f"scales must map names to numbers, not {given!r}")
    names = [population.name for population in net.populations]
    checked = {}
    for name, value in given.items():
        if name not in names:
            raise SpikeloomError(
                f"scales: no population is called {name!r}; there are {', '.join(names)}"
            )
        number = isinstance(value, (int, float, Fraction, np.integer, np.floating))
        if isinstance(value, bool) or not number or not math.isfinite(value) or value <= 0:
            raise SpikeloomError(f"scales: that of {name!r} must be a number > 0, not {value!r}")
        checked[name] = Fraction(value) if isinstance(value, Fraction) else Fraction(float(value))
    return checked


def _grid_of(
    weights: list[Floats], given: Mapping[str, Fraction], population: FloatPopulation
) -> Fraction | None:
    """1 / the given scale, if all weights are multiples of it."""
    scale = given[population.name]
    return 1 / scale if all(on_grid(array, scale) for array in weights) else None


def _check_range(
    population: FloatPopulation, weights: list[Floats], scale: Fraction, widths: Widths
) -> None:
    largest = widths.largest_weight
    top = max((magnitude(array) for array in weights), default=0.0)
    if top and round(Fraction(top) * scale) > largest:
        steps = round(Fraction(top) * scale)
        wider = wider_weights(widths, steps)
        raise SpikeloomError(
            f"population {population.name!r}: a scale of {float(scale):g} makes {steps} of its "
            f"largest weight {top:g}, and weights reach {largest}; use "
            f"scales={{{population.name!r}: {float(largest / Fraction(top)):g}}}"
            + (f", or use {wider}" if wider else "")
        )


# Automatic scales.


def _automatic_scale(
    net: FloatNetwork,
    population: FloatPopulation,
    weights: list[Floats],
    widths: Widths,
    max_count: int,
    limit: Fraction | None,
) -> Scale:
    """The scale by rules 2 to 4, at most `limit`."""
    full = _full_range(population, weights, widths)
    base = grid_scale(weights, widths.largest_weight)
    if base is not None:
        steps = round(max(magnitude(array) for array in weights) * float(base))
        fits = _stated_limit(net, population, widths, max_count)
        if limit is not None:
            fits = min(fits, limit)
        most = min(widths.largest_weight // steps, math.floor(fits / base))
        multiple = _grid_multiple(population, base, most, widths.max_fraction_bits)
        if multiple:
            return Scale(base * multiple, "grid", 1 / base)
    origin: Origin = "calibration"
    if limit is None and widths.weight_pairs:
        single = _full_range(population, weights, dataclasses.replace(widths, weight_pairs=False))
        origin, limit = "states", finest_scale(net, population, single, widths, max_count)
    if limit is None or limit >= full:
        return Scale(full, "range")
    return Scale(limit, origin)


def _full_range(population: FloatPopulation, weights: list[Floats], widths: Widths) -> Fraction:
    """The scale that fills the range of the weights, or half that of the states without any."""
    largest = max((magnitude(array) for array in weights), default=0.0)
    steps = widths.largest_weight
    if largest == 0:
        largest = max(magnitude(population.bias), *(abs(v) for v in potentials(population)))
        narrowest = min(widths.state_bits, widths.sum_bits or widths.state_bits)
        steps = signed_range(narrowest - 1)[1]
    if largest and steps / largest == math.inf:
        raise SpikeloomError(
            f"population {population.name!r}: its largest weight is {largest:g}, which cannot be "
            f"scaled to integers; multiply the layer's weights, biases and potentials by {TINY}"
        )
    return steps / Fraction(largest) if largest else Fraction(1)


def _grid_multiple(
    population: FloatPopulation, base: Fraction, most: int, max_fraction_bits: int
) -> int:
    """The multiple of `base`, 1..`most`, to scale a population with; 0 if `most` is 0."""
    values = exact_numbers(population)
    smallest = next((n for n in range(1, most + 1) if on_grid(values, base * n)), None)
    if max_fraction_bits:
        # Fraction bits make the unit of the potential finer than the grid.
        finest = base * (1 << max_fraction_bits)
        return smallest or (min(most, 1) if on_grid(values, finest) else most)
    if smallest is None:
        return most
    # Truncation of a decay loses less in finer units.
    return most // smallest * smallest if leaks(population) else smallest


def _stated_limit(
    net: FloatNetwork, population: FloatPopulation, widths: Widths, max_count: int
) -> Fraction:
    """The largest scale at which all sums and stated potentials of a grid keep to their range."""
    low, high, _ = step_sums(net, population, max_count)
    needed = Fraction(max(magnitude(low), magnitude(high), magnitude(population.bias)))
    reach = Fraction(max(abs(value) for value in potentials(population)))
    limits = [Fraction(1 << MAX_SUM_BITS)]
    if needed:
        limits.append(signed_range(widths.sum_bits or MAX_SUM_BITS)[1] / needed)
    if reach:
        limits.append((signed_range(widths.state_bits)[1] - 1) / reach)
    return min(limits)


def _calibrated_limit(
    net: FloatNetwork,
    population: FloatPopulation,
    peaks: Mapping[str, float],
    widths: Widths,
    max_count: int,
) -> Fraction:
    """The largest scale at which states with these peaks, and all sums, keep to their range."""
    low, high, events = step_sums(net, population, max_count)
    sum_bits = widths.sum_bits or MAX_SUM_BITS
    needed = Fraction(max(magnitude(low), magnitude(high), magnitude(population.bias)))
    # Rounding takes a weight further from 0 by up to a half. In a pair the lower half can have the
    # opposite sign, which the upper half makes up for.
    lower_half = 1 << (widths.weight_bits - 1) if widths.weight_pairs else 0
    room = signed_range(sum_bits)[1] - Fraction(magnitude(events)) * (lower_half + HALF) - 1
    reach = Fraction(max(peaks[population.name], *(abs(v) for v in potentials(population))))
    rail = signed_range(widths.state_bits)[1] * HEADROOM - 1
    limits = [room / needed] if needed else []
    limits += [rail / reach] if reach else []
    limit = min(limits, default=Fraction(1 << MAX_SUM_BITS))
    if limit <= 0:
        held = math.ceil(Fraction(magnitude(events)) * (lower_half + HALF)) + 1
        raise SpikeloomError(
            f"population {population.name!r}: {magnitude(events):g} events can arrive in a step, "
            f"too many for sums of {sum_bits} bits; use sum_bits={held.bit_length() + 2}"
        )
    return limit


def _with_whole_threshold(population: FloatPopulation, scale: Scale, widths: Widths) -> Scale:
    """The scale, lowered until a threshold that several spikes of a step share is whole.

    Thresholds of one neuron each are rounded.
    """
    if population.max_spikes == 1:
        return scale
    lowest = float(np.min(population.threshold))
    if scale.whole(lowest):
        return scale
    threshold = Fraction(lowest)
    if isinstance(population.threshold, np.ndarray) and threshold * scale.state > 1:
        return scale
    steps = math.floor(threshold * scale.state)
    if scale.origin == "given":
        raise SpikeloomError(
            f"population {population.name!r}: with several spikes in a step its threshold must "
            f"be a whole number of units, and at a scale of {float(scale.value):g} it is "
            f"{float(threshold * scale.state):g}; use scales={{{population.name!r}: "
            f"Fraction({max(steps, 1)}) / Fraction({lowest})}}"
        )
    if steps == 0:
        most = widths.largest_weight / scale.value * threshold * scale.state
        wider = wider_weights(widths, float(widths.largest_weight / (threshold * scale.state)))
        raise SpikeloomError(
            f"population {population.name!r}: its threshold {float(threshold):g} is less than "
            + "one step of the weights; "
            + (f"use {wider}" if wider else f"clip its weights to {float(most):.3g}")
        )
    value = steps / threshold / (1 << scale.fraction_bits)
    return Scale(value, scale.origin, fraction_bits=scale.fraction_bits)
