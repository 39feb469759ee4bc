"""Learn alone with fewer lanes of arithmetic than a word has: clocks and weights by hand."""

import dataclasses
import itertools

import numpy as np
import pytest
from learn_bench import CONFIG, Bench
from test_learn import SCAN, built, notes, words

from spikeloom.golden.random_numbers import mixed
from spikeloom.golden.spec import MAX_AGE, FabricConfig, Factor, Gate, Rounding
from spikeloom.hdl.core.learning.synapses import Synapses

TWO = dataclasses.replace(CONFIG, learn_lanes=2)
ONE = dataclasses.replace(CONFIG, learn_lanes=1)
PLANES = dataclasses.replace(TWO, eligibility=True)
PLANE = 24
ADDS = {"left": Factor.ELIGIBILITY, "right": Factor.ONE}


def test_a_word_takes_its_passes() -> None:
    """A word is read every 2 or 4 clocks; its last pass is 1 or 3 clocks later, and the write 8."""
    two_ports = dataclasses.replace(TWO, two_ports=True)
    for config, passes in ((TWO, 2), (ONE, 4), (two_ports, 2)):
        bench = Bench(config, weights=words(20))
        bench.rule()
        bench.run(notes(*range(9)))
        read = [SCAN + 4 + passes * n for n in range(9)]
        assert bench.reads == [(clock, word) for word, clock in enumerate(read)]
        assert bench.writes == [(clock + 7 + passes, word) for word, clock in enumerate(read)]
        assert built(Synapses(config)).latency == 6 + passes
        expected = [[weight + (n < 9) for weight in word] for n, word in enumerate(words(20))]
        assert bench.weights == expected
        assert bench.updates == 4 * 9


def test_entries_without_a_word_pass_meanwhile() -> None:
    """Words of axons 0, 1, 3, 4 and 8 to be changed, of 12: the second and fourth wait a clock.

    The first of the words is there 9 clocks later, when axon 8 has its read: it waits, too.
    """
    bench = Bench(TWO, weights=words(20))
    bench.rule(0, {"pre_gate": Gate.SPIKED})
    axons = [0, 1, 3, 4, 8]
    bench.run(notes(*range(12)), notes(*axons))
    # Stage 4 has axon e in clock e, and one later for each that waited before: 0, 2, 4, 6, 10.
    assert [(clock - SCAN - 4, word) for clock, word in bench.reads] == [
        (0, 0),
        (2, 1),
        (4, 3),
        (6, 4),
        (10, 8),
    ]
    assert [(clock - SCAN - 4, word) for clock, word in bench.writes] == [
        (9, 0),
        (11, 1),
        (13, 3),
        (15, 4),
        (19, 8),
    ]


def test_a_word_waits_for_the_port() -> None:
    """A pair of a plane's word and a weight's every 3 clocks; writes are 9 clocks after the latter.

    That of the first pair would be in the clock in which the fourth weight is read.
    """
    memory = [[n - 2 * lane for lane in range(4)] for n in range(64)]
    bench = Bench(PLANES, weights=[list(word) for word in memory])
    bench.rule(0, ADDS, plane=1, plane_base=PLANE)
    bench.run(notes(*range(5)))
    reads = [(3 * n + half, PLANE + n if half == 0 else n) for n in range(5) for half in (0, 1)]
    assert [(clock - SCAN - 4, word) for clock, word in bench.reads] == reads
    written = [11, 14, 16, 19, 22]
    assert [(clock - SCAN - 4, word) for clock, word in bench.writes] == [
        (clock, word) for word, clock in enumerate(written)
    ]
    for n in range(5):
        pair = zip(memory[n], memory[n + PLANE], strict=True)
        assert bench.weights[n] == [w + e for w, e in pair]


@pytest.mark.parametrize("config", [TWO, ONE], ids=["two lanes", "one lane"])
def test_each_lane_learns_from_its_own_neuron(config: FabricConfig) -> None:
    """Third factors, windows, weights and random numbers of each lane; curves of each axon.

    Even axons spike in both steps, and others in the second one alone.
    """
    potentials = [5, -7, 11, 20]
    states = {n: {"plasticity_potential": p & 0xFFFF} for n, p in enumerate(potentials)}
    state, index = 0x1234_5678, 20
    keys = [state ^ (axon | index // 16 << 16) for axon in range(12)]
    random = mixed(np.array(keys, np.uint32)).tolist()
    terms = (
        {"left": Factor.CONSTANT, "right": Factor.THIRD, "constant": 99, "upper": 11},
        {"left": Factor.PRE_CURVE, "right": Factor.ABOVE, "negative": 1},
    )
    bench = Bench(config, weights=words(12), states=states, random_state=state)
    fields = {"third": 1, "shift": 2, "rounding": Rounding.STOCHASTIC, "index_base": index}
    bench.rule(0, *({**term, "pre_gate": Gate.SPIKED} for term in terms), highest=100, **fields)
    bench.curve({1: {"curve1": 30}, MAX_AGE: {"curve1": -33}})
    bench.run(notes(*range(0, 12, 2)), notes(*range(12)))
    expected = words(12)
    for step, axons in enumerate((range(0, 12, 2), range(12))):
        for axon, lane in itertools.product(axons, range(4)):
            weight, potential = expected[axon][lane], potentials[lane]
            curve = 30 if step and axon % 2 == 0 else -33
            total = 99 * potential * (potential <= 11) - curve * (100 - weight)
            total += (random[axon] + ((index + lane) % 16 << 4)) % 256
            expected[axon][lane] = min(weight + (total >> 8), 100)
    assert bench.weights == expected
