"""Learn alone: clocks, weights and traces by hand, from the section Learning of the page."""

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from amaranth import Fragment, unsigned
from amaranth.lib import wiring
from amaranth.sim import Simulator
from learn_bench import CONFIG, Bench, run_all

from spikeloom.golden.random_numbers import mixed
from spikeloom.golden.spec import MAX_AGE, Factor, Gate, Rounding
from spikeloom.hdl.common.fall_through_queue import FallThroughQueue
from spikeloom.hdl.common.queue import Queue
from spikeloom.hdl.core.learning.axons import Axons
from spikeloom.hdl.core.learning.notes import NoteQueue
from spikeloom.hdl.core.learning.rules import Rules
from spikeloom.hdl.core.learning.synapses import Synapses
from spikeloom.hdl.core.learning.targets import Targets


def built(component: wiring.Component) -> Any:
    """A component that may be asked for its latency."""
    Fragment.get(component, None)
    return component


LOAD = built(Targets(CONFIG)).latency
SCAN = 2 + 2 + 1 + LOAD
"""Clocks from a command to SCAN of the first group: `due`, RULE, SETUP, GROUP, LOAD."""
OTHER_RULE = 3
"""RULE, SETUP and NEXT of one that is unused."""


def notes(*axons: int, rule: int = 0) -> list[tuple[int, int]]:
    return [(rule, axon) for axon in axons]


def axon_row(stamp: int, before: int = MAX_AGE, trace: int = 0) -> int:
    fields = {"valid": 1, "stamp": stamp, "before": before, "trace": trace}
    return CONFIG.axon_row.pack(fields)


def words(count: int) -> list[list[int]]:
    """Weights that all differ."""
    return [[n + 30 * lane for lane in range(4)] for n in range(count)]


def test_what_notes_write() -> None:
    """A trace of 100 falls to 100 * 128 / 256 in a step; the second spike of a step is none."""
    bench = Bench()
    bench.rule(groups=0, pre_amount=100)
    bench.curve({1: {"pre_decay": 128}, 2: {"pre_decay": 64}})
    bench.run(notes(5, 7, 5), notes(5), notes(), notes(5, 7))
    assert bench.axons == [
        (5, axon_row(0)),
        (7, axon_row(0)),
        (5, axon_row(1, before=1, trace=50)),
        # 150 two steps ago, and 100 three steps ago, of which nothing is left.
        (5, axon_row(3, before=2, trace=37)),
        (7, axon_row(3, before=3, trace=0)),
    ]


def test_ages_are_63_at_most() -> None:
    """Of spikes 62, 63, 64 and 65 steps ago; and of one 4 steps ago, after all these."""
    bench = Bench()
    bench.rule(groups=0, pre_amount=100)
    bench.curve({4: {"pre_decay": 16}, 62: {"pre_decay": 128}, MAX_AGE: {"pre_decay": 64}})
    steps = [notes(1, 2, 3, 4), *[notes()] * 61, *(notes(axon) for axon in (1, 2, 3, 4)), notes(1)]
    bench.run(*steps, groups=())
    first = [(axon, axon_row(0)) for axon in (1, 2, 3, 4)]
    assert bench.axons == [
        *first,
        (1, axon_row(62, before=62, trace=50)),
        (2, axon_row(63, trace=25)),
        (3, axon_row(64, trace=25)),
        (4, axon_row(65, trace=25)),
        (1, axon_row(66, before=4, trace=150 * 16 >> 8)),
    ]


def test_a_learn_word_clears_anew() -> None:
    """Every row of AXON from the first one on, also after four of them; and so does an end, after
    which nothing is left of the trace of axon 5.
    """
    bench = Bench()
    bench.rule(groups=0, pre_amount=100)
    bench.curve({age: {"pre_decay": 256} for age in (0, 1, MAX_AGE)})
    bench.run(notes(5), ends=True)
    rows = [*range(CONFIG.plastic_axons)]
    assert bench.cleared == [*range(4), *rows, *rows]


def test_clocks_of_notes() -> None:
    """The head is there 2 clocks after the note; NOTE1 to NOTE3; then REST again."""
    bench = Bench()
    bench.rule(groups=0)
    bench.run(notes(5, 7, 5, 5, 8))
    first = built(NoteQueue(CONFIG)).latency + 3
    # 5, 7; then two notes of 5 of three clocks each, and 8.
    assert bench.axon_clocks == [first, first + 4, first + 4 + 3 + 3 + 4]


def test_sixteen_notes_wait() -> None:
    """One note is taken in each clock until 16 wait, then one each 4 clocks, as they leave."""
    bench = Bench()
    bench.rule(groups=0)
    bench.run(notes(*range(30)))
    # Pops in clocks 2, 6, 10, 14, 18: with the note of clock 20 it is 21 - 5 = 16.
    assert bench.notes_taken[:22] == [*range(21), 23]
    assert np.unique(np.diff(bench.notes_taken[21:])).tolist() == [4]
    assert [axon for axon, _ in bench.axons] == [*range(30)]


def test_a_scan() -> None:
    """Axons in the order of their first spikes: read from clock SCAN + 4, written 9 later."""
    bench = Bench(weights=words(20))
    bench.rule()
    bench.run(notes(9, 2), notes(11, 2))
    read = [9, 2, 11]
    assert bench.reads == [(SCAN + 4 + n, word) for n, word in enumerate(read)]
    assert bench.writes == [(SCAN + 13 + n, word) for n, word in enumerate(read)]
    once, twice = [11], [9, 2]
    expected = words(20)
    for word in [*once, *twice, *twice]:
        expected[word] = [weight + 1 for weight in expected[word]]
    assert bench.weights == expected
    assert bench.updates == 4 * (2 + 3)
    # Of DRAIN the last write and a clock; GROUP, NEXT; the other rule; END.
    assert bench.idle_after == SCAN + 15 + 1 + 1 + 2 + OTHER_RULE + 1


def test_a_note_that_comes_with_the_command() -> None:
    """It is of that step."""
    bench = Bench(weights=words(20), late=(0, 3))
    bench.rule()
    bench.run([])
    assert bench.axons == [(3, axon_row(0))]
    assert [word for _, word in bench.reads] == [3]


def test_a_scan_of_nothing() -> None:
    """SCAN and DRAIN, a clock each."""
    bench = Bench(weights=words(20))
    bench.rule()
    bench.run([])
    assert bench.idle_after == SCAN + 1 + 1 + 2 + OTHER_RULE + 1
    assert not bench.reads


@pytest.mark.parametrize("groups", [(), (1,), (0, 1, 2)])
def test_groups_that_nothing_touched(groups: tuple[int, ...]) -> None:
    """They take a clock; those that are loaded `Targets.latency` more, if no gate is open."""
    bench = Bench()
    bench.rule(0, {"post_gate": Gate.SPIKED}, groups=3, neurons=12)
    bench.run(notes(1), groups=groups)
    loads = len(groups) * LOAD
    rules = 2 + 3 + loads + 2 + OTHER_RULE if groups else 0
    assert bench.idle_after == 2 + rules + 1
    assert not bench.reads


def test_each_group_has_words_of_its_own() -> None:
    """Group g of 20 sources: words 20 * g and following, less the first row of AXON."""
    bench = Bench(weights=words(64))
    bench.rule(groups=2, neurons=7, weight_base=10, axon_base=4, sources=20)
    bench.run(notes(6), groups=(0, 1))
    assert [word for _, word in bench.reads] == [10 + 2, 10 + 2 + 20]
    # The last lane of the second group is no neuron of the rule.
    assert bench.weights[32] == [33, 63, 93, 122]
    assert bench.updates == 7


def test_eight_words_wait() -> None:
    """Where all words change, 8 are read; then one is written and one read in turn."""
    bench = Bench(weights=words(20))
    bench.rule()
    bench.run(notes(*range(16)))
    read = [*range(8), *range(10, 25, 2)]
    assert [clock - SCAN - 4 for clock, _ in bench.reads] == read
    written = [*range(9, 24, 2), *range(25, 32), 33]
    assert [clock - SCAN - 4 for clock, _ in bench.writes] == written
    assert [word for _, word in bench.reads] == [word for _, word in bench.writes] == [*range(16)]


def test_no_word_waits_where_the_memory_has_two_ports() -> None:
    """A word is read in every clock, and written 8 clocks after that."""
    bench = Bench(dataclasses.replace(CONFIG, two_ports=True), weights=words(20))
    bench.rule()
    bench.run(notes(*range(16)))
    assert bench.reads == [(SCAN + 4 + n, n) for n in range(16)]
    assert bench.writes == [(SCAN + 12 + n, n) for n in range(16)]
    assert bench.weights == [[w + (n < 16) for w in word] for n, word in enumerate(words(20))]
    drained = 12 + 16 + 1
    assert bench.idle_after == SCAN + drained + 2 + OTHER_RULE + 1


def test_entries_that_wait_are_not_lost() -> None:
    """Every third axon did not spike in this step, and passes while others wait."""
    bench = Bench(weights=words(30))
    bench.rule(0, {"pre_gate": Gate.SPIKED}, sources=32)
    axons = [axon for axon in range(30) if axon % 3]
    bench.run(notes(*range(30)), notes(*axons))
    assert [word for _, word in bench.reads] == axons
    assert [word for _, word in bench.writes] == axons


@pytest.mark.parametrize("now", [0, 1])
def test_traces_of_entries_that_wait(now: int) -> None:
    """Of axons of all ages, while words wait; half of them spike again in the last step."""
    bench = Bench(weights=[[0] * 4 for _ in range(20)])
    term = {"left": Factor.PRE_TRACE, "right": Factor.ONE, "pre_now": now}
    bench.rule(0, term, pre_amount=20)
    kept = {1: 128, 2: 64, 3: 32, 4: 16}
    bench.curve({age: {"pre_decay": part} for age, part in kept.items()})
    bench.run(*(notes(*range(step, 20, 4)) for step in range(4)), notes(*range(10)))
    for axon in range(20):
        before = [20 * kept[age] >> 8 for age in range(1, 5 - axon % 4)]
        spikes = 20 * now * (1 + (axon < 10))
        assert bench.weights[axon] == [sum(before) + spikes] * 4


def test_traces_of_targets() -> None:
    """y = trace * decay of the age; Y, with the spike of this step, is written for those."""
    bench = Bench(weights=words(20))
    # Neuron 1 has a spike in this step, and had one 2 steps ago; neuron 2 none now.
    bench.states = {
        1: {"plasticity_spiked": 1, "plasticity_recent": MAX_AGE - 2},
        2: {"plasticity_spiked": 0, "plasticity_recent": MAX_AGE - 1},
    }
    bench.curve({2: {"post_decay": 192}, 1: {"post_decay": 128}})
    bench.rule(
        0,
        {"left": Factor.POST_TRACE, "right": Factor.ONE, "post_now": 1},
        traces=1,
        post_amount=40,
    )
    bench.run(notes(3), notes(3))
    # After the first step neuron 1 has 40, of which 40 * 192 / 256 = 30 are left.
    assert bench.traces == [(1, 70)]
    # LOAD begins after the command, RULE, SETUP and GROUP; lane 1 is in stage 3 in clock 1 + 3.
    assert bench.trace_clocks == [2 + 2 + 1 + 1 + 3]
    assert bench.weights[3] == [3, min(33 + 40 + 70, 127), 63, 93]


def test_gates_of_targets() -> None:
    """Of four neurons: spiked; of age 3; with a potential out of range; never."""
    states = {
        0: {"plasticity_spiked": 1, "plasticity_recent": MAX_AGE - 5},
        1: {"plasticity_recent": MAX_AGE - 3},
        2: {"plasticity_recent": MAX_AGE - 3, "plasticity_potential": 101},
    }
    cases = [
        ({"post_gate": Gate.SPIKED}, [1, 0, 0, 0]),
        ({"post_gate": Gate.AGE, "post_first": 3, "post_last": 5}, [1, 1, 1, 0]),
        ({"post_gate": Gate.AGE, "post_first": 3, "post_last": 5, "post_now": 1}, [0, 1, 1, 0]),
        ({"post_gate": Gate.AGE, "post_last": 0, "post_now": 1}, [1, 0, 0, 0]),
        ({"post_gate": Gate.AGE, "post_first": MAX_AGE, "post_last": MAX_AGE}, [0, 0, 0, 1]),
        ({"lower": 0, "upper": 100}, [1, 1, 0, 1]),
        ({"post_gate": Gate.NEVER}, [0, 0, 0, 0]),
        ({"trace_lowest": 1}, [0, 0, 0, 0]),
        ({"trace_lowest": 40, "post_now": 1}, [1, 0, 0, 0]),
        ({"trace_highest": 39, "post_now": 1}, [0, 1, 1, 1]),
        ({"trace_highest": 40, "post_now": 1}, [1, 1, 1, 1]),
        ({"trace_highest": 0}, [1, 1, 1, 1]),
    ]
    benches = [Bench(weights=[[0] * 4], states=dict(states)) for _ in cases]
    for bench, (gates, _) in zip(benches, cases, strict=True):
        bench.rule(0, gates, post_amount=40)
    run_all(benches, notes(0))
    for bench, (gates, expected) in zip(benches, cases, strict=True):
        assert bench.weights == [expected], gates


def test_neurons_beyond_the_rule_have_no_traces() -> None:
    bench = Bench(states={n: {"plasticity_spiked": 1} for n in (2, 3)})
    bench.rule(neurons=3, traces=1, post_amount=40)
    bench.run(notes())
    assert bench.traces == [(2, 40)]


def test_curves_of_targets() -> None:
    """Neurons 0 and 1 had a spike 5 steps ago; neuron 0 has one now, which `post_now` counts."""
    aged = {"plasticity_recent": MAX_AGE - 5}
    states = {0: {"plasticity_spiked": 1, **aged}, 1: aged}
    benches = [Bench(weights=[[0] * 4], states=dict(states)) for _ in range(2)]
    for now, bench in enumerate(benches):
        bench.rule(0, {"left": Factor.ONE, "right": Factor.POST_CURVE, "post_now": now})
        bench.curve({0: {"curve0": 7}, 5: {"curve0": 9}, MAX_AGE: {"curve0": -3}})
    run_all(benches, notes(0))
    assert [bench.weights for bench in benches] == [[[9, 9, -3, -3]], [[7, 9, -3, -3]]]


def test_factors() -> None:
    """Constant 3; traces of 16 and 40; curves; potentials of others, >> 2; and of the weight."""
    states = {
        n: {"plasticity_potential": [20, -7 & 0xFFFF, 4000, -4000 & 0xFFFF][n]} for n in range(4)
    }
    weight = [10, -10, 100, 0]
    cases = [
        ((Factor.CONSTANT, Factor.ONE), [3] * 4),
        ((Factor.PRE_TRACE, Factor.ONE), [16] * 4),
        ((Factor.PRE_CURVE, Factor.ONE), [-9] * 4),
        ((Factor.ONE, Factor.POST_CURVE), [7] * 4),
        ((Factor.THIRD, Factor.ONE), [5, -2, 255, -256]),
        ((Factor.THIRD, Factor.CONSTANT), [15, -6, 765, -768]),
        ((Factor.ABOVE, Factor.CONSTANT), [3 * (120 - w) for w in weight]),
        ((Factor.CONSTANT, Factor.BELOW), [3 * (w + 120) for w in weight]),
        ((Factor.WEIGHT, Factor.ONE), weight),
        ((Factor.BETWEEN, Factor.ONE), [(120 - w) * (w + 120) >> 8 for w in weight]),
        ((Factor.THIRD, Factor.WEIGHT), [50, 20, 25500, 0]),
    ]
    expected, benches = [], []
    for negative in (0, 1):
        for (left, right), products in cases:
            bench = Bench(weights=[[*weight]], states=dict(states))
            term = {"left": left, "right": right, "constant": 3, "negative": negative, "pre_now": 1}
            bench.rule(0, term, third=1, third_shift=2, lowest=-120, highest=120, pre_amount=16)
            bench.curve({0: {"curve0": -9}, MAX_AGE: {"curve0": 7}})
            signed = [-p if negative else p for p in products]
            clipped = [min(max(w + p, -120), 120) for w, p in zip(weight, signed, strict=True)]
            expected.append(((left, right, negative), [clipped]))
            benches.append(bench)
    run_all(benches, notes(0))
    for bench, (what, weights) in zip(benches, expected, strict=True):
        assert bench.weights == weights, what
    # LOAD of a third factor.
    assert bench.reads == [(2 + 2 + 1 + built(Targets(CONFIG)).third_latency + 4, 0)]


def test_two_terms_are_one_sum() -> None:
    """120 - 3, of which a quarter... is not known before both are added: 117 >> 4 = 7."""
    bench = Bench(weights=[[0, 1, 2, 3]])
    bench.rule(0, {"constant": 120}, {"constant": 3, "negative": 1}, shift=1)
    bench.run(notes(0))
    assert bench.weights == [[7, 8, 9, 10]]


@pytest.mark.parametrize("shift", range(4))
def test_rounding(shift: int) -> None:
    """Half of 2**F up, down, and by the random number of the synapse, negative ones alike."""
    bits = 4 * shift
    change = -37
    state, number, axons, index = 0x1234_5678, 5, range(18), 20
    keys = [axon | (index // 16) << 16 | number << 26 for axon in axons]
    random = mixed(state ^ np.array(keys, np.uint32)).tolist()
    benches = [Bench(weights=[[0] * 4 for _ in range(20)], random_state=state) for _ in Rounding]
    for rounding, bench in zip(Rounding, benches, strict=True):
        bench.rule(
            0,
            {"constant": change},
            shift=shift,
            rounding=rounding,
            number=number,
            index_base=index,
            axon_base=2,
            weight_base=2,
        )
    run_all(benches, notes(*(2 + axon for axon in axons)))
    for rounding, bench in zip(Rounding, benches, strict=True):
        for axon, lane in itertools.product(axons, range(4)):
            r = 0
            if bits and rounding is Rounding.NEAREST:
                r = 1 << bits - 1
            if bits and rounding is Rounding.STOCHASTIC:
                r = (random[axon] + ((index + lane) % 16 << bits - 4)) % (1 << bits)
            assert bench.weights[2 + axon][lane] == (change + r) >> bits, rounding


def test_a_sample_ends() -> None:
    """Rules of the end act in its last step only; then no axon is known, and t is 0."""
    bench = Bench(weights=words(20))
    bench.rule(at_end=1)
    bench.run(notes(4), notes(5), groups=())
    assert not bench.reads
    bench.run(notes(4), notes(5), ends=True, groups=())
    assert [word for _, word in bench.reads] == [4, 5]


def test_silent_axons_learn() -> None:
    """Axons 3 to 7 of the rule, of which 4 and 5 spiked, the former in the present step."""
    bench = Bench(weights=words(20))
    never = {"pre_gate": Gate.AGE, "pre_first": 2, "pre_last": MAX_AGE, "pre_now": 1}
    bench.rule(0, never, silent=1, axon_base=3, weight_base=3, sources=5)
    bench.run(notes(5, 4), notes(4))
    assert [word for _, word in bench.reads] == [3, 6, 7]


def test_silent_axons_have_no_traces() -> None:
    """Whatever would be left after 63 steps: axon 1 is added 60, and the others nothing."""
    bench = Bench(weights=[[0] * 4 for _ in range(3)])
    factors = {"left": Factor.PRE_TRACE, "right": Factor.ONE}
    bench.rule(0, factors, silent=1, sources=3, pre_amount=60)
    bench.curve({age: {"pre_decay": 256} for age in (1, MAX_AGE)})
    bench.run(notes(1), notes())
    assert bench.weights == [[0] * 4, [60] * 4, [0] * 4]


def test_two_rules() -> None:
    """The second rule has a list of its own."""
    bench = Bench(weights=words(64))
    bench.rule()
    bench.rule(1, {"constant": 10}, weight_base=30, axon_base=20, sources=5)
    bench.run([(1, 21), (0, 7), (1, 20)])
    assert [word for _, word in bench.writes] == [7, 31, 30]
    assert bench.weights[7] == [8, 38, 68, 98]
    assert bench.weights[30] == [40, 70, 100, 127]


def test_latencies() -> None:
    """The clocks that components state; those of a scan and of arithmetic are in its clocks."""
    bench = Bench(weights=words(20))
    bench.rule()
    bench.run(notes(1))
    ((read, _),), ((written, _),) = bench.reads, bench.writes
    assert read - SCAN == built(Axons(CONFIG)).latency
    assert written - read == built(Synapses(CONFIG)).latency + built(Queue(unsigned(4), 4)).latency
    assert built(Rules(CONFIG)).latency == 1
    slow = dataclasses.replace(CONFIG, lanes=1)
    assert built(Targets(slow)).third_latency == built(Targets(slow)).latency == 5


def test_the_queue_of_words() -> None:
    """Whatever comes and goes: the head is the oldest, as soon as there is one."""
    dut = FallThroughQueue(unsigned(12), 8)
    rng = np.random.default_rng(7)
    waiting: list[int] = []
    longest = 0

    async def bench(ctx: object) -> None:
        nonlocal longest
        for clock in range(2000):
            often = 0.9 if clock // 40 % 2 else 0.3
            push = len(waiting) < 8 and rng.random() < often
            pop = rng.random() < 0.5
            if push:
                waiting.append(clock)
            ctx.set(dut.push, push)
            ctx.set(dut.item, clock)
            ctx.set(dut.pop, pop)
            assert ctx.get(dut.valid) == bool(waiting)
            if waiting:
                assert ctx.get(dut.head) == waiting[0]
            longest = max(longest, len(waiting))
            if pop and waiting:
                waiting.pop(0)
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert longest == 8
