"""The ready-made rules do what their equations say, and what is kept of them in integers."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spikeloom.golden.errors import SpikeloomError, SpikeloomWarning
from spikeloom.golden.fixed import Integers
from spikeloom.golden.learning import (
    SPIKED,
    Rule,
    Term,
    Trace,
    When,
    e_prop,
    first_spike_stdp,
    pair_stdp,
    random_backprop,
    reward_stdp,
    sdsp,
    super_spike,
    table_stdp,
)
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Factor
from spikeloom.golden.step.run import Run, simulate

TRACE = Trace.exponential(5, 100)
W = 40
STEPS = 60


def learned(
    rule: Rule, pre: list[int], post: list[int], third: int = 0, drive: int = 0, steps: int = STEPS
) -> int:
    """What the weight `W` of a synapse becomes.

    Its source spikes in the steps `pre`, its target in the steps `post`; between spikes the
    target's potential is `drive`, and that of its third population is always `third`.
    """
    target = Population("p", 1, np.array([drive]), decay=4096, threshold=500)
    other = Population("e", 1, np.array([third]), decay=4096, spiking=False)
    network = Network(
        (Input("pre", 1), Input("post", 1, max_count=5)),
        (target, other),
        (
            Connection("pre", "p", np.array([[W]]), plasticity=rule),
            Connection("post", "p", np.array([[127]])),
        ),
        seed=1,
    )
    events = {name: np.zeros((1, steps, 1), np.int64) for name in ("pre", "post")}
    events["pre"][0, pre] = 1
    events["post"][0, post] = 5
    run = simulate(network, events, learn=True)
    assert run.spikes["p"][0, :, 0].nonzero()[0].tolist() == post
    return int(run.weights[0][0, 0])


EXACT = {"rounding": "nearest"}


@pytest.mark.parametrize("nearest", [False, True])
@pytest.mark.parametrize("distance", [-59, -20, -7, -1, 0, 1, 2, 5, 13, 30, 59])
def test_a_pair_of_spikes_changes_a_weight_by_its_window(distance: int, nearest: bool) -> None:
    rule = pair_stdp(30, 24, 7, 12, (-128, 127), nearest, **EXACT)
    pre, post = (0, distance) if distance >= 0 else (-distance, 0)
    change = learned(rule, [pre], [post]) - W
    window = 30 * math.exp(-distance / 7) if distance >= 0 else -24 * math.exp(distance / 12)
    assert abs(change - window) < 1
    # In integers: the trace, its decay, the constant, the rounding.
    amount = 255 if nearest else 64
    size, tau = (30, 7) if distance >= 0 else (24, 12)
    trace = amount * round(256 * math.exp(-abs(distance) / tau)) >> 8 if distance else amount
    product = trace * round(size * (1 << rule.shift) / amount)
    product = product if distance >= 0 else -product
    assert change == (product + (1 << rule.shift >> 1)) >> rule.shift


def test_every_pair_counts_or_only_the_nearest() -> None:
    pre, post = [0, 3, 6], [8]
    window = [20 * math.exp(-(8 - t) / 10) for t in pre]
    every = pair_stdp(20, 0, 10, 10, (-128, 127), **EXACT)
    assert learned(every, pre, post) - W == pytest.approx(sum(window), abs=1)
    nearest = pair_stdp(20, 0, 10, 10, (-128, 127), nearest=True, **EXACT)
    assert learned(nearest, pre, post) - W == pytest.approx(window[-1], abs=1)


@pytest.mark.parametrize("distance", [-9, -1, 0, 4])
def test_a_soft_bound_takes_a_share_of_the_distance(distance: int) -> None:
    rule = pair_stdp(0.2, 0.1, 7, 12, (-100, 120), soft=True, **EXACT)
    pre, post = (0, distance) if distance >= 0 else (-distance, 0)
    above, below = 0.2 * (120 - W), 0.1 * (W + 100)
    window = above * math.exp(-distance / 7) if distance >= 0 else -below * math.exp(distance / 12)
    assert learned(rule, [pre], [post]) - W == pytest.approx(window, abs=1)


def test_hard_bounds_stop_a_weight() -> None:
    rule = pair_stdp(30, 24, 7, 12, (30, 50), **EXACT)
    assert learned(rule, [0], [0]) == 50
    assert learned(rule, [1], [0]) == 30


@pytest.mark.parametrize("age", [0, 1, 2, 3, 4, 10, 20, 21, 40])
def test_tables_are_looked_up_at_the_spike_and_21_steps_later(age: int) -> None:
    rule = table_stdp((-80, 100))
    up = [0, 0, 255, 255, 220, 180, 148, 121, 99, 81, 66, 54, 44, 36, 29, 24, 20, 16, 13, 10, 9]
    down = [0, 0, 19, 22, 25, 28, 32, 36, 41, 46, 52, 59, 67, 76, 86, 97, 110, 125, 141, 160, 181]
    expected = W + ((100 - W) * up[age] >> 8) if age <= 20 else W
    assert learned(rule, [0], [age], steps=age + 21) == expected
    # The source spikes once more, before the second look or just then.
    if age + 21 < STEPS:
        last = age + 21 - 5
        later = expected + (-(expected + 80) * down[5] >> 8)
        assert learned(rule, sorted({0, last}), [age], steps=age + 22) == later
        both = learned(rule, [0, age + 21], [age], steps=age + 22)
        assert both == expected, "an age of 0 is no pair"


@pytest.mark.parametrize(
    ("potential", "post", "change"),
    [(99, [0], -3), (100, [0], 3), (100, [], 0), (99, [], -3), (100, [0, 1, 2, 3], 0)],
)
def test_sdsp_compares_the_potential_and_the_calcium(
    potential: int, post: list[int], change: int
) -> None:
    calcium = Trace.exponential(20, 50)
    rule = sdsp(100, (20, 120), (0, 120), calcium, (-128, 127), change=3)
    # The spike of the source adds its weight to the potential.
    assert learned(rule, [6], post, drive=potential - W) == W + change


@pytest.mark.parametrize(("pre", "sign"), [([], -3), ([2], 4), ([9], 4), ([10], -3), ([2, 10], 4)])
def test_first_spikes_learn_what_came_before(pre: list[int], sign: int) -> None:
    rule = first_spike_stdp((-128, 127), 0.4, 0.3, **EXACT)
    u = (W + 128) / 255
    assert learned(rule, pre, [9]) - W == pytest.approx(sign / 10 * u * (1 - u) * 255, abs=1)


@pytest.mark.parametrize("reward", [-200, 0, 100, 3000])
@pytest.mark.parametrize(("pre", "sign"), [([], -1), ([2], 1)])
def test_a_reward_turns_the_rule_around(reward: int, pre: list[int], sign: int) -> None:
    rule = reward_stdp("e", (-128, 127), shift=8, reward_shift=1, **EXACT)
    counted = min(reward >> 1, 255)
    change = sign * counted * (127 - W) * (W + 128) / 256 / 256
    assert learned(rule, pre, [9], third=reward) - W == pytest.approx(change, abs=1)


@pytest.mark.parametrize(("drive", "inside"), [(9, False), (10, True), (90, True), (91, False)])
def test_random_backprop_learns_inside_its_window(drive: int, inside: bool) -> None:
    rule = random_backprop("e", (10 + W, 90 + W), (-128, 127), rate=0.3, error_shift=1, **EXACT)
    change = learned(rule, [4], [], third=61, drive=drive) - W
    assert change == (round(-0.3 * 30) if inside else 0)
    assert learned(rule, [], [], third=61, drive=drive) == W


@pytest.mark.parametrize("tau", [3, 20])
def test_e_prop_adds_the_trace_of_each_step(tau: float) -> None:
    rule = e_prop("e", None, (-128, 127), rate=0.0152, tau=tau, **EXACT)
    traces = np.zeros(25)
    for spike in (2, 5, 13):
        traces[spike:] += np.exp(-np.arange(25 - spike) / tau)
    total = -0.0152 * 240 * traces.sum()
    change = learned(rule, [2, 5, 13], [], third=240, steps=25) - W
    assert change == pytest.approx(total, rel=0.03, abs=4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pair_stdp(2560, 0.3, 5, 5, (0, 9)), "depression must be 0 or at least 0.5 beside"),
        (
            lambda: pair_stdp(1, -1, 5, 5, (0, 9)),
            "pair_stdp: depression must be 0..16320, not -1",
        ),
        (lambda: pair_stdp(math.nan, 1, 5, 5, (0, 9)), "potentiation must be .* not nan"),
        (lambda: pair_stdp(1, 1, 0, 5, (0, 9)), "pair_stdp: tau_pre must be a time constant above"),
        (lambda: pair_stdp(1, 1, 5, "5", (0, 9)), "pair_stdp: tau_post must be 0..inf, not '5'"),
        (lambda: pair_stdp(1, 1, 5, 5, (0, 9), soft="no"), "soft must be True or False, not 'no'"),
        (lambda: pair_stdp(1, 1, 5, 5, (0, 9), nearest=1), "nearest must be True or False, not 1"),
        (lambda: e_prop("e", None, (0, 9), 0.01, 0), "e_prop: tau must be a time constant above 0"),
        (
            lambda: e_prop("e", None, (0, 9), 0.01, 5, "3"),
            "error_shift must be an integer, not '3'",
        ),
        (lambda: super_spike("e", None, (0, 9), 1, 5, math.inf), "filter must be 0..8191, not inf"),
        (lambda: super_spike("e", None, (0, 9), 1, None, 5), "tau must be 0..inf, not None"),
        (lambda: pair_stdp(1, "1", 5, 5, (0, 9)), "depression must be 0..16320, not '1'"),
        (lambda: first_spike_stdp((0, 99), 1e-9), "must be 0 or at least .*, not 1e-09"),
        (lambda: first_spike_stdp((0, 31)), "bounds must be at least 32 apart, not .0, 31."),
        (lambda: first_spike_stdp(127), "bounds must be a pair .lowest, highest., not 127"),
        (lambda: reward_stdp("e", (-8, 7)), "bounds must be at least 32 apart, not .-8, 7."),
        (lambda: table_stdp((0, 9), after=63), "table_stdp: after must be 1..62, not 63"),
        (lambda: table_stdp((0, 9), (1,) * 64), "a table must have 64 integers .* the last one 0"),
        (lambda: table_stdp((0, 9), (-1,) * 63 + (0,)), "a value of a table must be 0..255, not -"),
        (lambda: sdsp(3, (0, 9), (0, 9), TRACE, (0, 9), 0), "sdsp: change must be 1..255, not 0"),
        (lambda: sdsp(1.5, (0, 9), (0, 9), TRACE, (0, 9)), "threshold must be an integer, not 1.5"),
        (lambda: super_spike("e", None, (0, 9), 1, 5, 0), "tau of the filter must be a time cons"),
        (lambda: super_spike("e", None, (0, 9), 1, 5, 5, most=0), "most must be 1..255, not 0"),
        (lambda: random_backprop("e", None, (0, 9), 256), "rate must be 0..255, not 256"),
        (lambda: e_prop("e", None, (0, 9), 1e-5, 9), "rate must be 0 or at least 0.000"),
    ],
)
def test_what_the_factors_cannot_hold_is_refused(make: Any, message: str) -> None:
    with pytest.raises(SpikeloomError, match=message):
        make()


def test_numbers_of_numpy_are_numbers() -> None:
    small = np.int8
    bounds = small(-100), small(100)
    assert pair_stdp(small(1), np.float32(0.5), small(5), np.float64(5), bounds) == (
        pair_stdp(1, 0.5, 5, 5, (-100, 100))
    )
    assert first_spike_stdp(bounds, np.float32(0.25), small(1)) == (
        first_spike_stdp((-100, 100), 0.25, 1)
    )
    assert e_prop("e", None, bounds, np.float32(0.25), small(9), small(2)) == (
        e_prop("e", None, (-100, 100), 0.25, 9, 2)
    )
    assert super_spike("e", None, bounds, np.float16(0.5), small(9), small(9), small(2)) == (
        super_spike("e", None, (-100, 100), 0.5, 9, 9, 2)
    )


def test_rates_of_nothing_change_nothing() -> None:
    for rule in (
        pair_stdp(0, 0, 5, 5, (-60, 60)),
        first_spike_stdp((-60, 60), 0, 0),
        random_backprop("e", None, (-60, 60), 0),
        e_prop("e", None, (-60, 60), 0, 5),
        e_prop("e", None, (-60, 60), 0, 5, tau_readout=9),
        super_spike("e", None, (-60, 60), 0, 5, 9),
    ):
        assert learned(rule, [2, 5], [9], third=90) == W


def test_a_rate_that_is_held_as_another_is_said() -> None:
    message = (
        "first_spike_stdp: depression 0.2 is held as 0.186768, the nearest of the steps of 0.062 "
        "that fit beside"
    )
    with pytest.warns(SpikeloomWarning, match=message):
        first_spike_stdp((-128, 127), 15, 0.2)
    first_spike_stdp((-128, 127), 15, 0.249)


# The engine itself, by hand.


@pytest.mark.parametrize(("third", "change"), [(-256, 64), (-3000, 64), (255, -64), (3000, -64)])
def test_a_third_factor_is_clipped(third: int, change: int) -> None:
    rule = random_backprop("e", None, (-128, 127), rate=0.25, rounding="floor")
    assert learned(rule, [4], [], third=third) == W + change


@pytest.mark.parametrize(("nearest", "trace"), [(False, 255), (True, 200)])
def test_a_trace_ends_at_255(nearest: bool, trace: int) -> None:
    terms = (
        Term(Factor.PRE_TRACE, pre=When(now=True), post=SPIKED),
        Term(Factor.CONSTANT, post=SPIKED, constant=190, negative=True),
    )
    rule = Rule(terms, (-128, 127), 0, pre=Trace((256,) * 63 + (0,), 200, nearest))
    assert learned(rule, [0, 1], [1]) == W + trace - 190


def chain(rule: Rule | None, size: int = 20, **changed: Any) -> Network:
    rng = np.random.default_rng(3)
    weights = rng.integers(0, 30, (6, size))
    given: dict[str, Any] = {"sum_bits": 24, "seed": 5} | changed
    return Network(
        (Input("in", 6),),
        (Population("p", size, np.zeros(size, np.int64), threshold=40, decay=500),),
        (Connection("in", "p", weights, plasticity=rule),),
        **given,
    )


def events(samples: int, axons: int = 6) -> NDArray[np.bool_]:
    return np.random.default_rng(4).random((samples, 15, axons)) < 0.3


STDP = pair_stdp(1.5, 1.0, 4, 9, (0, 60))


def weights_after(run: Run) -> Integers:
    return run.weights[0]


def test_without_learn_weights_stay() -> None:
    network = chain(STDP)
    run = simulate(network, events(3))
    fixed = simulate(chain(None), events(3))
    assert run.weights == {}
    assert run.updates == 0
    assert np.array_equal(run.spikes["p"], fixed.spikes["p"])


def test_two_runs_one_after_the_other_are_one() -> None:
    network = chain(STDP)
    whole = simulate(network, events(6), learn=True)
    first = simulate(network, events(6)[:2], learn=True)
    changed = dataclasses.replace(network.plastic[0], weights=weights_after(first))
    second = simulate(
        dataclasses.replace(network, connections=(changed,)), events(6)[2:], first=2, learn=True
    )
    assert np.array_equal(weights_after(whole), weights_after(second))
    assert whole.updates == first.updates + second.updates
    assert np.array_equal(whole.spikes["p"][2:], second.spikes["p"])


def test_the_seed_and_the_number_of_the_sample_change_what_is_rounded() -> None:
    one = simulate(chain(STDP), events(2), learn=True)
    assert np.array_equal(
        weights_after(one), weights_after(simulate(chain(STDP), events(2), learn=True))
    )
    other = simulate(chain(STDP, seed=6), events(2), learn=True)
    later = simulate(chain(STDP), events(2), first=1, learn=True)
    assert not np.array_equal(weights_after(one), weights_after(other))
    assert not np.array_equal(weights_after(one), weights_after(later))
    wrong: Any
    for wrong in (-1, 1.5):
        with pytest.raises(SpikeloomError, match="simulate: first must be"):
            simulate(chain(STDP), events(2), first=wrong, learn=True)
    with pytest.raises(SpikeloomError, match="simulate: learn must be True or False"):
        simulate(chain(STDP), events(2), learn=wrong)
    with pytest.raises(SpikeloomError, match="no connection of this network is plastic; give"):
        simulate(chain(None), events(2), learn=True)


def test_axons_and_neurons_can_be_numbered_in_any_order() -> None:
    """What becomes of a synapse depends on nothing but its own two ends."""
    rule = dataclasses.replace(STDP, rounding="nearest")
    rng = np.random.default_rng(8)
    rows, columns = rng.permutation(6), rng.permutation(20)
    network = chain(rule)
    weights = network.plastic[0].weights[rows][:, columns]
    connection = Connection("in", "p", weights, plasticity=rule)
    permuted = dataclasses.replace(network, connections=(connection,))
    plain = simulate(network, events(4), learn=True)
    run = simulate(permuted, events(4)[:, :, rows], learn=True)
    assert np.array_equal(weights_after(run), weights_after(plain)[rows][:, columns])
    assert not np.array_equal(weights_after(run), weights)


def test_stochastic_rounding_is_right_on_average() -> None:
    """A tenth of a unit for each spike: 400 synapses for 40 steps gain four units on average."""
    rule = random_backprop("e", None, (-128, 127), rate=0.1)
    network = Network(
        (Input("in", 20),),
        (
            Population("p", 20, np.zeros(20, np.int64), decay=4096, spiking=False),
            Population("e", 20, np.full(20, -1), decay=4096, spiking=False),
        ),
        (Connection("in", "p", np.zeros((20, 20), np.int64), plasticity=rule),),
        seed=9,
    )
    gained = simulate(network, np.ones((1, 40, 20), bool), learn=True).weights[0]
    assert gained.mean() == pytest.approx(4, abs=0.3)
    # A binomial of 40 draws of a tenth has a deviation of 1.9.
    assert 1.4 < gained.std() < 2.4
    nearest = dataclasses.replace(network.plastic[0], plasticity=dataclasses.replace(rule, **EXACT))
    stays = dataclasses.replace(network, connections=(nearest,))
    assert not simulate(stays, np.ones((1, 40, 20), bool), learn=True).weights[0].any()
