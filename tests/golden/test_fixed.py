"""Decay, saturation and the neuron update, against numbers worked out by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.golden.fixed import decay, saturate
from spikeloom.golden.network import Population
from spikeloom.golden.spec import Reset
from spikeloom.golden.step.neuron import Neurons, State, update_type


def update_all(v: int, x: int, i: int = 0, bits: int = 8, **changed: Any) -> tuple[int, int, int]:
    """Number of spikes of one neuron, and its potential and synaptic current after the step."""
    values = {"threshold": 10, **changed}
    if "leak" in values:
        values["leak"] = np.array([values["leak"]])
    population = Population("a", 1, np.zeros(1, np.int64), **values)
    state = State(np.array([v]), np.array([i]), {})
    spikes, after = Neurons(population, bits).update(state, np.array([x]))
    assert spikes.shape == after.v.shape == after.i.shape == (1,)
    assert spikes.dtype == (np.bool_ if population.max_spikes == 1 else np.uint8)
    return int(spikes[0]), int(after.v[0]), int(after.i[0])


def update_one(v: int, x: int, bits: int = 8, **changed: Any) -> tuple[bool, int]:
    """Whether one neuron without synaptic current spikes, and its potential after the step."""
    spikes, after, _ = update_all(v, x, bits=bits, **changed)
    return bool(spikes), after


# Decay.


@pytest.mark.parametrize(
    ("x", "k", "expected"),
    [
        (0, 1000, 0),
        (100, 0, 100),  # 0 keeps all
        (-100, 0, -100),
        (100, 4096, 0),  # 4096 keeps nothing
        (-100, 4096, 0),
        (5, 2048, 2),  # half of 5 is 2.5, toward zero
        (-5, 2048, -2),  # and not -3, as an arithmetic shift would give
        (1, 1, 0),  # 4095 / 4096
        (-1, 1, 0),
        (4096, 1, 4095),
        (-4096, 1, -4095),
        (4095, 1, 4094),  # 4095 - 4095 / 4096 = 4094.0002
        (10, 1365, 6),  # 10 * 2731 / 4096 = 6.67
        (-10, 1365, -6),
        (32767, 4095, 7),  # 32767 / 4096 = 7.9998
        (-32768, 4095, -8),
        (-8388608, 2048, -4194304),  # minimum of 24 bits
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_decay_truncates_toward_zero(x: int, k: int, expected: int, sign: int) -> None:
    assert decay(np.array([sign * x]), k).tolist() == [sign * expected]


@given(st.integers(-(1 << 23), (1 << 23) - 1), st.integers(0, 4096))
def test_decay_matches_integer_division(x: int, k: int) -> None:
    magnitude = abs(x) * (4096 - k) // 4096
    assert decay(np.array([x]), k).tolist() == [magnitude if x >= 0 else -magnitude]


def test_decay_does_not_change_its_argument() -> None:
    x = np.array([5, -5])
    decay(x, 2048)
    assert x.tolist() == [5, -5]


# Saturation.


@pytest.mark.parametrize(("bits", "low", "high"), [(8, -128, 127), (16, -32768, 32767)])
def test_saturation_at_both_rails(bits: int, low: int, high: int) -> None:
    x = np.array([low - 1000, low - 1, low, low + 1, 0, high - 1, high, high + 1, high + 1000])
    assert saturate(x, bits).tolist() == [low, low, low, low + 1, 0, high - 1, high, high, high]


# The update.


@pytest.mark.parametrize(
    ("v", "x", "changed", "expected"),
    [
        # Threshold 10, reset to 0: equality spikes with >= only.
        (0, 9, {}, (False, 9)),
        (0, 10, {}, (False, 10)),
        (0, 11, {}, (True, 0)),
        (0, 9, {"inclusive": True}, (False, 9)),
        (0, 10, {"inclusive": True}, (True, 0)),
        # Decay first, then the input: 7 * 3072 / 4096 = 5.25 -> 5.
        (7, 5, {"decay": 1024}, (False, 10)),
        (7, 6, {"decay": 1024}, (True, 0)),
        (-7, 5, {"decay": 1024}, (False, 0)),
        (100, 3, {"decay": 4096}, (False, 3)),
        # Resets: to a value, by subtraction of the threshold, none.
        (0, 25, {"v_reset": -3}, (True, -3)),
        (0, 25, {"reset": Reset.SUBTRACT}, (True, 15)),
        (0, 25, {"reset": Reset.SUBTRACT, "v_reset": -3}, (True, 15)),
        (0, 25, {"reset": Reset.NONE, "v_reset": -3}, (True, 25)),
        (0, 10, {"reset": Reset.SUBTRACT, "inclusive": True}, (True, 0)),
        # Without a spike there is no reset.
        (0, 5, {"v_reset": -3}, (False, 5)),
        (0, 5, {"reset": Reset.SUBTRACT}, (False, 5)),
        # Saturation, 8 bits: before the comparison, at both rails.
        (100, 100, {"reset": Reset.NONE}, (True, 127)),
        (-100, -100, {}, (False, -128)),
        (127, 1, {"threshold": 127}, (False, 127)),  # 128 is clipped, and 127 is not above 127
        (127, 1, {"threshold": 127, "inclusive": True}, (True, 0)),
        (-128, -1, {"threshold": -128}, (False, -128)),
        (-128, -1, {"threshold": -128, "inclusive": True}, (True, 0)),
        # A negative threshold subtracted: 100 + 50 saturates, -20 + 30 does not.
        (0, 100, {"threshold": -50, "reset": Reset.SUBTRACT}, (True, 127)),
        (0, -20, {"threshold": -30, "reset": Reset.SUBTRACT}, (True, 10)),
        (0, 0, {"threshold": -128, "reset": Reset.SUBTRACT}, (True, 127)),
        # LI: no spike and no reset, even far above the threshold.
        (0, 25, {"spiking": False}, (False, 25)),
        (100, 100, {"spiking": False, "inclusive": True}, (False, 127)),
        (40, -8, {"spiking": False, "decay": 2048}, (False, 12)),
    ],
)
def test_update_by_hand(
    v: int, x: int, changed: dict[str, Any], expected: tuple[bool, int]
) -> None:
    assert update_one(v, x, **changed) == expected


def test_input_beyond_the_states_range_is_exact_until_it_saturates() -> None:
    # -128 + 255 = 127: clipping the input to 8 bits first would give -1.
    assert update_one(-128, 255, threshold=127) == (False, 127)
    assert update_one(127, -255, threshold=127) == (False, -128)


@pytest.mark.parametrize(
    ("v", "i", "x", "changed", "expected"),
    [
        # Half of i is kept, then x is added; the potential keeps all.
        (3, 8, 1, {}, (0, 8, 5)),
        (3, 9, 1, {}, (0, 8, 5)),  # 4.5 -> 4
        (3, -9, 1, {}, (0, 0, -3)),  # toward zero
        (0, 10, 6, {}, (1, 0, 11)),  # a reset is of the potential only
        (7, 8, 1, {"decay": 2048}, (0, 8, 5)),  # 3 + 5
        # It saturates before it is added: -128 + 127, and not -128 + 200.
        (-128, 0, 200, {}, (0, -1, 127)),
        (127, 0, -200, {"threshold": 127}, (0, -1, -128)),
        # The leak is added to the potential, after the current saturates.
        (0, 8, 1, {"leak": 2}, (0, 7, 5)),
        (0, 8, 1, {"leak": -20}, (0, -15, 5)),
        (-128, 0, 200, {"leak": 3}, (0, 2, 127)),
        (-100, 0, 100, {"leak": 127, "threshold": 127}, (0, 127, 100)),  # 127 in all, exactly
        (-99, 0, 100, {"leak": 127, "threshold": 127}, (0, 127, 100)),  # 128 saturates
        # Ends of the decay.
        (0, 100, 1, {"synaptic_decay": 4096}, (0, 1, 1)),
        (-128, 100, 1, {"synaptic_decay": 0}, (0, -27, 101)),
    ],
)
def test_update_with_a_synaptic_current_by_hand(
    v: int, i: int, x: int, changed: dict[str, Any], expected: tuple[int, int, int]
) -> None:
    assert update_all(v, x, i, **{"synaptic_decay": 2048, **changed}) == expected


@pytest.mark.parametrize(
    ("v", "x", "changed", "expected"),
    [
        # The potential before the step is above 10: now it is reset, whatever the input.
        (11, 5, {}, (False, -3)),
        (11, 50, {}, (False, -3)),
        (11, 5, {"v_reset": 20}, (True, 20)),  # to a value above the threshold
        (10, 5, {}, (True, 15)),  # 10 is not above 10; it spikes now, and stays
        (10, 5, {"inclusive": True}, (False, -3)),
        (0, 11, {}, (True, 11)),
        # By subtraction: decayed first, 3/4 of 16 = 12; 12 - 10 + 5.
        (16, 5, {"reset": Reset.SUBTRACT, "decay": 1024}, (False, 7)),
        (16, 9, {"reset": Reset.SUBTRACT, "decay": 1024}, (True, 11)),
        (16, 5, {"reset": Reset.SUBTRACT, "subtrahend": 3}, (True, 18)),
        (10, 5, {"reset": Reset.SUBTRACT}, (True, 15)),
        # Saturated only with the input: 127 + 20 - 10 is 137 -> 127, 127 + 8 - 10 = 125.
        (127, 20, {"reset": Reset.SUBTRACT}, (True, 127)),
        (127, 8, {"reset": Reset.SUBTRACT}, (True, 125)),
        (11, 5, {"reset": Reset.NONE}, (True, 16)),
        # Without spikes there is no reset either.
        (11, 5, {"spiking": False}, (False, 16)),
        # The clamp comes after the reset.
        (11, 5, {"v_min": -2}, (False, -2)),
    ],
)
def test_update_with_a_delayed_reset_by_hand(
    v: int, x: int, changed: dict[str, Any], expected: tuple[bool, int]
) -> None:
    assert update_one(v, x, **{"delayed_reset": True, "v_reset": -3, **changed}) == expected


@pytest.mark.parametrize(
    ("v", "x", "changed", "expected"),
    [
        # Threshold 10, 20 subtracted. 50 is above: 5 - 20 = -15 does not spike, and becomes 5.
        (50, 5, {"decay": 4096}, (False, 5)),
        # 50 + 5 - 20 = 35 spikes, and stays what it is.
        (50, 5, {}, (True, 35)),
        # Not above before the step: as with a plain subtraction.
        (0, 11, {}, (True, -9)),
        (10, 5, {}, (True, -5)),
        (10, 5, {"inclusive": True}, (False, 15)),  # 10 + 5 - 20 = -5, back to 15
        (0, 5, {}, (False, 5)),
        # Saturation comes between: -128 - 20 is -128, -108 after the restoration.
        (50, -128, {"decay": 4096}, (False, -108)),
        # At the end, too: 120 after a subtraction of -100 is 127.
        (0, 120, {"subtrahend": -100}, (True, 127)),
        # The lower limit comes before the comparison: -15 is -2; 18 after the restoration.
        (50, 5, {"decay": 4096, "v_min": -2}, (False, 18)),
        # Without spikes nothing is subtracted.
        (50, 5, {"spiking": False}, (False, 55)),
    ],
)
def test_update_with_a_restoring_reset_by_hand(
    v: int, x: int, changed: dict[str, Any], expected: tuple[bool, int]
) -> None:
    changed = {"reset": Reset.RESTORE, "subtrahend": 20, **changed}
    assert update_one(v, x, **changed) == expected


@pytest.mark.parametrize(
    ("x", "subtrahend", "expected"),
    [(25, 7, 18), (25, 0, 25), (25, -100, 125), (100, -100, 127), (-20, 127, -128)],
)
def test_the_subtrahend_may_differ_from_the_threshold(
    x: int, subtrahend: int, expected: int
) -> None:
    changed = {"reset": Reset.SUBTRACT, "subtrahend": subtrahend, "threshold": -30}
    assert update_one(0, x, **changed) == (True, expected)
    assert update_one(-31, x + 31, **(changed | {"reset": Reset.RESTORE})) == (True, expected)
    # It is unused by the other resets.
    assert update_one(0, x, **(changed | {"reset": Reset.VALUE})) == (True, 0)
    assert update_one(0, x, **(changed | {"reset": Reset.NONE})) == (True, x)


@pytest.mark.parametrize(
    ("v", "x", "changed", "expected"),
    [
        (0, -5, {"v_min": -4}, (False, -4)),
        (0, -4, {"v_min": -4}, (False, -4)),
        (0, -3, {"v_min": -4}, (False, -3)),
        (0, -128, {"v_min": -128}, (False, -128)),
        # Before the comparison, so a lower limit above the threshold spikes.
        (0, 0, {"v_min": 11, "v_reset": 3}, (True, 3)),
        (0, 0, {"v_min": 10}, (False, 10)),
        # A reset may go below it.
        (0, 11, {"v_min": -4, "v_reset": -9}, (True, -9)),
        (0, 11, {"v_min": 5, "reset": Reset.SUBTRACT}, (True, 1)),
    ],
)
def test_update_with_a_lower_limit_by_hand(
    v: int, x: int, changed: dict[str, Any], expected: tuple[bool, int]
) -> None:
    assert update_one(v, x, **changed) == expected


@pytest.mark.parametrize(
    ("x", "changed", "expected"),
    [
        # Threshold 10, at most 7 spikes: n as long as u is above 10 n.
        (10, {}, (0, 10)),
        (11, {}, (1, 1)),
        (20, {}, (1, 10)),
        (21, {}, (2, 1)),
        (30, {}, (2, 10)),
        (70, {}, (6, 10)),
        (71, {}, (7, 1)),
        (127, {}, (7, 57)),  # no more than 7
        (-128, {}, (0, -128)),
        # With >=.
        (9, {"inclusive": True}, (0, 9)),
        (10, {"inclusive": True}, (1, 0)),
        (19, {"inclusive": True}, (1, 9)),
        (20, {"inclusive": True}, (2, 0)),
        (70, {"inclusive": True}, (7, 0)),
        (80, {"inclusive": True}, (7, 10)),
        # Other limits, and the minimum threshold.
        (127, {"max_spikes": 3}, (3, 97)),
        (127, {"max_spikes": 15}, (12, 7)),
        (100, {"max_spikes": 31, "threshold": 1}, (31, 69)),
        (31, {"max_spikes": 31, "threshold": 1}, (30, 1)),
        (31, {"max_spikes": 31, "threshold": 1, "inclusive": True}, (31, 0)),
        (127, {"max_spikes": 31, "threshold": 127, "inclusive": True}, (1, 0)),
        # Resets that have no effect.
        (45, {"reset": Reset.VALUE, "v_reset": 4}, (4, 4)),
        (5, {"reset": Reset.VALUE, "v_reset": 4}, (0, 5)),
        (45, {"reset": Reset.NONE}, (4, 45)),
    ],
)
def test_several_spikes_per_step_by_hand(
    x: int, changed: dict[str, Any], expected: tuple[int, int]
) -> None:
    values = {"max_spikes": 7, "reset": Reset.SUBTRACT, **changed}
    assert update_all(0, x, **values)[:2] == expected


# The type of the computation.


def decaying(k: int, **changed: Any) -> Population:
    return Population("p", 2, np.zeros(2, np.int64), decay=k, **changed)


@pytest.mark.parametrize(
    ("state_bits", "sum_bits", "expected"),
    [
        (8, 8, np.float32),
        # 4091 is odd: |v| * 4091 reaches 2**24 with 13 bits of state, 2**25 with 14.
        (13, 16, np.float32),
        (14, 16, np.int32),
        (16, 16, np.int32),
        # |v| * 4096 reaches 2**18 * 2**12 = 2**30 with 19 bits of state, 2**31 with 20.
        (19, 16, np.int32),
        (20, 16, np.int64),
        (24, 8, np.int64),
        (8, 20, np.float32),
        (8, 22, np.int32),
        (16, 30, np.int32),
        (16, 32, np.int64),
    ],
)
def test_type_is_the_fastest_exact_one(state_bits: int, sum_bits: int, expected: Any) -> None:
    assert update_type(decaying(5), state_bits, sum_bits + 1) is expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"decay": 0}, np.float32),
        ({"decay": 4096}, np.float32),
        # 4088 = 8 * 511 keeps 9 bits, 4092 = 4 * 1023 keeps 10; a potential has 15 and a sign.
        ({"decay": 8}, np.float32),
        ({"decay": 4}, np.int32),
        ({"decay": np.array([8, 1024])}, np.float32),
        ({"decay": np.array([8, 5])}, np.int32),
        ({"synaptic_decay": 8}, np.float32),
        ({"synaptic_decay": np.array([4, 0])}, np.int32),
        ({"max_spikes": 31}, np.float32),
    ],
)
def test_floats_are_for_decays_of_few_digits(changed: dict[str, Any], expected: Any) -> None:
    population = Population("p", 2, np.zeros(2, np.int64), threshold=1, **changed)
    assert update_type(population, 16, 17) is expected


@pytest.mark.parametrize("k", [8, 64, 1024, 4096 - 511, 4095])
def test_floats_decay_as_integers_do(k: int) -> None:
    x = np.arange(-(1 << 15), 1 << 15)
    assert update_type(decaying(k), 16, 17) is np.float32
    assert (decay(x.astype(np.float32), k) == decay(x, k)).all()


@pytest.mark.parametrize("state_bits", range(8, 25))
@pytest.mark.parametrize("sum_bits", [8, 16, 20, 21, 29, 30, 31, 32])
def test_no_result_overflows_at_the_ends(state_bits: int, sum_bits: int) -> None:
    ends = [-(1 << (state_bits - 1)), (1 << (state_bits - 1)) - 1]
    # The exact input is a sum plus a bias, to which a leak is added and a reset taken away.
    inputs = [-(1 << sum_bits) + 2 * ends[0], (1 << sum_bits) - 2 + 2 * ends[1]]
    for k in (0, 1, 8, 1024, 4095):
        exact_type: Any = update_type(decaying(k), state_bits, sum_bits + 1)
        v = np.array(ends, exact_type)[:, np.newaxis]
        x = np.array(inputs, exact_type)[np.newaxis, :]
        u = decay(v, k) + x
        exact = [
            [(-1 if end < 0 else 1) * (abs(end) * (4096 - k) // 4096) + extra for extra in inputs]
            for end in ends
        ]
        assert u.dtype == exact_type
        assert u.tolist() == exact
