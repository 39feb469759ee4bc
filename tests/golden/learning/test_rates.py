"""Ready-made rules change weights by what their equations say, whatever the bounds and rates.

What is expected is the integers' own: the sum of the terms, before it is rounded, as
`docs/hardware.md` has it. A rule that is off by more says so when it is made.
"""

import math
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from spikeloom.golden.errors import SpikeloomWarning
from spikeloom.golden.learning import (
    Rule,
    Trace,
    e_prop,
    first_spike_stdp,
    pair_stdp,
    random_backprop,
    reward_stdp,
    super_spike,
)

OFF = 0.05
"""How far integers may be from an equation, as a share of it, for each reason: a rate, a factor."""


def between(spread: int) -> NDArray[np.int64]:
    """The factor BETWEEN of all weights."""
    weights = np.arange(spread + 1)
    return weights * (spread - weights) >> 8


def left(trace: Trace) -> NDArray[np.int64]:
    """What is left of one spike at each age."""
    return np.array([trace.amount, *(trace.amount * int(kept) >> 8 for kept in trace.decay[1:])])


def sequence(trace: Trace, spikes: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The trace after each step, this step's spike with it."""
    values, held, last = [], 0, -63
    for step, spike in enumerate(spikes):
        kept = held * int(trace.decay[min(step - last, 63)]) >> 8
        if spike:
            held, last = min(255, kept + trace.amount), step
        values.append(held if spike else kept)
    return np.array(values)


@pytest.mark.parametrize("spread", [*range(33, 128, 5), 127, 160, 200, 255])
@pytest.mark.parametrize("rate", [0.0041, 0.008, 0.017, 0.032, 0.09, 0.15, 0.4])
def test_first_spikes_change_weights_at_their_rate(spread: int, rate: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpikeloomWarning)
        rule = first_spike_stdp((-128, spread - 128), rate, 0.75 * rate)
    u = np.arange(spread + 1) / spread
    wanted = rate * (u * (1 - u)).sum() * spread
    for term, share in zip(rule.terms, (1, 0.75), strict=True):
        mean = term.constant * between(spread).sum() / (1 << rule.shift)
        assert mean == pytest.approx(share * wanted, rel=2 * OFF)


@pytest.mark.parametrize(("spread", "share"), [(33, 129), (40, 37), (64, 12)])
def test_what_bounds_near_to_each_other_leave_of_the_curve_is_said(spread: int, share: int) -> None:
    unmoved = int((between(spread) == 0).sum()) // 2 - 1
    message = (
        f"^first_spike_stdp: between bounds {spread} apart changes are {share}% off the equation "
        f"on average, and none of the {unmoved} weights beside a bound changes; take bounds "
    )
    with pytest.warns(SpikeloomWarning, match=message):
        first_spike_stdp((0, spread))
    first_spike_stdp((0, 100))


@pytest.mark.parametrize(("spread", "share"), [(48, 28), (100, 8)])
def test_a_reward_of_which_truncation_takes_a_part_is_said(spread: int, share: int) -> None:
    message = f"^reward_stdp: between bounds {spread} apart changes are {share}% too small on aver"
    with pytest.warns(SpikeloomWarning, match=message):
        reward_stdp("e", (0, spread))
    reward_stdp("e", (0, 127))


SIZES = [1, 2, 3.5, 6, 8, 11.5, 16, 24, 40, 64]
TAUS = [2, 3, 5, 10, 20, 31.5, 60, 1000, math.inf]


@pytest.mark.parametrize("tau", TAUS)
@pytest.mark.parametrize("size", SIZES)
def test_a_spike_is_worth_its_rate_over_all_ages(size: float, tau: float) -> None:
    """With a constant error, e_prop changes a weight by the sum of what is left of the spike."""
    wanted = sum(size * math.exp(-age / tau) for age in range(63))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpikeloomWarning)
        rules = (
            e_prop("e", None, (-99, 99), size / 4096, tau),
            pair_stdp(size / 4096, 0, tau, 9, (-99, 99), soft=True),
        )
    for rule in rules:
        assert rule.shift == 12
        assert rule.pre is not None
        # Half a step of the whole is what no table can make up for.
        assert left(rule.pre).sum() == pytest.approx(wanted, rel=OFF, abs=0.6)


@pytest.mark.parametrize("size", [10, 16, 24, 40, 64])
@pytest.mark.parametrize("tau", [3, 10, 20])
@pytest.mark.parametrize("often", [0.02, 0.1])
def test_spikes_one_after_the_other_are_worth_their_rates(
    size: float, tau: float, often: float
) -> None:
    spikes = np.random.default_rng(3).random(5_000) < often
    rule = e_prop("e", None, (-99, 99), size / 4096, tau)
    assert rule.pre is not None
    x, wanted = 0.0, 0.0
    for spike in spikes:
        x = x * math.exp(-1 / tau) + size * spike
        wanted += x
    # 63 steps after a spike, nothing is left.
    assert sequence(rule.pre, spikes).sum() == pytest.approx(wanted, rel=0.08)


@pytest.mark.parametrize("rate", [0.001, 0.0021, 0.017, 0.03])
def test_a_trace_that_is_coarse_is_said_with_what_makes_it_finer(rate: float) -> None:
    with pytest.warns(SpikeloomWarning, match=r"^e_prop: rate .* error_shift=(\d+) and a rate of"):
        coarse = e_prop("e", None, (-99, 99), rate, 20, error_shift=1)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        e_prop("e", None, (-99, 99), rate, 20, error_shift=1)
    (remedy,) = re.findall(r"error_shift=(\d+) and a rate of ([\d.]+),", str(told[0].message))
    finer = e_prop("e", None, (-99, 99), float(remedy[1]), 20, error_shift=int(remedy[0]))
    factor = 2 ** (int(remedy[0]) - 1)
    assert finer.pre is not None
    assert coarse.pre is not None
    in_units = finer.pre.amount / factor / (1 << finer.shift)
    assert in_units == pytest.approx(rate, rel=OFF)
    assert finer.pre.amount > 30
    assert coarse.pre.amount < 10


@pytest.mark.parametrize("nearest", [False, True])
@pytest.mark.parametrize("potentiation", [0.004, 0.03, 0.055, 0.8, 1, 3.3, 40.5, 60])
@pytest.mark.parametrize("depression", [0.04, 0.056, 1.04, 11])
def test_pairs_change_weights_at_their_rates(
    potentiation: float, depression: float, nearest: bool
) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        rule = pair_stdp(potentiation, depression, 7, 12, (-99, 99), nearest)
    assert rule.pre is not None
    assert rule.post is not None
    held = np.array(
        [
            left(rule.pre).sum() * int(np.max(rule.terms[0].curve or 0)),
            left(rule.post).sum() * rule.terms[1].constant,
        ]
    ) / (1 << rule.shift)
    wanted = [
        rate * sum(math.exp(-age / tau) for age in range(63))
        for rate, tau in ((potentiation, 7), (depression, 12))
    ]
    off = np.abs(held / wanted - 1).max()
    assert off < 2 * OFF or told


@pytest.mark.parametrize(
    "make",
    [
        lambda: first_spike_stdp((0, 40)),
        lambda: reward_stdp("e", (0, 40)),
        lambda: pair_stdp(0.001, 0.001, 9, 9, (0, 60), soft=True),
        lambda: e_prop("e", None, (0, 60), 0.001, 9),
        lambda: super_spike("e", None, (0, 60), 0.00006, 9, 9),
        lambda: random_backprop("e", None, (0, 60), 0.00045),
    ],
)
def test_a_warning_is_in_the_line_that_asks_for_the_rule(make: Callable[[], Rule]) -> None:
    with pytest.warns(SpikeloomWarning) as told:
        make()
    assert {Path(each.filename).name for each in told} == {Path(__file__).name}


def held(rule: Rule) -> float:
    """The rate of a rule whose only factors are a constant, a trace, an error, an eligibility."""
    if rule.eligibility is None:
        return rule.terms[0].constant / (1 << rule.shift)
    up, down = rule.eligibility.terms
    assert rule.eligibility.pre is not None
    assert up.curve is not None
    reached = left(rule.eligibility.pre).sum() * int(up.curve[0]) / down.constant
    return float(reached / (1 << rule.shift))


@pytest.mark.parametrize(
    "rate", [0.001, 0.0021, 0.0043, 0.0068, 0.011, 0.027, 0.09, 0.27, 0.8, 3.1]
)
def test_rules_by_an_error_change_weights_at_their_rate(rate: float) -> None:
    """With a constant error, all of a spike's share counts in the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpikeloomWarning)
        backprop = random_backprop("e", None, (-99, 99), rate)
        filtered = super_spike("e", None, (-99, 99), rate, 10, 20)
    if rate > 0.004:
        assert held(backprop) == pytest.approx(rate, rel=OFF)
    over_ages = sum(math.exp(-age / 10) for age in range(63))
    assert held(filtered) == pytest.approx(rate * over_ages, rel=2 * OFF)
