"""From a float network to integers and a report: scales, then integers, then the report."""

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Network
from spikeloom.golden.spec import MAX_FRACTION_BITS, WEIGHT_BITS
from spikeloom.importer.float_network import FloatNetwork, with_delays
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.importer.linear_maps import Floats
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
from spikeloom.quantise.scales import choose_scales
from spikeloom.quantise.uniform import with_uniform_thresholds


def quantise(
    net: FloatNetwork,
    *,
    weight_bits: int = 8,
    state_bits: int = 16,
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
        Widths of weights and states: 2, 4 or 8; 8..24. 16 for `weight_bits` means pairs of 8.
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
    _check_arguments(weight_bits, state_bits, sum_bits, max_fraction_bits, schedule, max_count)
    pairs = weight_pairs or weight_bits == 16
    bits = 8 if weight_bits == 16 else weight_bits
    widths = Widths(bits, state_bits, sum_bits, pairs, max_fraction_bits)
    gains: dict[str, Floats] = {}
    if not neuron_parameters:
        net, gains = with_uniform_thresholds(net)
    peaks = None
    if calibration is not None:
        delayed = with_delays(net, scheduled_delays(net, schedule))
        peaks = simulate_float(delayed, calibration).peaks
    chosen = choose_scales(net, widths, max_count, scales, peaks)
    network = to_integers(net, chosen, widths, schedule, max_count)
    counts = None if calibration is None else saturations(network, calibration)
    return network, make_report(net, network, chosen, schedule, counts, gains)


def _check_arguments(
    weight_bits: int,
    state_bits: int,
    sum_bits: int | None,
    max_fraction_bits: int,
    schedule: str,
    max_count: int,
) -> None:
    integer = isinstance(weight_bits, (int, np.integer))
    if not integer or weight_bits not in (*WEIGHT_BITS, 16):
        raise SpikeloomError(f"weight_bits must be 2, 4 or 8 (or 16: pairs), not {weight_bits!r}")
    for name, value, (low, high) in (
        ("state_bits", state_bits, STATE_BITS),
        ("sum_bits", SUM_BITS[0] if sum_bits is None else sum_bits, SUM_BITS),
        ("max_fraction_bits", max_fraction_bits, (0, MAX_FRACTION_BITS)),
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
