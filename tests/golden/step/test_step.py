"""The step-level model: by hand, against a naive simulation in plain integers, and its refusals."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from random_networks import PLAIN_RESETS

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Reset
from spikeloom.golden.step import run as step
from spikeloom.golden.step import sums as weight_sums
from spikeloom.golden.step.run import Run, check_inputs, simulate
from spikeloom.golden.step.sums import LONG, SPARSE, WeightSums


def chain(
    weights: Any,
    *,
    delay: int = 0,
    max_count: int = 1,
    widths: Mapping[str, int] | None = None,
    **changed: Any,
) -> Network:
    """One input into one population."""
    matrix = np.atleast_2d(np.asarray(weights, np.int64))
    size = matrix.shape[1]
    values: dict[str, Any] = {"bias": np.zeros(size, np.int64), "threshold": 10} | changed
    return Network(
        (Input("in", matrix.shape[0], max_count),),
        (Population("a", size, **values),),
        (Connection("in", "a", matrix, delay),),
        **(widths or {}),
    )


def events(*steps: int | list[int]) -> NDArray[np.int64]:
    """One sample; a number is that of a single axon."""
    return np.array([np.atleast_1d(counts) for counts in steps])


def spike_steps(run: Run, name: str, neuron: int = 0) -> list[int]:
    return np.flatnonzero(run.spikes[name][0, :, neuron]).tolist()


def states(run: Run, name: str = "a") -> list[int]:
    values: list[int] = run.states[name][0].tolist()
    return values


# By hand.


def test_integrate_and_fire_by_hand() -> None:
    # 6, 12 > 10 spikes -> 0, 6, 6 (no event), 12 spikes -> 0.
    run = simulate(chain(6), events(1, 1, 1, 0, 1))
    assert spike_steps(run, "a") == [1, 4]
    assert states(run) == [0]


def test_leak_by_hand() -> None:
    # k = 1024 keeps 3/4: 9; 6.75 -> 6; 4.5 -> 4; 3; 2.25 -> 2.
    run = simulate(chain(9, decay=1024), events(1, 0, 0, 0, 0))
    assert states(run) == [2]
    # The same below zero, toward zero.
    run = simulate(chain(-9, decay=1024), events(1, 0, 0, 0, 0))
    assert states(run) == [-2]


def test_bias_comes_every_step_even_without_events() -> None:
    # 4, 8, 12 spikes -> 2, 6, 10, 14 spikes -> 4.
    net = chain(0, bias=np.array([4]), reset=Reset.SUBTRACT)
    run = simulate(net, events(0, 0, 0, 0, 0, 0))
    assert spike_steps(run, "a") == [2, 5]
    assert states(run) == [4]


def test_every_sample_begins_at_v_init() -> None:
    # -5 + 6 = 1, 7, 13 spikes.
    net = chain(6, v_init=-5, v_reset=3)
    run = simulate(net, np.ones((2, 3, 1), np.int64))
    assert run.spikes["a"][:, :, 0].tolist() == [[False, False, True]] * 2
    assert run.states["a"].tolist() == [[3], [3]]


def test_neurons_begin_at_initial_potentials_of_their_own() -> None:
    population = Population("a", 3, np.array([1, 1, 1]), threshold=9, v_init=np.array([-7, 0, 9]))
    net = Network((Input("in", 1),), (population,), ())
    run = simulate(net, np.zeros((2, 2, 1), np.int64))
    assert run.spikes["a"].tolist() == [[[False, False, True], [False] * 3]] * 2
    assert run.states["a"].tolist() == [[-5, 2, 1]] * 2


def test_a_leaky_integrator_has_states_and_no_spikes() -> None:
    # Half is kept: 100, 150, 175.
    run = simulate(chain(100, decay=2048, spiking=False), events(1, 1, 1))
    assert run.spikes == {}
    assert states(run) == [175]


def test_saturation_lasts() -> None:
    net = chain(100, threshold=127, widths={"state_bits": 8})
    run = simulate(net, events(1, 1, 1))
    assert (spike_steps(run, "a"), states(run)) == ([], [127])
    run = simulate(chain(-100, threshold=127, widths={"state_bits": 8}), events(1, 1, 1))
    assert (spike_steps(run, "a"), states(run)) == ([], [-128])


def test_counts_above_one_multiply_the_weight() -> None:
    run = simulate(chain([[3], [-5]], max_count=7), events([7, 2], [0, 1]))
    # 21 - 10 = 11 spikes -> 0; -5.
    assert (spike_steps(run, "a"), states(run)) == ([0], [-5])
    assert run.synops.tolist() == [10]


@pytest.mark.parametrize("delay", [0, 1, 2])
def test_a_delayed_event_arrives_later_or_not_at_all(delay: int) -> None:
    run = simulate(chain(20, delay=delay), events(1, 0, 0, 1))
    assert spike_steps(run, "a") == [n + delay for n in (0, 3) if n + delay < 4]
    # One synapse each; the second is due in step 3 + delay.
    assert run.synops.tolist() == [2 if delay == 0 else 1]


@pytest.mark.parametrize(
    ("delay", "spikes", "state"),
    [
        # One event of 8, then the neuron drives itself: weight 11 spikes again `delay` later.
        (1, [0, 1, 2, 3, 4, 5], 0),
        (2, [0, 2, 4], 0),
        (4, [0, 4], 0),
        (9, [0], 0),
    ],
)
def test_recurrent_delay(delay: int, spikes: list[int], state: int) -> None:
    net = chain(11)
    loop = Connection("a", "a", np.array([[11]]), delay)
    net = dataclasses.replace(net, connections=(*net.connections, loop))
    run = simulate(net, events(1, 0, 0, 0, 0, 0))
    assert spike_steps(run, "a") == spikes
    assert states(run) == [state]


def test_delay_0_to_a_later_phase_arrives_in_the_same_step() -> None:
    net = chain(11)
    later = Population("b", 1, np.zeros(1, np.int64), phase=1, threshold=0)
    forward = Connection("a", "b", np.array([[1]]))
    net = dataclasses.replace(
        net, populations=(later, *net.populations), connections=(forward, *net.connections)
    )
    run = simulate(net, events(0, 1, 0, 1))
    assert spike_steps(run, "a") == spike_steps(run, "b") == [1, 3]


def test_two_equal_connections_count_twice() -> None:
    net = chain(4)
    net = dataclasses.replace(net, connections=net.connections * 3)
    assert spike_steps(simulate(net, events(1)), "a") == [0]
    assert simulate(net, events(1)).synops.tolist() == [3]


# Extremes of input.


def test_no_event_and_no_bias_is_silence() -> None:
    rng = np.random.default_rng(0)
    run = simulate(chain(rng.integers(-9, 10, (8, 5))), np.zeros((3, 4, 8), bool))
    assert not run.spikes["a"].any()
    assert not run.states["a"].any()
    assert run.synops.tolist() == [0, 0, 0]


def test_all_axons_spiking_every_step() -> None:
    # 50 axons of weight 127 and 50 of -128: each step adds -50.
    weights = np.array([[127]] * 50 + [[-128]] * 50)
    run = simulate(chain(weights), np.ones((1, 7, 100), bool))
    assert states(run) == [-350]
    assert run.synops.tolist() == [700]


# Exactness of the product in floating point.


@pytest.mark.parametrize(
    ("sources", "weight", "count"),
    [
        (1032, 127, 128),  # 16,776,192 < 2**24: still float32
        (65536, 127, 2),  # 16,646,144
        (65536, -128, 2),  # exactly -2**24
        (1033, 127, 128),  # 16,792,448 > 2**24: float64
        (65536, 127, 255),  # 2.12e9, close to what 32 bits hold
    ],
)
def test_sums_about_2_to_the_24_are_exact(sources: int, weight: int, count: int) -> None:
    rng = np.random.default_rng(sources)
    weights = np.full((sources, 3), weight)
    # Odd sums: the last bit is the first that float32 loses.
    weights[0] = (1, weight, -1)
    net = chain(
        weights,
        max_count=count,
        spiking=False,
        decay=4096,
        widths={"state_bits": 24, "sum_bits": 32},
    )
    full = np.full((1, 1, sources), count)
    less = full - (rng.random(full.shape) < 0.5)
    for given_events in (full, less):
        x = given_events[0, 0].astype(np.int64) @ weights
        sums = WeightSums(weights, count)(given_events.astype(np.uint8))
        assert sums[0, 0].tolist() == x.tolist()
        run = simulate(net, given_events)
        assert states(run) == np.clip(x, -(1 << 23), (1 << 23) - 1).tolist()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    count=st.sampled_from([1, 3, 255]),
    sources=st.sampled_from([8, 100, 3000]),
    density=st.sampled_from([0, 0.01, 0.5, 1]),
    order=st.sampled_from("CF"),
)
def test_sums_equal_those_of_integers(
    seed: int, count: int, sources: int, density: float, order: Any
) -> None:
    rng = np.random.default_rng(seed)
    weights = np.asarray(rng.integers(-128, 128, (sources, 5)), order=order)
    counts = rng.integers(0, count + 1, (2, 3, sources)) * (rng.random((2, 3, sources)) < density)
    sums = WeightSums(weights, count)(counts.astype(np.uint8))
    assert (sums == counts @ weights).all()


def test_sparse_and_dense_events_of_many_moments_give_the_same_sums(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(weight_sums, "LARGE", 0)
    monkeypatch.setattr(weight_sums, "BLOCK", 9000)
    rng = np.random.default_rng(1)
    weights = rng.integers(-128, 128, (LONG, 9))
    sums = WeightSums(weights, 1)
    for density in (0, SPARSE / 2, SPARSE, 2 * SPARSE, 1):
        events = rng.random((2007, LONG)) < density
        events[5] = True  # one moment with every event
        assert (sums(events) == events @ weights).all()


LARGEST_DIGIT = 5659
"""Of sums four of which are exact in a float64 that they share."""


@pytest.mark.parametrize("largest", [1, 15, 16, 17, LARGEST_DIGIT, LARGEST_DIGIT + 1])
@pytest.mark.parametrize("sign", [1, -1])
def test_sums_that_share_a_float64_are_exact_at_their_limits(
    largest: int, sign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of four moments has the greatest sum, the least, both or none, in every combination."""
    monkeypatch.setattr(weight_sums, "LARGE", 0)
    weights = np.zeros((LONG, 3), np.int64)
    weights[:2] = sign * np.array([[largest, 1, 0], [1 - largest, -largest, largest]])
    sums = WeightSums(weights, 1)
    assert sums._shares == (largest <= LARGEST_DIGIT)
    digits = np.array(list(np.ndindex(4, 4, 4, 4))).T.reshape(-1)
    events = np.zeros((digits.size, LONG), np.bool_)
    events[:, 0], events[:, 1] = digits & 1, digits >> 1
    events[:, 2:] = True  # of weight 0, so that the events are not sparse
    for count in (digits.size, digits.size - 1, 7, 4, 2, 1):  # whole rows of four, and not
        assert (sums(events[:count]) == events[:count].astype(np.int64) @ weights).all()


def test_float32_is_used_only_where_every_sum_is_exact() -> None:
    for weight, expected in ((127, np.float32), (-128, np.float32), (128, np.float64)):
        sums = WeightSums(np.full((1 << 17, 1), weight), 1)
        assert sums._matrix.dtype == expected


@pytest.mark.parametrize("sign", [1, -1])
def test_a_column_of_mixed_signs_is_summed_exactly(sign: int) -> None:
    """One weight is beyond the integers of float32; with the other sign its column is not."""
    beyond = (1 << 24) + 1
    weights = sign * np.array([[beyond, 3], [-(1 << 20), -4]])
    events = np.array([[1, 0], [0, 1], [1, 1]], np.uint8)
    assert (WeightSums(weights, 1)(events) == events.astype(np.int64) @ weights).all()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("bits", [15, 31])
def test_rows_of_mixed_signs_are_added_exactly(
    bits: int, sign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As above, for the integer types of sparse events."""
    monkeypatch.setattr(weight_sums, "LARGE", 0)
    beyond = (1 << bits) + 1
    weights = sign * np.array([[beyond, 3], [-(1 << bits - 4), -4], *[[0, 0]] * 62])
    events = np.zeros((3, 64), np.uint8)
    events[0, 0] = events[1, 1] = 1
    assert events.mean() < SPARSE
    assert (WeightSums(weights, 1)(events) == events.astype(np.int64) @ weights).all()


def offset_sums(weights: NDArray[np.int64], count: int, given_events: Any) -> Any:
    """What the model's sums are short of those of full events, for one step.

    A bias of minus the full sum brings any sum into the range of a potential.
    """
    sources = len(weights)
    full = np.full(sources, count) @ weights
    net = chain(
        weights,
        max_count=count,
        bias=-full,
        spiking=False,
        decay=4096,
        widths={"state_bits": 24, "sum_bits": 32},
    )
    return simulate(net, np.asarray(given_events)[:, np.newaxis]).states["a"]


@pytest.mark.parametrize(
    ("sources", "weight", "count"),
    [
        (1032, 127, 128),  # 16,776,192 < 2**24: within what float32 counts exactly
        (65536, 127, 2),  # 16,646,144
        (65536, -128, 2),  # exactly -2**24
        (65536, -128, 1),  # exactly -2**23, of single events
        (1033, 127, 128),  # 16,792,448 > 2**24
        (65536, 127, 255),  # 2.12e9, close to what 32 bits hold
    ],
)
def test_potentials_of_sums_about_2_to_the_24_are_exact(
    sources: int, weight: int, count: int
) -> None:
    rng = np.random.default_rng(sources)
    weights = np.full((sources, 3), weight)
    # Odd sums: the last bit is the first that float32 loses.
    weights[0] = (1, weight, -1)
    given_events = np.full((9, sources), count)
    for sample, missing in enumerate((0, 1, 2, 3, 10, 50, 100, 200, 250)):
        given_events[sample, rng.integers(0, sources, missing)] -= 1
    expected = (given_events - count) @ weights
    assert offset_sums(weights, count, given_events).tolist() == expected.tolist()


# Against a naive simulation.


def naive(net: Network, counts: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], int]:
    """One sample in plain Python integers, synapse by synapse: spikes, states, synops."""
    steps = len(next(iter(counts.values())))
    sent = {node.name: [list(map(int, row)) for row in counts[node.name]] for node in net.inputs}
    sent |= {p.name: [[0] * p.size for _ in range(steps)] for p in net.populations}
    v = {p.name: [p.shared("v_init")] * p.size for p in net.populations}
    top = 2 ** (net.state_bits - 1)
    operations = 0
    for t in range(steps):
        for p in sorted(net.populations, key=lambda p: p.phase):
            for n in range(p.size):
                x = int(p.bias[n])
                for c in net.connections:
                    if c.target == p.name and t - c.delay >= 0:
                        for source, count in enumerate(sent[c.source][t - c.delay]):
                            x += count * int(c.weights[source, n])
                            operations += count
                old = v[p.name][n]
                kept = abs(old) * (4096 - p.decay) // 4096
                u = max(-top, min(top - 1, (kept if old > 0 else -kept) + x))
                if p.spiking and (u > p.threshold or (p.inclusive and u == p.threshold)):
                    sent[p.name][t][n] = 1
                    if p.reset == Reset.VALUE:
                        u = p.v_reset
                    elif p.reset == Reset.SUBTRACT:
                        u = max(-top, min(top - 1, u - p.threshold))
                v[p.name][n] = u
    return {p.name: sent[p.name] for p in net.populations if p.spiking}, v, operations


def test_fraction_bits_make_the_potential_finer_than_the_weights() -> None:
    # (6 << 4) - 1 = 95, 190 > 150 spikes -> 40; -1 without an event: 39.
    net = chain(
        6, fraction_bits=4, bias=np.array([-1]), threshold=150, reset=Reset.SUBTRACT, subtrahend=150
    )
    run = simulate(net, events(1, 1, 0))
    assert spike_steps(run, "a") == [1]
    assert states(run) == [39]
    # The sum is exact, the potential saturates: -127 << 12, and a bias of the potential's width.
    bias = np.array([-(1 << 15)])
    net = chain(-127, fraction_bits=12, bias=bias, widths={"sum_bits": 8})
    assert states(simulate(net, events(1))) == [-(1 << 15)]
    net = chain(8, fraction_bits=12, bias=bias, threshold=1, widths={"sum_bits": 8})
    assert states(simulate(net, events(1))) == [0]


def test_high_weights_of_a_finer_potential() -> None:
    # ((3 << 8) + 5) << 2, and (3 << 16) + (5 << 8), which saturates.
    high = Connection("in", "a", np.array([[3]]), high=True)
    for fraction_bits, expected in (2, 3092), (8, (1 << 15) - 1):
        net = chain(5, fraction_bits=fraction_bits, threshold=(1 << 15) - 1)
        net = dataclasses.replace(net, connections=(*net.connections, high))
        assert states(simulate(net, events(1))) == [expected]


def test_loops_have_the_fraction_bits_of_their_target() -> None:
    # 1 << 2 = 4 > 3 spikes; a step later b gets 5 << 1, and a itself 2 << 2.
    net = chain(1, fraction_bits=2, threshold=3)
    b = Population("b", 1, np.zeros(1, np.int64), fraction_bits=1, threshold=100)
    loops = Connection("a", "a", np.array([[2]]), 1), Connection("a", "b", np.array([[5]]), 1)
    net = dataclasses.replace(
        net, populations=(*net.populations, b), connections=(*net.connections, *loops)
    )
    run = simulate(net, events(1, 0, 0))
    assert spike_steps(run, "a") == [0, 1, 2]
    assert states(run, "b") == [20]


def test_every_parameter_may_differ_between_neurons() -> None:
    # 8, 16 > 10 spikes -> 3; 11 spikes -> 3. 8, 4 + 8 > 8 spikes -> -4; -2 + 8 = 6.
    net = chain(
        [[8, 8]],
        decay=np.array([0, 2048]),
        threshold=np.array([10, 8]),
        v_reset=np.array([3, -4]),
    )
    run = simulate(net, events(1, 1, 1))
    assert (spike_steps(run, "a"), spike_steps(run, "a", 1)) == ([1, 2], [1])
    assert states(run) == [3, 6]
    # Currents 8, 6, 4 and 8, 2, 0 are added up; 14 - 6, 8 + 4 - 6; 10 + 9.
    net = chain(
        [[8, 8]],
        synaptic_decay=np.array([1024, 3072]),
        threshold=np.array([10, 9]),
        subtrahend=np.array([6, -9]),
        reset=Reset.SUBTRACT,
    )
    run = simulate(net, events(1, 0, 0))
    assert (spike_steps(run, "a"), spike_steps(run, "a", 1)) == ([1, 2], [1, 2])
    assert states(run) == [6, 28]


def test_several_spikes_of_neurons_with_thresholds_of_their_own() -> None:
    net = chain([[35, 35]], threshold=np.array([10, 3]), max_spikes=7, reset=Reset.SUBTRACT)
    run = simulate(net, events(1))
    assert run.spikes["a"].tolist() == [[[3, 7]]]
    assert states(run) == [5, 14]


def test_signed_spikes() -> None:
    """They have the sign of the potential, and leave a residual within the threshold."""
    net = chain([[35, -35, -10, -7]], threshold=10, max_spikes=7, signed=True, reset=Reset.SUBTRACT)
    run = simulate(net, events(1, 0, 1))
    # 35 is 3 and 5; 5 + 35 is 3 and 10, or 4 and 0 where 10 > 10 counts; -14 is -1 and -4.
    assert run.spikes["a"].tolist() == [[[3, -3, 0, 0], [0, 0, 0, 0], [3, -3, -1, -1]]]
    assert run.spikes["a"].dtype == np.int8
    assert states(run) == [10, -10, -10, -4]
    inclusive = chain(
        [[35, -35, -10, -7]],
        **{"threshold": 10, "max_spikes": 7, "signed": True, "reset": Reset.SUBTRACT},
        inclusive=True,
    )
    run = simulate(inclusive, events(1, 0, 1))
    assert run.spikes["a"].tolist() == [[[3, -3, -1, 0], [0, 0, 0, 0], [4, -4, -1, -1]]]
    assert states(run) == [0, 0, 0, -4]


def test_signed_events_subtract_weights() -> None:
    net = Network(
        (Input("in", 2, 5, signed=True),),
        (Population("a", 1, np.zeros(1, np.int64), threshold=100),),
        (Connection("in", "a", np.array([[7], [-3]])),),
    )
    run = simulate(net, {"in": np.array([[[-5, 2], [1, -1]]])})
    assert states(run) == [-5 * 7 - 6 + 7 + 3]
    assert run.synops.tolist() == [9]
    assert simulate(net, {"in": np.array([[[-5, 2]]])}, graded=True).synops.tolist() == [3]
    with pytest.raises(SpikeloomError, match=r"must be whole counts -5\.\.5"):
        simulate(net, {"in": np.array([[[-6, 0]]])})


@st.composite
def networks(draw: st.DrawFn) -> Network:
    weight_bits = draw(st.sampled_from([2, 4, 8]))
    state_bits = draw(st.sampled_from([8, 9, 16, 20, 24]))
    top = 1 << (state_bits - 1)
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    inputs = tuple(
        Input(f"in{n}", draw(st.integers(1, 5)), draw(st.sampled_from([1, 1, 3])))
        for n in range(draw(st.integers(1, 2)))
    )
    number = draw(st.integers(1, 3))
    phases = draw(st.integers(1, number))
    near = st.integers(-40, 40) | st.sampled_from([-top, top - 1])
    populations = tuple(
        Population(
            f"p{n}",
            size,
            rng.integers(-20, 21, size),
            phase=n % phases,
            decay=draw(st.sampled_from([0, 1, 1000, 2048, 4095, 4096])),
            threshold=draw(near),
            inclusive=draw(st.booleans()),
            spiking=draw(st.booleans()) or draw(st.booleans()),
            reset=draw(st.sampled_from(PLAIN_RESETS)),
            v_reset=draw(near),
            v_init=draw(near),
        )
        for n in range(number)
        for size in [draw(st.integers(1, 5))]
    )
    # Last phase first: the order of populations must not matter.
    populations = tuple(reversed(populations))
    connections = []
    low, high = -(1 << (weight_bits - 1)), (1 << (weight_bits - 1)) - 1
    for _ in range(draw(st.integers(1, 6))):
        nodes: tuple[Input | Population, ...] = (*inputs, *populations)
        source = draw(st.sampled_from(nodes))
        target = draw(st.sampled_from(populations))
        behind = isinstance(source, Input) or source.phase < target.phase
        connections.append(
            Connection(
                source.name,
                target.name,
                rng.integers(low, high + 1, (source.size, target.size)),
                draw(st.integers(0 if behind else 1, 3)),
            )
        )
    sum_bits = draw(st.sampled_from([16, 24, 32]))
    return Network(inputs, populations, tuple(connections), weight_bits, state_bits, sum_bits)


@settings(max_examples=150, deadline=None)
@given(networks(), st.integers(0, 1 << 30), st.integers(1, 6), st.sampled_from([0, 0.4, 1]))
def test_model_does_what_plain_integers_do(
    net: Network, seed: int, steps: int, density: float
) -> None:
    rng = np.random.default_rng(seed)
    counts = {
        node.name: rng.integers(1, node.max_count + 1, (3, steps, node.size))
        * (rng.random((3, steps, node.size)) < density)
        for node in net.inputs
    }
    run = simulate(net, counts)
    for sample in range(3):
        spikes, v, operations = naive(net, {name: c[sample] for name, c in counts.items()})
        assert {n: s[sample].astype(int).tolist() for n, s in run.spikes.items()} == spikes
        assert {name: state[sample].tolist() for name, state in run.states.items()} == v
        assert run.synops[sample] == operations
    assert all(s.dtype == np.bool_ for s in run.spikes.values())
    assert all(s.dtype == np.int64 for s in run.states.values())


# Schedules.


def three_layers(seed: int, pipelined: bool) -> Network:
    """The same network layered, or pipelined: one phase and a step later for each layer."""
    rng = np.random.default_rng(seed)
    sizes = {"in": 6, "a": 5, "b": 4, "c": 3}
    pairs = [("in", "a", 0), ("a", "b", 0), ("b", "c", 0), ("in", "c", 0), ("b", "b", 2)]
    depth = {"in": -1, "a": 0, "b": 1, "c": 2}
    populations = tuple(
        Population(
            name,
            sizes[name],
            np.zeros(sizes[name], np.int64),
            phase=0 if pipelined else depth[name],
            decay=512,
            threshold=30,
            reset=Reset.SUBTRACT,
        )
        for name in ("a", "b", "c")
    )
    connections = tuple(
        Connection(
            source,
            target,
            rng.integers(-40, 80, (sizes[source], sizes[target])),
            delay + (depth[target] - depth[source] if pipelined else 0),
        )
        for source, target, delay in pairs
    )
    return Network((Input("in", 6),), populations, connections)


@pytest.mark.parametrize("seed", range(5))
def test_pipelined_is_layered_with_each_layer_a_step_later(seed: int) -> None:
    given_events = np.random.default_rng(seed).random((4, 12, 6)) < 0.4
    layered = simulate(three_layers(seed, False), given_events)
    # As many quiet steps at the end as the last layer is late.
    padded = np.pad(given_events, ((0, 0), (0, 3), (0, 0)))
    pipelined = simulate(three_layers(seed, True), padded)
    for late, name in enumerate(("a", "b", "c"), 1):
        assert layered.spikes[name].any()
        shifted = pipelined.spikes[name][:, late : late + 12]
        assert np.array_equal(shifted, layered.spikes[name])
        assert not pipelined.spikes[name][:, :late].any()


# Batches.


@pytest.mark.parametrize("neurons", [1, 10, 25])
def test_batches_give_the_same_as_one_run(monkeypatch: pytest.MonkeyPatch, neurons: int) -> None:
    net = three_layers(1, False)
    given_events = np.random.default_rng(2).random((7, 12, 6)) < 0.4
    whole = simulate(net, given_events)
    # The largest population has 5 neurons: batches of 1, 2 and 5 samples.
    monkeypatch.setattr(step, "NEURONS", (1, neurons))
    batched = simulate(net, given_events)
    single = [simulate(net, sample) for sample in given_events]
    for name in whole.spikes:
        assert np.array_equal(batched.spikes[name], whole.spikes[name])
        one_by_one = np.concatenate([run.spikes[name] for run in single])
        assert np.array_equal(one_by_one, whole.spikes[name])
    for name in whole.states:
        assert np.array_equal(batched.states[name], whole.states[name])
        one_by_one = np.concatenate([run.states[name] for run in single])
        assert np.array_equal(one_by_one, whole.states[name])
    assert batched.synops.tolist() == whole.synops.tolist()


def test_simulation_changes_neither_network_nor_events() -> None:
    net = chain([[5, -3]], bias=np.array([1, 2]))
    given_events = np.ones((2, 3, 1), np.uint8)
    first = simulate(net, given_events)
    second = simulate(net, given_events)
    assert np.array_equal(first.states["a"], second.states["a"])
    assert (given_events == 1).all()
    assert net.populations[0].bias.tolist() == [1, 2]


# Events.

TWO = Network(
    (Input("left", 2, 3), Input("right", 1)),
    (Population("a", 1, np.zeros(1, np.int64)),),
    (
        Connection("left", "a", np.array([[1], [1]])),
        Connection("right", "a", np.array([[1]])),
    ),
)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int8, np.int64, np.float32, np.float64])
def test_events_may_be_of_any_number_type(kind: Any) -> None:
    counts = check_inputs(chain([[1], [1]]), np.array([[0, 1], [1, 0]], kind))
    assert counts["in"].dtype == np.uint8
    assert counts["in"].tolist() == [[[0, 1], [1, 0]]]


def test_lists_are_events_too() -> None:
    assert check_inputs(chain(1), [[0], [1]])["in"].shape == (1, 2, 1)


def test_any_true_is_one_event() -> None:
    """A file may hold bytes other than 0 and 1 in an array of bool."""
    events = np.array([[0, 22, 1]], np.uint8).view(np.bool_)
    assert check_inputs(chain([[1], [1], [1]]), events)["in"].tolist() == [[[0, 1, 1]]]


def test_several_inputs_are_named() -> None:
    counts = check_inputs(TWO, {"left": np.full((4, 2, 2), 3), "right": np.ones((4, 2, 1))})
    assert {name: array.shape for name, array in counts.items()} == {
        "left": (4, 2, 2),
        "right": (4, 2, 1),
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((1, 1), -1), "whole counts 0..3"),
        (np.full((1, 1), 4), "compile with a higher max_count"),
        (np.full((1, 1), 256), "whole counts 0..3"),
        (np.full((1, 1), 0.5), "whole counts 0..3"),
        (np.full((1, 1), np.nan), "whole counts 0..3"),
        (np.full((1, 1), np.inf), "whole counts 0..3"),
        (np.full((1, 1), -np.inf), "whole counts 0..3"),
        (np.full((1, 1), 1 + 0j), "must be bool or counts, not complex128"),
        (np.full((1, 1), "1"), "must be bool or counts, not "),
        (np.full((1, 1), None), "must be bool or counts, not object"),
        (np.ones(1), r"must have shape \(samples, steps, 1\) or \(steps, 1\), not \(1,\)"),
        (np.ones((2, 2)), r"not \(2, 2\)"),
        (np.ones((2, 3, 2)), r"not \(2, 3, 2\)"),
        (np.ones((1, 1, 1, 1)), r"not \(1, 1, 1, 1\)"),
        (np.ones((0, 1)), r"not \(0, 1\)"),
        (np.ones((3, 0, 1)), r"not \(3, 0, 1\)"),
        (np.ones((0, 3, 1)), "hold no sample; give at least one"),
        (1, r"not \(\)"),
        ([[1], [1, 1]], "not a rectangular array"),
    ],
)
def test_events_that_are_none_are_refused(values: Any, message: str) -> None:
    with pytest.raises(SpikeloomError, match=message) as error:
        simulate(chain(1, max_count=3), values)
    assert str(error.value).startswith("events of 'in' ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((1, 2)), "^events: the network has several inputs; name them: left, right$"),
        ({"left": np.ones((1, 2))}, r"expected inputs \['left', 'right'\], got \['left'\]"),
        ({}, r"got \[\]"),
        ({"left": np.ones((1, 2)), "up": np.ones((1, 1))}, r"got \['left', 'up'\]"),
        ({"left": np.ones((1, 2)), "right": np.ones((2, 1))}, "differ in samples and steps"),
        ({"left": np.ones((2, 1, 2)), "right": np.ones((1, 1))}, "differ in samples and steps"),
    ],
)
def test_inputs_that_do_not_belong_together_are_refused(values: Any, message: str) -> None:
    with pytest.raises(SpikeloomError, match=message):
        check_inputs(TWO, values)


@pytest.mark.parametrize("values", [{}, np.ones((1, 1))])
def test_a_network_without_inputs_cannot_run(values: Any) -> None:
    net = Network((), (Population("a", 1, np.ones(1, np.int64)),), ())
    with pytest.raises(SpikeloomError, match="the network has no input"):
        simulate(net, values)
