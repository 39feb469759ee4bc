"""From a float network to integers and a report: scales, then integers, then the report."""

import dataclasses
from collections.abc import Mapping
from fractions import Fraction

from numpy.typing import ArrayLike

from spikeloom.golden.checks import check_flag, check_integer
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Network
from spikeloom.golden.plain import plain
from spikeloom.golden.spec import MAX_FRACTION_BITS, WEIGHT_BITS
from spikeloom.importer.float_network import FloatNetwork, with_delays
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.quantise.integers import (
    STATE_BITS,
    SUM_BITS,
    Schedule,
    scheduled_delays,
    to_integers,
)
from spikeloom.quantise.ranges import Widths
from spikeloom.quantise.records import QuantisationReport
from spikeloom.quantise.report import make_report
from spikeloom.quantise.saturation import saturations
from spikeloom.quantise.scales import DEFAULT_STATE_BITS, choose_scales, choose_state_bits
from spikeloom.quantise.uniform import with_uniform_thresholds


def quantise(
    net: FloatNetwork,
    *,
    weight_bits: int = 8,
    state_bits: int | None = 16,
    sum_bits: int | None = None,
    schedule: Schedule = "layered",
    max_count: int = 1,
    weight_pairs: bool = False,
    max_fraction_bits: int = 0,
    neuron_parameters: bool = True,
    scales: Mapping[str, float | Fraction] | None = None,
    calibration: Mapping[str, ArrayLike] | ArrayLike | None = None,
) -> tuple[Network, QuantisationReport]:
    """Round a float network to integers.

    `spikeloom.quantise.scales` has the rule of the scales, `spikeloom.quantise.integers` that of
    the rounding.

    Parameters
    ----------
    net
        The result of `load_nir`.
    weight_bits, state_bits
        Widths of weights and states: 2, 4 or 8; 8..24. 16 for `weight_bits` means pairs of 8. None
        for `state_bits` means 16, or as many more, up to 24, as weights and slow leaks need.
    sum_bits
        Width of sums, 8..32; by default the narrowest that cannot overflow.
    schedule
        "layered": the phase of a population is its depth, and delays stay as they are.
        "pipelined": one phase; a connection's delay grows by the layers it crosses, 1 between
        neighbours, so a population at depth l spikes l + 1 steps late. A bias, a leak and an
        initial potential other than 0 act from step 0 all the same: a network with one of them
        starts differently from the layered one.
    max_count
        Maximum number of events of an input axon in a step, 1..255.
    weight_pairs
        Every connection becomes two, of the lower and the upper halves of weights of twice the
        width.
    max_fraction_bits
        Maximum number of bits by which a potential's unit may be finer than a weight's, 0..12: the
        `fraction_bits` of the fabric.
    neuron_parameters
        Neurons of a population may have parameters of their own, as on a fabric with
        `neuron_parameters`. Without, thresholds that differ are made uniform where possible, by
        scaling the weights of each neuron.
    scales
        Integer units per unit of the float potential for some populations, by name: positive
        numbers.
    calibration
        Events as for `simulate_float`. Scales are lowered until on these, with the delays of the
        schedule, no state saturates, and no sum can overflow.

    Returns
    -------
    network, report
        The integers, and what rounding did to them.

    Raises
    ------
    SpikeloomError
        A number does not fit its width, a sum could overflow, or an argument is out of range.
    """
    widths = _widths(weight_bits, state_bits, sum_bits, weight_pairs, max_fraction_bits)
    _check_options(schedule, max_count, neuron_parameters)
    net, gains = (net, {}) if neuron_parameters else with_uniform_thresholds(net)
    peaks = None if calibration is None else _peaks(net, schedule, calibration)
    chosen_for = None
    if state_bits is None:
        width, chosen_for = choose_state_bits(net, widths, max_count, scales, peaks)
        widths = dataclasses.replace(widths, state_bits=width)
    chosen = choose_scales(net, widths, max_count, scales, peaks)
    network = to_integers(net, chosen, widths, schedule, max_count)
    counts = None if calibration is None else saturations(network, calibration)
    report = make_report(net, network, chosen, schedule, widths, counts, gains, peaks)
    if chosen_for is not None:
        note = f"population {chosen_for!r}: chose state_bits={widths.state_bits}, which it needs"
        report = dataclasses.replace(report, notes=(note, *report.notes))
    return network, report


def _peaks(
    net: FloatNetwork, schedule: Schedule, calibration: Mapping[str, ArrayLike] | ArrayLike
) -> dict[str, float]:
    """The largest magnitude of a state of each population on the calibration events."""
    delayed = with_delays(net, scheduled_delays(net, schedule))
    return simulate_float(delayed, calibration).peaks


def check_weight_bits(weight_bits: int) -> None:
    """Refuse a width of weights that hardware has neither singly nor in pairs."""
    if type(weight_bits) is not int or weight_bits not in (*WEIGHT_BITS, 16):
        raise SpikeloomError(f"weight_bits must be 2, 4 or 8 (or 16: pairs), not {weight_bits!r}")


def _widths(
    weight_bits: int,
    state_bits: int | None,
    sum_bits: int | None,
    weight_pairs: bool,
    max_fraction_bits: int,
) -> Widths:
    """The widths as given, checked; of states the default where None is given."""
    check_weight_bits(plain(weight_bits))
    check_flag("weight_pairs", weight_pairs)
    widths = Widths(
        min(plain(weight_bits), WEIGHT_BITS[-1]),
        DEFAULT_STATE_BITS if state_bits is None else plain(state_bits),
        plain(sum_bits),
        weight_pairs or weight_bits > WEIGHT_BITS[-1],
        plain(max_fraction_bits),
    )
    check_integer("state_bits", widths.state_bits, *STATE_BITS)
    if widths.sum_bits is not None:
        check_integer("sum_bits", widths.sum_bits, *SUM_BITS)
    check_integer("max_fraction_bits", widths.max_fraction_bits, 0, MAX_FRACTION_BITS)
    return widths


def _check_options(schedule: str, max_count: int, neuron_parameters: bool) -> None:
    check_integer("max_count", max_count, 1, 255)
    check_flag("neuron_parameters", neuron_parameters)
    if schedule not in ("layered", "pipelined"):
        raise SpikeloomError(f"schedule must be 'layered' or 'pipelined', not {schedule!r}")
