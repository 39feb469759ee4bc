"""Planes of eligibilities in learn alone: clocks and weights by hand."""

import dataclasses

import numpy as np
from learn_bench import CONFIG, Bench, run_all
from test_learn import SCAN, notes

from spikeloom.golden.random_numbers import mixed
from spikeloom.golden.spec import Factor, Gate, Rounding

PLANES = dataclasses.replace(CONFIG, eligibility=True)
PLANE = 24
"""Where the plane begins, in most tests; weights begin at 0."""
ADDS = {"left": Factor.ELIGIBILITY, "right": Factor.ONE}
"""A term that adds the eligibility to the weight."""


def memory() -> list[list[int]]:
    """Words that all differ."""
    return [[n - 2 * lane for lane in range(4)] for n in range(64)]


def added(words: list[list[int]], *changed: int, plane: int = PLANE) -> list[list[int]]:
    """The words after each of those `changed` took that of the plane on top."""
    new = [list(word) for word in words]
    for word in changed:
        new[word] = [w + e for w, e in zip(words[word], words[word + plane], strict=True)]
    return new


def test_a_scan_of_two_words_each() -> None:
    """The plane's word in clock SCAN + 4, the weight's one later, and written 9 after that."""
    bench = Bench(PLANES, weights=memory())
    bench.rule(0, ADDS, plane=1, plane_base=PLANE)
    bench.run(notes(9, 2))
    first = SCAN + 4
    assert bench.reads == [(first, 33), (first + 1, 9), (first + 2, 26), (first + 3, 2)]
    assert bench.writes == [(first + 10, 9), (first + 12, 2)]
    assert bench.weights == added(memory(), 9, 2)
    assert bench.updates == 8


def test_eight_weights_wait() -> None:
    """Eight pairs are read; then a weight is written before each pair."""
    bench = Bench(PLANES, weights=memory())
    bench.rule(0, ADDS, plane=1, plane_base=PLANE)
    bench.run(notes(*range(10)))
    planes = [*range(0, 16, 2), 17, 20]
    expected = [
        pair
        for axon, clock in enumerate(planes)
        for pair in ((clock, PLANE + axon), (clock + 1, axon))
    ]
    assert [(clock - SCAN - 4, word) for clock, word in bench.reads] == expected
    written = [16, 19, *range(22, 29), 30]
    assert [clock - SCAN - 4 for clock, _ in bench.writes] == written
    assert bench.weights == added(memory(), *range(10))


def test_no_weight_waits_where_the_memory_has_two_ports() -> None:
    """Pairs are read without a pause; a weight is written 8 clocks after it was read."""
    bench = Bench(dataclasses.replace(PLANES, two_ports=True), weights=memory())
    bench.rule(0, ADDS, plane=1, plane_base=PLANE)
    bench.run(notes(*range(10)))
    words = [word for axon in range(10) for word in (PLANE + axon, axon)]
    assert bench.reads == [(SCAN + 4 + n, word) for n, word in enumerate(words)]
    assert bench.writes == [(SCAN + 13 + 2 * axon, axon) for axon in range(10)]
    assert bench.weights == added(memory(), *range(10))


def test_a_rule_without_a_plane_reads_one_word() -> None:
    """In a fabric that has planes too."""
    bench = Bench(PLANES, weights=memory())
    bench.rule(plane_base=PLANE)
    bench.run(notes(9, 2))
    assert bench.reads == [(SCAN + 4, 9), (SCAN + 5, 2)]
    assert bench.writes == [(SCAN + 13, 9), (SCAN + 14, 2)]


def test_axons_that_wait_are_not_lost() -> None:
    """Every third axon did not spike in this step, and passes between those with two words."""
    bench = Bench(PLANES, weights=memory())
    bench.rule(0, ADDS | {"pre_gate": Gate.SPIKED}, plane=1, plane_base=PLANE)
    axons = [axon for axon in range(20) if axon % 3]
    bench.run(notes(*range(20)), notes(*axons))
    assert [word for _, word in bench.writes] == axons
    assert [word for _, word in bench.reads] == [w for a in axons for w in (PLANE + a, a)]


def test_each_group_has_words_of_its_own() -> None:
    """Group g of 10 sources: 10 * g words on, less the first row of AXON, whichever is first."""
    for base, plane in ((2, 30), (30, 2)):
        bench = Bench(PLANES, weights=memory())
        fields = {"weight_base": base, "axon_base": 4, "sources": 10, "plane_base": plane}
        bench.rule(0, ADDS, groups=2, neurons=8, plane=1, **fields)
        bench.run(notes(6), groups=(0, 1))
        weights = [base + 2, base + 12]
        assert [word for _, word in bench.reads] == [plane + 2, base + 2, plane + 12, base + 12]
        assert [word for _, word in bench.writes] == weights
        assert bench.weights == added(memory(), *weights, plane=plane - base)


def test_a_rule_learns_the_plane_of_the_next_one() -> None:
    """Axon 5 spiked: 3 more in its word of the plane, which then counts as changed.

    The rule that has the plane is silent: the eligibilities of other axons count as well.
    """
    words = [[10 * axon] * 4 for axon in range(8)] + [[axon] * 4 for axon in range(8)]
    bench = Bench(PLANES, weights=words)
    bench.rule(0, {"constant": 3}, weight_base=8, sources=8)
    learns = {"left": Factor.ELIGIBILITY, "right": Factor.CONSTANT, "constant": 2}
    bench.rule(1, learns, silent=1, sources=8, plane=1, plane_base=8)
    bench.run(notes(5))
    plane = [axon + 3 * (axon == 5) for axon in range(8)]
    assert bench.weights[8:] == [[e] * 4 for e in plane]
    assert bench.weights[:8] == [[10 * axon + 2 * e] * 4 for axon, e in enumerate(plane)]
    assert bench.updates == 4 + 4 * 8


def test_factors() -> None:
    """Eligibilities of either sign times each kind of factor, in either place, and negated."""
    weight, plane = [10, -10, 100, 0], [3, -128, 127, -5]
    states = {n: {"plasticity_potential": [20, -7 & 0xFFFF, 40, 0][n]} for n in range(4)}
    cases = [
        (Factor.ONE, [1] * 4),
        (Factor.CONSTANT, [-100] * 4),
        (Factor.PRE_CURVE, [-9] * 4),
        (Factor.POST_CURVE, [7] * 4),
        (Factor.THIRD, [5, -2, 10, 0]),
    ]
    benches, expected = [], []
    for factor, values in cases:
        for pair in ((factor, Factor.ELIGIBILITY), (Factor.ELIGIBILITY, factor)):
            for negative in (0, 1):
                term = {"left": pair[0], "right": pair[1], "constant": -100, "pre_now": 1}
                bench = Bench(PLANES, weights=[[*weight], [*plane]], states=dict(states))
                fields = {"third": 1, "third_shift": 2, "shift": 1, "plane": 1, "plane_base": 1}
                bench.rule(0, term | {"negative": negative}, **fields)
                bench.curve({0: {"curve0": -9}, 63: {"curve0": 7}})
                benches.append(bench)
                sums = [-v * e if negative else v * e for v, e in zip(values, plane, strict=True)]
                changed = [w + (s >> 4) for w, s in zip(weight, sums, strict=True)]
                clipped = [min(max(w, -128), 127) for w in changed]
                expected.append((pair, negative, clipped))
    run_all(benches, notes(0))
    for bench, (pair, negative, clipped) in zip(benches, expected, strict=True):
        assert bench.weights == [clipped, plane], (pair, negative)


def test_a_term_of_the_plane_and_one_of_the_weight() -> None:
    """w' = w + e - w / 1, in one sum: the eligibility takes the weight's place."""
    bench = Bench(PLANES, weights=memory())
    decay = {"left": Factor.WEIGHT, "right": Factor.ONE, "negative": 1}
    bench.rule(0, ADDS, decay, plane=1, plane_base=PLANE)
    bench.run(notes(*range(12)))
    assert bench.weights == memory()[PLANE : PLANE + 12] + memory()[12:]


def test_random_numbers_are_those_of_the_axon() -> None:
    """Also where axons wait."""
    state, number, change = 0x1234_5678, 26, -37
    bench = Bench(PLANES, weights=[[0] * 4 for _ in range(64)], random_state=state)
    for word in bench.weights[PLANE:]:
        word[:] = [change] * 4
    fields = {"shift": 1, "rounding": Rounding.STOCHASTIC, "number": number}
    bench.rule(0, ADDS, plane=1, plane_base=PLANE, **fields)
    bench.run(notes(*range(12)))
    keys = np.array([state ^ (axon | number << 26) & (1 << 31) - 1 for axon in range(12)])
    for axon, random in enumerate(mixed(keys.astype(np.uint32)).tolist()):
        expected = [(change + (random + lane) % 16) >> 4 for lane in range(4)]
        assert bench.weights[axon] == expected
