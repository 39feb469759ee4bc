"""Learning in the cycle-level model: clocks and weights by hand, from hardware.md."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from by_hand import Probe, clocks_of, event, image, mark, play

from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.spec import (
    MAX_AGE,
    FabricConfig,
    Factor,
    Gate,
    LoadTarget,
    ReadTarget,
    Rounding,
)

CONFIG = FabricConfig(
    lanes=4,
    neurons=8,
    weight_words=64,
    slots=2,
    axons=32,
    populations=4,
    connections=4,
    queue=8,
    plasticity=True,
    rules=2,
    plastic_axons=32,
    stamp_bits=8,
)
AXON, TRACE = CONFIG.axon_row, 8
ALWAYS = {"pre_gate": Gate.ALWAYS, "post_gate": Gate.ALWAYS, "lower": -32768, "upper": 32767}
ALWAYS |= {"trace_highest": 255, "left": Factor.CONSTANT}
UP = {**ALWAYS, "constant": 1}
"""Every synapse that is looked at gets 1 more."""
RULE = {"groups": 1, "sources": 20, "neurons": 4, "lowest": -128, "highest": 127}
RULE |= {"rounding": Rounding.FLOOR}
PLASTIC = {"plastic": 1, "sources": 20, "groups": 1, "synapses": 4}
NEURONS = {"neurons": 4, "retain": 0, "spiking": 1, "plasticity": 1, "plasticity_always": 1}
NEURONS |= {"threshold": 32767, "number": 1}


def loaded(config: FabricConfig = CONFIG, learning: int = 1, **rows: Any) -> MemoryImage:
    """An image with a rule that looks at every neuron after every step."""
    rows = {
        "connections": [PLASTIC],
        "populations": [NEURONS],
        "rules": [RULE],
        "terms": [UP],
        **rows,
    }
    return image(config, learn=[learning], **rows)


CLEARED = CONFIG.plastic_axons
"""Clocks of CLEAR, which the LEARN word begins."""


def run(image: MemoryImage, *steps: Sequence[int], ends: bool = False) -> list[Probe]:
    """The probes from after CLEAR to the last STEP packet, and of the CLEAR after it if `ends`.

    Each of `steps` has the axons that spike in it.
    """
    words = []
    for number, axons in enumerate(steps):
        words += [event(CONFIG, index=axon) for axon in axons]
        left = len(steps) - 1 - number
        words.append(mark(CONFIG, first=number == 0, ahead=min(left, 1) if ends else 1))
    waits = [True] * CLEARED + [False] * 10_000
    return play(image, words, 10_000, gaps=waits, packets=len(steps))[CLEARED:]


def after(probes: Sequence[Probe], name: str) -> list[int]:
    """The clocks in which `name` is 1, counted from two before the last RULE 0.

    That is from `learn`, or, if notes waited then, from the write of the last one.
    """
    notes = [clock for clock in clocks_of(probes, "0.axon.write") if probes[clock]["0.axon.data"]]
    learn = max([*clocks_of(probes, "learn.valid")[-1:], *notes[-1:]])
    return [clock - learn for clock in clocks_of(probes, name) if clock >= learn]


def writes(probes: Sequence[Probe], memory: str) -> list[tuple[int, int]]:
    """Address and data of each write."""
    return [
        (probe[f"0.{memory}.address"], probe[f"0.{memory}.data"])
        for probe in probes
        if probe[f"0.{memory}.write"]
    ]


def lanes(word: int) -> list[int]:
    return list(CONFIG.weight_row.unpack(word).values())


def words_written(probes: Sequence[Probe]) -> dict[int, list[int]]:
    return {address: lanes(word) for address, word in writes(probes, "weight_write")}


def axon_row(valid: int, stamp: int = 0, before: int = 0, trace: int = 0) -> int:
    return AXON.pack({"valid": valid, "stamp": stamp, "before": before, "trace": trace})


def test_clear_writes_every_row_of_axon() -> None:
    probes = play(loaded(), [], CLEARED + 5)
    assert clocks_of(probes, "0.axon.write") == [*range(CLEARED)]
    assert writes(probes, "axon") == [(row, 0) for row in range(CLEARED)]


def test_a_step_without_a_rule() -> None:
    """LEARN, then due; RULE, SETUP and NEXT of both rules, END; idle, and so in the register."""
    probes = run(loaded(rules=()), [])
    assert after(probes, "host_out.valid") == [2 + 2 * 3 + 1 + 2]
    assert probes[clocks_of(probes, "learn.valid")[0]]["learn.payload"] == 0
    ended = run(loaded(rules=()), [], ends=True)
    assert probes[-1]["counters.updates.0"] == 0
    assert after(ended, "host_out.valid") == after(probes, "host_out.valid")
    assert ended[clocks_of(ended, "learn.valid")[0]]["learn.payload"] == 1


def test_learning_off_costs_nothing() -> None:
    """The clocks of a fabric that cannot learn, also after a run that learned."""
    plain = dataclasses.replace(CONFIG, plasticity=False)
    rows = {name: value for name, value in PLASTIC.items() if name != "plastic"}
    neurons = {name: value for name, value in NEURONS.items() if "plasticity" not in name}
    steps = [[0, 3, 0], [], [1]]
    words = []
    for axons in steps:
        words += [event(plain, index=axon) for axon in axons] + [mark(plain, 1)]
    without = play(image(plain, connections=[rows], populations=[neurons]), words, 999, packets=3)
    off = play(loaded(learning=0), words, 999, packets=3)
    assert [probe["host_out.valid"] for probe in off] == [
        probe["host_out.valid"] for probe in without
    ]
    assert not clocks_of(off, "learn.valid")
    assert not clocks_of(off[CLEARED:], "0.axon.write")


def test_a_note_takes_four_clocks() -> None:
    """In D a clock after the event, in the queue, its head two clocks later; NOTE1 to NOTE3."""
    probes = run(loaded(), [2, 1, 2, 2, 3])
    assert clocks_of(probes, "0.event.valid")[0] == 0
    # 2 and 1 take REST and three clocks; the second and third 2 REST, NOTE1 and NOTE2.
    assert clocks_of(probes, "0.axon.write") == [6, 10, 20]
    assert writes(probes, "axon") == [(axon, axon_row(1, 0, MAX_AGE, 0)) for axon in (2, 1, 3)]


def test_stamps_ages_and_traces_of_axons() -> None:
    decays = [{"pre_decay": 256 - 64 * age} for age in range(5)]
    rule = {**RULE, "groups": 0, "pre_amount": 200}
    for nearest, expected in (
        # 200 a step ago leaves 150; 255 of it, three steps ago, 63.
        (0, [(0, 63, 0), (1, 1, 150), (4, 3, 63)]),
        (1, [(0, 63, 0), (1, 1, 150), (4, 3, 50)]),
    ):
        base = loaded(rules=[{**rule, "nearest_pre": nearest}], curves=decays)
        probes = run(base, [5], [5], [], [], [5])
        rows = [(5, axon_row(1, *fields)) for fields in expected]
        assert writes(probes, "axon") == rows


def test_a_full_queue_holds_events_back() -> None:
    """A push a clock, a pop in 4: 16 in clock 22, and from then on one event in 4 clocks."""
    probes = run(loaded(), [*range(20), *range(12)])
    taken = [
        clock
        for clock, probe in enumerate(probes)
        if probe["0.event.valid"] and probe["0.event.ready"]
    ]
    assert taken[:20] == [*range(20)]
    probes = run(loaded(connections=[{**PLASTIC, "sources": 32}]), [*range(32)])
    taken = [
        clock
        for clock, probe in enumerate(probes)
        if probe["0.event.valid"] and probe["0.event.ready"]
    ]
    assert taken == [*range(23), *range(25, 25 + 4 * 9, 4)]
    # The last note is popped 4 clocks after the one before, and LEARN waits for it.
    assert len(clocks_of(probes, "0.axon.write")) == 32
    assert clocks_of(probes, "0.axon.write")[-1] == 6 + 4 * 31


def test_events_that_are_dropped_are_not_noted() -> None:
    probes = run(loaded(), [25, 20, 19])
    assert [axon for axon, _ in writes(probes, "axon")] == [19]
    assert probes[-1]["counters.errors.0"] == 2


def test_one_group() -> None:
    """RULE, SETUP, GROUP, LOAD of lanes + 4, SCAN; a word is written 6 clocks after it is read."""
    weights = [[n, -n, 2 * n, 127] for n in range(20)]
    probes = run(loaded(weights=weights), [7, 4, 19])
    scan = 2 + 3 + (4 + 4)
    assert after(probes, "0.weight_read.valid") == [scan + 4, scan + 5, scan + 6]
    assert after(probes, "0.weight_write.write") == [scan + 13, scan + 14, scan + 15]
    read = [p["0.weight_read.address"] for p in probes if p["0.weight_read.valid"]]
    assert read == [7, 4, 19]
    assert words_written(probes) == {n: [n + 1, 1 - n, 2 * n + 1, 127] for n in read}
    # DRAIN sees the last word gone; GROUP, NEXT, and the other rule; END, and two clocks to see it.
    assert after(probes, "host_out.valid") == [scan + 16 + 2 + 3 + 1 + 3]
    # The lane at its bound counts, too: the term applied.
    assert probes[-1]["counters.updates.0"] == 12
    learn = clocks_of(probes, "learn.valid")[0]
    first = [p["counters.updates.0"] for p in probes].index(4)
    assert first == learn + scan + 5


def test_a_group_that_nothing_touches() -> None:
    """No rule is looked at; and of a touched group without an open gate no word is read."""
    quiet = {**NEURONS, "plasticity_always": 0, "plasticity_on_spike": 1}
    probes = run(loaded(populations=[quiet]), [1])
    assert after(probes, "host_out.valid") == [2 + 1 + 2]
    nothing = 2 + 3 + 2 + 3 + 1 + 2
    closed = run(loaded(terms=[{**UP, "post_gate": Gate.SPIKED}]), [1])
    assert after(closed, "host_out.valid") == [nothing + 4 + 4]
    assert not clocks_of(closed, "0.weight_read.valid")
    # Loaded, and scanned, but no axon spiked.
    scanned = run(loaded(), [])
    assert after(scanned, "host_out.valid") == [nothing + 4 + 4 + 1 + 1]


def test_a_group_is_touched_in_the_step_of_the_spike() -> None:
    """Not in the next one, and not in a run without learning before."""
    neurons = {**NEURONS, "plasticity_always": 0, "plasticity_on_spike": 1, "threshold": 5}
    base = loaded(populations=[neurons], weights=[[9, 0, 0, 0]])
    probes = run(base, [0], [])
    read = clocks_of(probes, "0.weight_read.valid")
    assert len(read) == 1
    learns, steps = clocks_of(probes, "learn.valid"), clocks_of(probes, "host_out.valid")
    assert read[0] < steps[0] < learns[1]
    nothing = 2 + 1 + 2
    assert steps[1] - learns[1] == nothing

    model = CycleModel(CONFIG)
    model.load(base)
    learn = CONFIG.load.pack({"target": LoadTarget.LEARN, "data": 0})
    model.clock(load=learn)
    model.run([event(CONFIG), mark(CONFIG, 1, 1)])
    assert model.tiles[0].fire.spikes == 1
    model.clock(load=learn | CONFIG.load.pack({"data": 1}))
    for _ in range(CLEARED):
        model.clock()
    clocks = [clock for clock, _ in model.run([mark(CONFIG, 0, 1), mark(CONFIG, 0, 1)])]
    model.clock(load=learn)
    without = [clock for clock, _ in model.run([mark(CONFIG, 0, 1), mark(CONFIG, 0, 1)])]
    # `learn` is where the packet would have been.
    assert clocks == [without[0] + nothing, without[1] + 2 * nothing]


@pytest.mark.parametrize("age", [0, 1, 2])
def test_a_group_is_touched_when_its_last_spike_has_an_age(age: int) -> None:
    """Age 0 stands for none."""
    neurons = {**NEURONS, "plasticity_always": 0, "plasticity_at_age": age, "threshold": 5}
    probes = run(loaded(populations=[neurons], weights=[[9, 0, 0, 0]]), [0], [], [], [])
    steps = clocks_of(probes, "host_out.valid")
    reads = clocks_of(probes, "0.weight_read.valid")
    assert [sum(step < read for step in steps) for read in reads] == ([age] if age else [])


def test_learn_waits_for_every_event() -> None:
    """An event of 16 groups that is due in the next step is in X for 16 clocks."""
    config = dataclasses.replace(CONFIG, neurons=64, weight_words=512)
    rows = [{**PLASTIC, "groups": 16, "synapses": 64}]
    base = loaded(config, connections=rows, populations=[{**NEURONS, "neurons": 0}])
    waits = [True] * CLEARED + [False] * 999
    words = [event(config, ahead=1), mark(config, 1, 1)]
    probes = play(base, words, 999, gaps=waits, packets=1)[CLEARED:]
    assert clocks_of(probes, "0.event.valid") == [0]
    # W, D, 16 clocks of X; that it is gone is seen two clocks later, and LEARN is the next.
    assert clocks_of(probes, "learn.valid") == [1 + 16 + 3]


def test_all_words_changed() -> None:
    """8 words are read, then one is written and one read in turn: 2 clocks a word."""
    probes = run(loaded(), [*range(16)])
    scan = 13
    read = [*range(4, 12), *range(14, 29, 2)]
    assert after(probes, "0.weight_read.valid") == [scan + clock for clock in read]
    written = [*range(13, 28, 2), *range(29, 36), 37]
    assert after(probes, "0.weight_write.write") == [scan + clock for clock in written]
    assert after(probes, "host_out.valid") == [scan + 38 + 2 + 3 + 1 + 3]


def test_all_words_changed_through_two_ports() -> None:
    """A word is read in every clock, and written 8 later."""
    probes = run(loaded(dataclasses.replace(CONFIG, two_ports=True)), [*range(16)])
    scan = 13
    assert after(probes, "0.weight_read.valid") == [scan + 4 + n for n in range(16)]
    assert after(probes, "0.weight_write.write") == [scan + 12 + n for n in range(16)]
    assert after(probes, "host_out.valid") == [scan + 28 + 2 + 3 + 1 + 3]
    assert words_written(probes) == {axon: [1] * 4 for axon in range(16)}


@pytest.mark.parametrize(("lanes", "two_ports"), [(2, False), (1, False), (2, True)])
def test_words_that_take_passes(lanes: int, two_ports: bool) -> None:
    """A word in as many clocks as it has passes, and its write 8 after the last one's clock."""
    config = dataclasses.replace(CONFIG, learn_lanes=lanes, two_ports=two_ports)
    probes = run(loaded(config), [*range(16)])
    scan, passes = 13, 4 // lanes
    read = [scan + 4 + passes * word for word in range(16)]
    assert after(probes, "0.weight_read.valid") == read
    assert after(probes, "0.weight_write.write") == [clock + 7 + passes for clock in read]
    assert words_written(probes) == dict.fromkeys(range(16), [1] * 4)
    assert after(probes, "host_out.valid") == [read[-1] + 7 + passes + 1 + 2 + 3 + 1 + 3]


def test_words_of_planes_that_take_passes() -> None:
    """A plane's word and then the weight's every 3 clocks; a write waits while they are read."""
    config = dataclasses.replace(CONFIG, learn_lanes=2, eligibility=True)
    adds = {**ALWAYS, "left": Factor.ELIGIBILITY, "right": Factor.ONE}
    rule = {**RULE, "plane": 1, "plane_base": 32}
    weights = [[1, 2, 3, n] for n in range(52)]
    probes = run(loaded(config, rules=[rule], terms=[adds], weights=weights), [*range(5)])
    scan = 13
    pairs = [scan + 4 + 3 * word + half for word in range(5) for half in range(2)]
    assert after(probes, "0.weight_read.valid") == pairs
    # The first word is there with the read of the fourth weight, the second with that of the fifth.
    written = [11, 14, 16, 19, 22]
    assert after(probes, "0.weight_write.write") == [scan + 4 + clock for clock in written]
    assert words_written(probes) == {n: [2, 4, 6, 2 * n + 32] for n in range(5)}


def test_few_words_changed() -> None:
    """3 of 10 entries have a word: no entry waits."""
    ages = {"pre_gate": Gate.AGE, "pre_first": 1, "pre_last": 1, "pre_now": 1}
    often = [0, 7, 9, 12, 13, 14]
    probes = run(loaded(terms=[{**UP, **ages}]), often, [n for n in range(20) if n not in often])
    scan = 13
    # ACTIVE has the axons of the first step first.
    assert after(probes, "0.weight_read.valid") == [scan + 4 + n for n in range(6)]
    assert after(probes, "0.weight_write.write") == [scan + 13 + n for n in range(6)]
    assert after(probes, "host_out.valid") == [scan + 20 + 4 + 1 + 2 + 3 + 1 + 2]
    assert sorted(words_written(probes)) == often


def test_silent_axons() -> None:
    silent = {**RULE, "silent": 1, "axon_base": 3, "weight_base": 2, "sources": 5}
    row = {**PLASTIC, "axon_base": 3, "weight_base": 2, "sources": 5}
    ages = {"pre_gate": Gate.AGE, "pre_first": MAX_AGE, "pre_last": MAX_AGE, "pre_now": 1}
    base = loaded(rules=[silent], connections=[row], terms=[{**UP, **ages}])
    probes = run(base, [1, 4])
    # Words 2..6; axons 1 and 4 of the connection spiked.
    assert words_written(probes) == dict.fromkeys((2, 4, 5), [1] * 4)
    assert [axon for axon, _ in writes(probes, "axon")] == [4, 7]


def test_at_the_end_of_a_sample() -> None:
    quiet = {**NEURONS, "plasticity_always": 0}
    base = loaded(rules=[{**RULE, "at_end": 1}], populations=[quiet])
    probes = run(base, [1], [2], [3], ends=True)
    learns = clocks_of(probes, "learn.valid")
    steps = clocks_of(probes, "host_out.valid")
    assert [probes[clock]["learn.payload"] for clock in learns] == [0, 0, 1]
    assert [steps[n] - learns[n] for n in range(2)] == [2 + 1 + 2] * 2
    assert words_written(probes[: learns[2]]) == {}
    assert words_written(probes[learns[2] :]) == dict.fromkeys((1, 2, 3), [1] * 4)


def test_a_sample_begins_with_no_axon_known() -> None:
    """CLEAR goes on while the next sample runs, and notes wait for it."""
    base = loaded()
    words = [event(CONFIG, index=3), mark(CONFIG, 1), event(CONFIG, index=4), mark(CONFIG, 1)]
    probes = play(base, words, 999, packets=2)
    # Not before the first CLEAR is over: REST, and three clocks.
    noted = [
        clock
        for clock, row in zip(
            clocks_of(probes, "0.axon.write"), writes(probes, "axon"), strict=True
        )
        if row[1]
    ]
    assert noted[0] == CLEARED + 3
    learn = clocks_of(probes, "learn.valid")
    assert learn[0] > noted[0] or probes[learn[0]]["host_out.valid"] == 0
    step = clocks_of(probes, "host_out.valid")[0]
    again = [clock for clock in clocks_of(probes, "0.axon.write") if clock > noted[0]]
    assert again[:CLEARED] == [*range(step - 2, step - 2 + CLEARED)]
    assert noted[1] == step - 2 + CLEARED + 3
    assert words_written(probes[step:]) == {4: [1] * 4}


def test_third_factor() -> None:
    """Its walk goes on where the first ends: 2 * lanes + 1 is the last clock of LOAD if later."""
    assert 2 * CONFIG.lanes + 1 > CONFIG.lanes + 3
    third = {**NEURONS, "neuron_base": 4, "sum_base": 2, "number": 2}
    rule = {**RULE, "third": 1, "third_base": 4, "third_shift": 2}
    term = {**ALWAYS, "left": Factor.THIRD, "right": Factor.ONE}
    biases = [0] * 4 + [-5, 7, 3000, -3000]
    base = loaded(
        rules=[rule], terms=[term], populations=[{**NEURONS, "more": 1}, third], biases=biases
    )
    probes = run(base, [6])
    scan = 2 + 3 + (2 * 4 + 2)
    assert after(probes, "0.weight_read.valid") == [scan + 4]
    assert words_written(probes) == {6: [-2, 1, 127, -128]}


def test_two_rules_take_turns() -> None:
    """The second sees what the first has written; each has its own weights and axons."""
    second = {**RULE, "weight_base": 20, "axon_base": 20, "sources": 5, "neuron_base": 4}
    rows = [PLASTIC, {**PLASTIC, "rule": 1, "weight_base": 20, "axon_base": 20, "sources": 5}]
    more = {**NEURONS, "neuron_base": 4, "sum_base": 2, "number": 2}
    base = loaded(
        rules=[RULE, second],
        terms=[UP, {}, {**UP, "negative": 1, "constant": 5}, UP],
        connections=rows,
        populations=[{**NEURONS, "more": 1}, more],
    )
    words = [event(CONFIG, index=9), event(CONFIG, 1, index=2), mark(CONFIG, 1, 1)]
    probes = play(base, words, 999, packets=1)
    # A term that is not there never applies.
    assert words_written(probes) == {9: [1] * 4, 22: [-4] * 4}
    first, other = after(probes, "0.weight_read.valid")
    # A scan of one entry; DRAIN; GROUP, NEXT, RULE, SETUP, GROUP, LOAD.
    assert other - first == 10 + 5 + 8 + 1 + 4


def test_several_groups() -> None:
    """Words of the next group lie `sources` further on; the last group has two neurons."""
    neurons = {**NEURONS, "neurons": 6}
    rule = {**RULE, "groups": 2, "neurons": 6}
    row = {**PLASTIC, "groups": 2, "synapses": 6}
    base = loaded(rules=[rule], connections=[row], populations=[neurons])
    probes = run(base, [11])
    assert words_written(probes) == {11: [1] * 4, 31: [1, 1, 0, 0]}
    assert probes[-1]["counters.updates.0"] == 6


def test_traces_of_targets() -> None:
    """Neuron 1 spikes in steps 0 and 2; its trace is written when it does, in stage 3."""
    decays = [{"post_decay": 256 - 64 * age} for age in range(5)]
    rule = {**RULE, "traces": 1, "post_amount": 200, "shift": 1}
    term = {**ALWAYS, "left": Factor.POST_TRACE, "right": Factor.ONE, "post_now": 1}
    neurons = {**NEURONS, "threshold": 5, "v_reset": 0}
    weights = [[0, 10, 0, 0]]
    base = loaded(rules=[rule], terms=[term], curves=decays, populations=[neurons], weights=weights)
    probes = run(base, [0], [], [0])
    learns = clocks_of(probes, "learn.valid")
    load = 2 + 3
    assert clocks_of(probes, "0.trace.write") == [learns[n] + load + 1 + 3 for n in (0, 2)]
    # Two steps later 100 is left of 200, and 255 is the most.
    assert writes(probes, "trace") == [(1, 200), (1, 255)]
    changes = [lanes(word)[1] for _, word in writes(probes, "weight_write")]
    assert changes == [10 + 12, 22 + 9, 31 + 15]  # 200, 150 and 255, / 16


def test_stochastic_rounding_by_hand() -> None:
    """The dither of the lanes is 1/16 of 2**F, from the number of the axon, group and rule."""
    rule = {**RULE, "shift": 1, "rounding": Rounding.STOCHASTIC, "number": 3, "index_base": 20}
    base = loaded(rules=[rule], terms=[{**UP, "constant": 5}], random=[0x12345678])
    probes = run(base, [9])

    def mixed(x: int) -> int:
        x = (x + x * 128) % 2**32
        x ^= x // 512
        x = (x + x * 1024) % 2**32
        x ^= x // 2**15
        x = (x + x * 32) % 2**32
        return x ^ x // 2**8 ^ x // 2**16 ^ x // 2**24

    number = mixed((0x12345678 | 2**31) ^ (9 + (1 << 16) + (3 << 26)))
    expected = [(5 + (number + 4 + lane) % 16) // 16 for lane in range(4)]
    assert words_written(probes) == {9: expected}


def test_learned_weights_are_added_and_read() -> None:
    base = loaded(weights=[[1, 2, 3, 4]])
    model = CycleModel(CONFIG)
    model.load(base)
    model.run([event(CONFIG), mark(CONFIG, 1, 1), event(CONFIG), mark(CONFIG)])
    assert model.row(ReadTarget.WEIGHT, 0, 0) == 0x06_05_04_03
    assert model.counters["updates.0"] == 8
    states = [model.tiles[0].fire.states[n] for n in range(4)]
    assert states == [2, 3, 4, 5]  # nothing is left of the step before


@pytest.mark.parametrize(
    ("factor", "changed"),
    [
        (Factor.ABOVE, [100 - w for w in (50, -20, 0, 100)]),
        (Factor.BELOW, [w + 20 for w in (50, -20, 0, 100)]),
        (Factor.WEIGHT, [50, -20, 0, 100]),
        (Factor.BETWEEN, [50 * 70 // 256, 0, 100 * 20 // 256, 0]),
    ],
)
def test_factors_of_the_weight(factor: Factor, changed: list[int]) -> None:
    weights = [50, -20, 0, 100]
    config = dataclasses.replace(CONFIG, quadratic_bounds=True)
    rule = {**RULE, "lowest": -20, "highest": 100, "shift": 1, "rounding": Rounding.NEAREST}
    base = loaded(
        config, rules=[rule], terms=[{**UP, "constant": 3, "right": factor}], weights=[weights]
    )
    probes = run(base, [0])
    expected = [
        min(max(w + (3 * c + 8) // 16, -20), 100) for w, c in zip(weights, changed, strict=True)
    ]
    assert words_written(probes) == {0: expected}


@pytest.mark.parametrize("two_ports", [False, True])
def test_a_plane_of_eligibilities(two_ports: bool) -> None:
    """A word and its plane are read one after the other; with 8 on their way they wait, if the port
    is the only one.
    """
    config = dataclasses.replace(CONFIG, eligibility=True, two_ports=two_ports)
    plane = [[axon, -axon, 0, 100] for axon in range(10)]
    base = loaded(
        config,
        rules=[{**RULE, "plane": 1, "plane_base": 32}],
        terms=[{**UP, "right": Factor.ELIGIBILITY, "constant": 2}],
        weights=[[1, 1, 1, 1]] * 32 + plane,
    )
    probes = run(base, [*range(10)])
    scan = 13
    read = [*range(4, 24)] if two_ports else [*range(4, 20), 21, 22, 24, 25]
    assert after(probes, "0.weight_read.valid") == [scan + clock for clock in read]
    addresses = [
        probes[clock]["0.weight_read.address"] for clock in clocks_of(probes, "0.weight_read.valid")
    ]
    assert addresses == [address for axon in range(10) for address in (32 + axon, axon)]
    written = [*range(13, 32, 2)] if two_ports else [20, 23, *range(26, 33), 34]
    assert after(probes, "0.weight_write.write") == [scan + clock for clock in written]
    assert words_written(probes) == {
        axon: [1 + 2 * axon, 1 - 2 * axon, 1, 127] for axon in range(10)
    }
    assert probes[-1]["counters.updates.0"] == 40
