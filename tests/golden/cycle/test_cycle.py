"""The cycle-level model against clocks derived by hand from docs/hardware.md and the step level."""

import dataclasses
import itertools
import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from by_hand import (
    PLAIN,
    SMALL,
    TO_HOST,
    Probe,
    Row,
    clocks_of,
    event,
    fabric_image,
    image,
    mark,
    packets,
    play,
    sums,
    tile_image,
    transfers,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_networks import PLAIN_RESETS

from spikeloom.golden.cycle import model, sequencer
from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.host import decode_packets, host_words
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import DECAY_ONE, FabricConfig, LoadTarget, PacketKind, Port, Reset
from spikeloom.golden.step.run import check_inputs, simulate
from spikeloom.mapping.plan import map_network

# Clock by clock, derived from docs/hardware.md.


def test_one_event_from_host_to_step_packet() -> None:
    config = SMALL
    loaded = image(
        config,
        weights=[[5, -7, 0, 0]],
        biases=[1, 2],
        populations=[
            {"number": 3, "index_base": 5, "neurons": 2, "threshold": 5, "v_reset": -3} | PLAIN
        ],
        connections=[{"sources": 1, "groups": 1, "synapses": 2}],
        targets=[TO_HOST],
    )
    probes = play(loaded, [event(config), mark(config, first=1)], 24)

    # 0   the event passes the sequencer and the arbiter into stage D
    # 1   D: goes to X; the step mark is taken
    # 2   X: issued. `lead` is 1; settle is 1 and becomes 0
    # 3   R: nothing is pending. Busy (of clock 2) is 1, by X: the sequencer stays in WAIT
    # 4   A: written. Busy (of clock 3) is 0: next START
    # 5   START: the command is taken
    # 6   LOOKUP
    # 7   SETUP
    # 8   WALK: the group begins (left becomes 0)
    # 9   WALK: left is 0. The row is fetched, and neuron 0 enters
    # 10  DRAIN: the row goes to the buffer. Neuron 1 enters
    # 11  0 is written to the row
    # 15  neuron 0 in its last stage: 5 + 1 > 5, so it spikes, and is reset to -3
    # 16  neuron 1 in it: -7 + 2 = -5. The spike is in the memory of the queue
    # 17  the spike is at the head: A. The pipeline is empty: next IDLE
    # 18  B
    # 19  C: the packet is transferred
    # 20  fire and emit are idle
    # 21  busy (of clock 20) is 0: next DONE
    # 22  DONE: the STEP packet is transferred
    # 23  WAIT: lead is 0
    assert clocks_of(probes, "host_in.valid") == [0, 1]
    assert clocks_of(probes, "host_in.ready") == [0, 1]
    assert clocks_of(probes, "0.event.valid") == [0]
    # No event comes while one is in D, so W stays empty and integrate is always ready.
    assert clocks_of(probes, "0.event.ready") == list(range(24))
    assert clocks_of(probes, "fire.valid") == [5]
    assert config.fire.unpack(probes[5]["fire.payload"]) == {
        "restart": 1,
        "first": 1,
        "ahead": 0,
        "slot": 0,
    }
    assert clocks_of(probes, "0.fetch.valid") == [9]
    assert clocks_of(probes, "0.sum.write") == [4, 11]
    assert sums(config, probes[4]) == [5, -7, 0, 0]
    assert sums(config, probes[11]) == [0, 0, 0, 0]
    assert clocks_of(probes, "0.state.write") == [15, 16]
    assert (probes[15]["0.state.address"], probes[15]["0.state.data"]) == (0, -3 % (1 << 16))
    assert (probes[16]["0.state.address"], probes[16]["0.state.data"]) == (1, -5 % (1 << 16))
    assert clocks_of(probes, "0.spike.valid") == [15]
    assert config.spike.unpack(probes[15]["0.spike.payload"]) == {
        "population": 3,
        "index": 5,
        "spiked": 1,
        "target_base": 0,
        "fan_out": 1,
        "readout": 0,
        "value": -3,
    }
    assert clocks_of(probes, "0.emit_host.valid") == [19]
    # Both streams of emit take their ready from the stream behind, even while others use it.
    assert clocks_of(probes, "0.emit_host.ready") == list(range(24))
    assert clocks_of(probes, "0.emit_event.ready") == list(range(24))
    assert clocks_of(probes, "host_out.valid") == [19, 22]
    assert config.host_out.unpack(probes[19]["host_out.payload"])["kind"] == PacketKind.SPIKE
    assert config.host_out.unpack(probes[22]["host_out.payload"])["kind"] == PacketKind.STEP
    assert clocks_of(probes, "0.emit_event.valid") == []
    assert [probe["counters.cycles"] for probe in probes] == list(range(24))
    # Counters change at the end of the clock: X issues in 2, the spike is pushed in 15.
    assert [probe["counters.synops.0"] for probe in probes] == [0] * 3 + [2] * 21
    assert [probe["counters.spikes.0"] for probe in probes] == [0] * 16 + [1] * 8


def test_two_phases_with_a_loop_event() -> None:
    # Population 0 (phase 0) spikes from its bias, its event reaches population 1 (phase 1) in the
    # same step. Each population has one neuron, at a group of its own.
    config = SMALL
    loaded = image(
        config,
        weights=[[9]],
        biases=[1, 0, 0, 0, 0],
        populations=[
            {"neurons": 1} | PLAIN,
            {
                "number": 1,
                "neurons": 1,
                "neuron_base": 4,
                "sum_base": config.slots,
                "retain": DECAY_ONE,
                "readout": 1,
            },
        ],
        connections=[{}, {"sources": 1, "sum_base": config.slots, "groups": 1, "synapses": 1}],
        targets=[{"route": 5, "connection": 1}],
        last_phase=1,
    )
    probes = play(loaded, [mark(config)], 42)

    # 0 the mark is taken, 1 WAIT (settle is 1), 2 WAIT, 3 START, 4 LOOKUP, 5 SETUP, 6 WALK: the
    # group begins, 7 fetch, and its neuron enters, 13 last stage, 14 the memory of the queue,
    # 15 head and A, 16 B, 17 C: the event is transferred. Fire: DRAIN ends in 14, IDLE in 15.
    # 18 D: pending, though emit is idle; 19 X: pending; 20 R, nothing pending; 21 A, and busy (of
    # clock 20) is 0: next START. 22 START, 23 LOOKUP, 24 SETUP, 25 WALK, 26 fetch, 32 last stage,
    # 33 memory, 34 A, 35 B, 36 C: the state packet. 37 idle, 38 seen, 39 DONE.
    assert clocks_of(probes, "fire.valid") == [3, 22]
    assert [config.fire.unpack(probes[n]["fire.payload"])["restart"] for n in (3, 22)] == [1, 0]
    assert clocks_of(probes, "0.fetch.valid") == [7, 26]
    assert [probes[n]["0.fetch.address"] for n in (7, 26)] == [0, config.slots]
    assert clocks_of(probes, "0.emit_event.valid") == clocks_of(probes, "0.event.valid") == [17]
    assert probes[17]["0.emit_event.payload"] == probes[17]["0.event.payload"]
    assert config.event.unpack(probes[17]["0.event.payload"]) == {
        "route": 5,
        "connection": 1,
        "index": 0,
        "slot": 0,
    }
    assert clocks_of(probes, "0.sum.write") == [9, 21, 28]
    assert sums(config, probes[21])[0] == 9
    assert clocks_of(probes, "0.state.write") == [13, 32]
    assert probes[32]["0.state.address"] == 4
    assert clocks_of(probes, "host_out.valid") == [36, 39]
    assert config.host_out.unpack(probes[36]["host_out.payload"]) == {
        "kind": PacketKind.STATE,
        "population": 1,
        "index": 0,
        "value": 9,
    }


def test_events_of_the_loop_go_before_those_of_the_host() -> None:
    # One neuron that spikes in step 0, to itself with a delay of 1, and input for step 1.
    config = SMALL
    loaded = image(
        config,
        weights=[[9], [5]],
        biases=[1],
        populations=[{"neurons": 1} | PLAIN],
        connections=[
            {"sources": 1, "groups": 1, "synapses": 1},
            {"weight_base": 1, "sources": 1, "groups": 1, "synapses": 1},
        ],
        targets=[{"route": 2, "connection": 0, "delay": 1}],
        window=1,
    )
    # The event of the loop is in C in 17, as above; the host's event is first offered in 17.
    gaps = [n in range(1, 17) for n in range(23)]
    words = [mark(config, ahead=1), event(config, connection=1, route=3)]
    probes = play(loaded, words, 23, gaps=gaps)
    assert clocks_of(probes, "host_in.valid") == [0, 17, 18]
    assert clocks_of(probes, "host_in.ready") == [0, 18]
    assert clocks_of(probes, "0.event.valid") == [17, 18]
    assert clocks_of(probes, "0.emit_event.valid") == [17]
    taken = [config.event.unpack(payload) for payload in transfers(probes, "0.event")]
    assert taken == [{"route": 2 + n, "connection": n, "index": 0, "slot": 1} for n in (0, 1)]
    # In X in 19 and 20, so written in 21 and 22.
    assert [sums(config, probes[n])[0] for n in (21, 22)] == [9, 14]


def three_groups() -> tuple[FabricConfig, MemoryImage]:
    """An axon whose events take three clocks each; input may run a step ahead."""
    config = dataclasses.replace(SMALL, neurons=12)
    loaded = image(
        config,
        weights=[[1]] * 3,
        populations=[{"neurons": 1}],
        connections=[{"sources": 1, "groups": 3, "synapses": 12}],
        window=1,
    )
    return config, loaded


def test_a_step_does_not_wait_for_events_of_later_steps() -> None:
    config, loaded = three_groups()
    probes = play(loaded, [event(config, ahead=1)] * 3 + [mark(config)], 20)
    # The mark is taken in 3. In 4 one event is in X (its groups are issued in 2, 3, 4), one in D,
    # one in W; all are for slot 1. In 5 settle is 0 and busy (of clock 4) too: START is in 6.
    assert clocks_of(probes, "0.event.ready")[:4] == [0, 1, 2, 5]
    assert clocks_of(probes, "fire.valid") == [6]


def test_the_last_slot_does_not_wait_for_events_of_the_first() -> None:
    config, loaded = three_groups()
    words = [*[mark(config)] * 2, *[event(config, ahead=1)] * 10, mark(config)]
    probes = play(loaded, words, 60)
    # When the mark of step 2 is taken, all that W, D and X hold is for slot 0: as above.
    taken = [n for n, p in enumerate(probes) if p["host_in.valid"] and p["host_in.ready"]]
    assert clocks_of(probes, "fire.valid")[2] == taken[-1] + 3


def test_a_step_waits_for_its_event_behind_those_of_later_steps() -> None:
    config, loaded = three_groups()
    probes = play(loaded, [event(config, ahead=1)] * 2 + [event(config), mark(config)], 24)
    # As above, but the one in W is for slot 0: in W in 3 and 4, in D in 5, 6 and 7, in X in 8, 9
    # and 10. Nothing is pending in 11, which is seen in 12.
    assert clocks_of(probes, "fire.valid") == [13]


def test_a_neuron_enters_the_pipeline_in_every_clock() -> None:
    # 7 neurons in groups of 4 and 3, which begin in 6 and 10: fetches 4 clocks apart, states in 7
    # clocks one after another.
    config = dataclasses.replace(SMALL, queue=8)
    loaded = image(config, populations=[{"neurons": 7}])
    probes = play(loaded, [mark(config)], 22)
    assert clocks_of(probes, "0.fetch.valid") == [7, 11]
    assert clocks_of(probes, "0.state.write") == list(range(13, 20))
    assert [probes[n]["0.state.address"] for n in range(13, 20)] == list(range(7))

    # With a queue of 4 the first row takes all credits. Its neurons give theirs back in clocks
    # 13 to 16, so there are 4 in clock 18, and `enough` in 19, in which the second begins.
    probes = play(image(SMALL, populations=[{"neurons": 7}]), [mark(SMALL)], 30)
    assert clocks_of(probes, "0.fetch.valid") == [7, 20]
    assert clocks_of(probes, "0.state.write") == [13, 14, 15, 16, 26, 27, 28]


def test_groups_of_one_neuron_begin_while_there_are_credits() -> None:
    # One lane, so that a group may begin in every clock; a queue of 3.
    config = FabricConfig(lanes=1, neurons=5, slots=2, queue=3)
    probes = play(image(config, populations=[{"neurons": 5}]), [mark(config)], 30)
    # In 6, 7 and 8 there are 3, 2 and 1 credits, and a group begins in each; in 8, as one begins
    # and there are no 2, `enough` becomes 0. Last stages in 13, 14, 15: a credit is there in 15, so
    # `enough` in 16; and 2 in 16, so that another group begins in 17.
    assert clocks_of(probes, "0.fetch.valid") == [7, 8, 9, 17, 18]
    assert clocks_of(probes, "0.state.write") == [13, 14, 15, 23, 24]


def test_rows_without_neurons_take_four_clocks() -> None:
    # LOOKUP, SETUP, WALK, DRAIN, for rows 0 and 2 as for an empty row that ends a phase.
    config = SMALL
    empty = {"more": 1}
    one = {"neurons": 1, "more": 1}
    loaded = image(config, populations=[empty, one, empty, {}])
    probes = play(loaded, [mark(config)], 40)
    # 3 START, 4..7 row 0, 8 LOOKUP, 9 SETUP, 10 the group begins, 11 fetch, 17 last stage, 18 DRAIN
    # sees the pipeline empty, 19..22 row 2, 23..26 row 3, 27 IDLE, 28 seen, 29 DONE.
    assert clocks_of(probes, "0.fetch.valid") == [11]
    assert clocks_of(probes, "0.state.write") == [17]
    assert clocks_of(probes, "host_out.valid") == [29]


def test_additions_to_one_row_are_forwarded() -> None:
    config = SMALL
    loaded = image(
        config,
        weights=[[1, 2, -3, 0]],
        connections=[{"sources": 1, "groups": 1, "synapses": 4}],
    )
    # Accepted in 0, D in 1, X in 2, R in 3, written in 4.
    probes = play(loaded, [event(config)] * 5, 10)
    assert clocks_of(probes, "0.sum.write") == [4, 5, 6, 7, 8]
    written = [sums(config, probe) for probe in probes[4:9]]
    assert written == [[n, 2 * n, -3 * n, 0] for n in (1, 2, 3, 4, 5)]

    # From the addition before last.
    probes = play(loaded, [event(config, ahead=n % 2) for n in range(6)], 11)
    assert clocks_of(probes, "0.sum.write") == list(range(4, 10))
    written = [sums(config, probe) for probe in probes[4:10]]
    assert written == [[n, 2 * n, -3 * n, 0] for n in (1, 1, 2, 2, 3, 3)]


def test_sums_wrap_lane_by_lane() -> None:
    config = FabricConfig(lanes=3, neurons=3, sum_bits=8)
    loaded = image(
        config,
        weights=[[127, -128, -1]],
        connections=[{"sources": 1, "groups": 1, "synapses": 3}],
    )
    probes = play(loaded, [event(config)] * 3, 8)
    assert [sums(config, probe) for probe in probes[4:7]] == [
        [127, -128, -1],
        [-2, 0, -2],
        [125, -128, -3],
    ]


def test_fetch_has_priority_over_additions() -> None:
    # One lane, so that a walk of 3 neurons fetches in 3 successive clocks. The first step has
    # no event, so it fires at once; the second step's event has 3 groups.
    config = FabricConfig(lanes=1, neurons=3, slots=2, queue=4)
    loaded = image(
        config,
        weights=[[10], [20], [30]],
        populations=[{"neurons": 3, "spiking": 0}],
        connections=[{"sources": 1, "groups": 3, "synapses": 3}],
        window=1,
    )
    # 0 the mark, 3 START, 4 LOOKUP, 5 SETUP, groups begin in 6, 7, 8, fetches in 7, 8, 9.
    # The event: transfers in 3 after two gaps, D in 4, X from 5: 5 and 6 issue groups 0 and 1, 7..9
    # stall, 10 issues the rest. A second event is in D from 5 until 10, so a third, taken in 5,
    # is in W until then. That in turn is in D from 11 until 13, when the second issues its last
    # group, and a fourth, taken in 11, in W.
    gaps = [False, True, True] + [False] * 27
    probes = play(loaded, [mark(config)] + [event(config)] * 4, 30, gaps=gaps)
    assert clocks_of(probes, "0.fetch.valid") == [7, 8, 9]
    taken = [n for n, p in enumerate(probes) if p["0.event.valid"] and p["0.event.ready"]]
    assert taken == [3, 4, 5, 11]
    assert clocks_of(probes, "0.event.ready") == [*range(6), 11, *range(14, 30)]
    assert [probe["counters.stalls.0"] for probe in probes[:11]] == [0] * 8 + [1, 2, 3]
    # Rows: group * 2 + slot. Writes are two clocks after their issue.
    writes = [
        (n, p["0.sum.address"], p["0.sum.data"]) for n, p in enumerate(probes) if p["0.sum.write"]
    ]
    slot_0 = [(9, 0, 0), (10, 2, 0), (11, 4, 0)]
    slot_1 = [(7, 1, 10), (8, 3, 20), (12, 5, 30), (13, 1, 20)]
    assert writes[:7] == sorted(slot_0 + slot_1)


def test_synops_are_counted_when_the_first_group_is_issued() -> None:
    # The fetches of the test above; an event of 3 groups that is in X from 7 on waits until 10.
    config = FabricConfig(lanes=1, neurons=3, slots=2, queue=4)
    loaded = image(
        config,
        weights=[[10], [20], [30]],
        populations=[{"neurons": 3, "spiking": 0}],
        connections=[{"sources": 1, "groups": 3, "synapses": 3}],
        window=1,
    )
    gaps = [n in (1, 2, 3, 4) for n in range(30)]
    probes = play(loaded, [mark(config)] + [event(config)] * 2, 16, gaps=gaps)
    assert clocks_of(probes, "0.fetch.valid") == [7, 8, 9]
    # The second event is in D from 7 until 12; its first group is issued in 13.
    assert clocks_of(probes, "0.event.valid") == [5, 6]
    assert [probe["counters.synops.0"] for probe in probes] == [0] * 11 + [3] * 3 + [6] * 2


def test_no_event_enters_x_in_a_stall() -> None:
    # As above, but each event has one group: X would be free in every clock without the fetches.
    config = FabricConfig(lanes=1, neurons=3, slots=2, queue=4)
    loaded = image(
        config,
        weights=[[10]],
        populations=[{"neurons": 3}],
        connections=[{"sources": 1, "groups": 1, "synapses": 1}],
        window=1,
    )
    probes = play(loaded, [mark(config)] + [event(config)] * 8, 14)
    assert clocks_of(probes, "0.fetch.valid") == [7, 8, 9]
    # The event of clock 7 goes into W, and from there into D when X issues again, in 10.
    assert clocks_of(probes, "0.event.ready") == [n for n in range(14) if n not in (8, 9, 10)]
    # Events from clock 1, additions written from 5; the fetches are written in 9, 10, 11.
    assert clocks_of(probes, "0.sum.write") == list(range(5, 14))
    assert [(p["0.sum.address"], p["0.sum.data"]) for p in probes if p["0.sum.write"]] == [
        *((1, 10), (1, 20), (1, 30), (1, 40)),
        *((0, 0), (2, 0), (4, 0)),
        *((1, 50), (1, 60)),
    ]
    assert probes[-1]["counters.stalls.0"] == 3


@pytest.mark.parametrize("pushes", [PLAIN, {"readout": 1}], ids=["spikes", "states"])
def test_fire_waits_for_credits(pushes: Row) -> None:
    # A queue of 4, rows of 4 neurons that all push, and a host that does not take packets before
    # clock 40: the second row cannot be fetched before 4 of them are popped.
    config = SMALL
    loaded = image(
        config,
        biases=[1] * 8,
        populations=[{"neurons": 8, **pushes}],
        targets=[TO_HOST],
    )
    ready = [n >= 40 for n in range(70)]
    probes = play(loaded, [mark(config)], 70, ready)
    # Pushed in 13..16; C holds the first from 17, B the second, the head is the third.
    # From clock 40 a packet goes in every clock. The third is popped to B in 40, the fourth in
    # 41: credits 2 + 2 are there in 43, and `enough` in 44, in which the second row's group begins.
    assert clocks_of(probes, "0.spike.valid")[:4] == [13, 14, 15, 16]
    assert clocks_of(probes, "host_out.valid")[0] == 17
    assert clocks_of(probes, "0.fetch.valid") == [7, 45]
    fields = [config.host_out.unpack(payload) for payload in transfers(probes, "host_out")]
    assert [packet["index"] for packet in fields[:-1]] == list(range(8))


def test_spikes_follow_each_other_without_bubbles() -> None:
    # Two targets: two beats a spike, one packet in every clock.
    config = SMALL
    loaded = image(
        config,
        biases=[1] * 4,
        populations=[{"neurons": 4, "readout": 1} | PLAIN],
        targets=[TO_HOST],
    )
    probes = play(loaded, [mark(config)], 40)
    fields = [config.host_out.unpack(payload) for payload in transfers(probes, "host_out")]
    assert [(packet["kind"], packet["index"]) for packet in fields] == [
        *((kind, n) for n in range(4) for kind in (PacketKind.SPIKE, PacketKind.STATE)),
        (PacketKind.STEP, 0),
    ]
    # Pushed from 13, so C from 17.
    assert clocks_of(probes, "0.emit_host.valid") == list(range(17, 25))


def test_late_events_are_dropped() -> None:
    # A neuron that spikes in every step, to itself with a delay of 1 and to another with 2.
    config = SMALL
    loaded = image(
        config,
        weights=[[0], [0]],
        biases=[1],
        populations=[{"neurons": 1} | PLAIN | {"fan_out": 2}],
        connections=[
            {"weight_base": n, "sources": 1, "groups": 1, "synapses": 1 + n} for n in range(2)
        ],
        targets=[{"connection": 0, "delay": 1}, {"connection": 1, "delay": 2}],
    )
    steps = 4
    words = [mark(config, int(t == 0), min(steps - 1 - t, 3)) for t in range(steps)]
    probes = play(loaded, words, 150)
    sent = [config.event.unpack(payload) for payload in transfers(probes, "0.emit_event")]
    # Delay 1: from steps 0, 1, 2; delay 2: from steps 0, 1. Three slots.
    assert [(e["connection"], e["slot"]) for e in sent] == [(0, 1), (1, 2), (0, 2), (1, 0), (0, 0)]
    assert probes[-1]["counters.synops.0"] == 3 * 1 + 2 * 2
    assert len(transfers(probes, "host_out")) == steps


def test_a_late_event_waits_for_c() -> None:
    # Beats of one spike: to the host (C, not taken), then late, then to the host again.
    config = SMALL
    loaded = image(
        config,
        biases=[1],
        populations=[{"neurons": 1} | PLAIN | {"fan_out": 3}],
        targets=[TO_HOST, {"delay": 1}, TO_HOST],
    )
    ready = [n >= 30 for n in range(40)]
    probes = play(loaded, [mark(config)], 40, ready)
    # A in 15 and 16; C is full from 17 on, and B holds the late event. In 30 the packet leaves C,
    # the late event B, and the third beat A: it is in B in 31, in C in 32. 33 idle, 34 seen,
    # 35 DONE.
    out = [n for n, p in enumerate(probes) if p["host_out.valid"] and p["host_out.ready"]]
    assert out == [30, 32, 35]
    assert clocks_of(probes, "host_out.valid") == [*range(17, 31), 32, 35]
    assert clocks_of(probes, "0.emit_event.valid") == []


def test_events_of_unused_connections_and_axons_are_dropped_and_counted() -> None:
    config = SMALL
    loaded = image(
        config,
        weights=[[1], [2]],
        populations=[{"neurons": 1, "readout": 1}],
        connections=[
            {"sources": 2, "groups": 1, "synapses": 1},
            {},
            {"sources": 2, "groups": 0, "synapses": 1},
        ],
    )
    words = [
        event(config, index=2),
        event(config, index=3),
        event(config, connection=1),
        event(config, connection=2),
        event(config, connection=3),
        event(config, index=1),
        mark(config),
    ]
    probes = play(loaded, words, 40)
    # Each takes one clock in D: accepted in 0..4, dropped in 1..5, counted at the end of 2..6.
    assert [probe["counters.errors.0"] for probe in probes[:9]] == [0, 0, 0, 1, 2, 3, 4, 5, 5]
    assert clocks_of(probes, "host_in.ready") == list(range(7))
    assert clocks_of(probes, "0.sum.write")[0] == 9
    assert probes[-1]["counters.synops.0"] == 1


def test_input_runs_ahead_as_far_as_the_window() -> None:
    config = SMALL
    loaded = image(config, populations=[{}], window=2)
    probes = play(loaded, [mark(config)] * 6, 80)
    # lead after clock 0, 1, 2 is 1, 2, 3: closed from 3 on. A step without neurons: WAIT in 1 and
    # 2, START in 3, 4..7 the row, 8 IDLE, 9 BUSY sees it, 10 DONE: lead is 2 in 11, open in 12.
    # Then 10 clocks a step.
    taken = [n for n, p in enumerate(probes) if p["host_in.ready"]]
    assert taken == [0, 1, 2, 12, 22, 32]
    assert clocks_of(probes, "host_out.valid") == [10 + 10 * n for n in range(6)]


def test_load_words_take_effect_in_the_next_clock() -> None:
    config = SMALL
    load = config.load
    weight = load.pack({"target": LoadTarget.WEIGHT, "address": 0, "data": 3})
    connection = load.pack(
        {
            "target": LoadTarget.CONNECTION,
            "address": 0,
            "data": config.connection_row.pack({"sources": 1, "groups": 1, "synapses": 1}),
        }
    )
    # Data beyond the row's width is cut off.
    control = load.pack(
        {
            "target": LoadTarget.CONTROL,
            "address": 5,
            "data": config.control_row.pack({"window": 1}) | 1 << config.control_row.width,
        }
    )
    nowhere = load.pack({"target": 7, "data": 1})
    model = CycleModel(config, trace=True)
    # The event of clock 0 reads the connection before it is written in clock 0; that of clock 1
    # after. That one presents its weight in clock 3, in which it is written, so its
    # addition is unspecified; the next in clock 4. They are written in 5 and 6.
    probes = []
    for clock, word in enumerate([connection, None, None, weight, nowhere, None, None, None]):
        probe = model.clock(event(config) if clock < 3 else None, load=word)
        probes.append(config.probe.unpack(probe))
    assert clocks_of(probes, "0.sum.write") == [5, 6]
    assert sums(config, probes[6])[0] == sums(config, probes[5])[0] + 3
    assert model.counters["errors.0"] == 1
    assert model.counters["synops.0"] == 2

    # With a window of 0 a second mark waits. In the clock after the control word it is looked at
    # with the new window, and taken in the next one.
    model.clock(mark(config))
    assert model.host_in_taken
    for word, taken in ((control, False), (None, False), (None, True)):
        model.clock(mark(config), load=word)
        assert model.host_in_taken == taken


PAIR = dataclasses.replace(SMALL, columns=2)


def test_two_tiles_from_host_to_step_packet() -> None:
    # As the test with one event above, with the neurons in tile 1 and nothing in tile 0. D is 1.
    config = PAIR
    loaded = fabric_image(
        config,
        tile_image(config, routes=[{}, {"east": 1}]),
        tile_image(
            config,
            weights=[[5, -7, 0, 0]],
            biases=[1, 2],
            populations=[{"number": 2, "neurons": 2, "threshold": 5, "v_reset": -3} | PLAIN],
            connections=[{"sources": 1, "groups": 1, "synapses": 2}],
            targets=[TO_HOST],
            routes=[{}, {"local": 1}],
        ),
    )
    probes = play(loaded, [event(config, route=1), mark(config, first=1)], 40)

    # 0   the event passes the sequencer into router 0; settle becomes 3
    # 1   L of router 0; the step mark is taken; settle becomes 3
    # 2   at the head; `lead` is 1, settle becomes 2
    # 3   in the output, and accepted by router 1; settle becomes 1
    # 4   L of router 1; settle becomes 0
    # 5   at the head; from now on only `busy` holds the sequencer, as it was two clocks before
    # 6   in the output, and accepted by integrate
    # 7   D
    # 8   X: issued, and pending for the last time
    # 9   R
    # 10  A: written
    # 11  busy (of clock 9) is 0: next START
    # 12  START
    # 13  the command is there. From here to 28 as in the other test from 5 to 20
    # 17  the row is fetched
    # 23  neuron 0 in its last stage
    # 27  C: the packet is accepted by the collector's node 1
    # 28  node 1 to node 0; fire and emit are idle
    # 29  node 0 to the host
    # 30  busy (of clock 28) is 0: next DONE
    # 31  DONE: collecting (of clock 30) is 0: the STEP packet
    assert clocks_of(probes, "host_in.ready") == [0, 1]
    assert clocks_of(probes, "0.west.valid") == [0]
    assert clocks_of(probes, "1.west.valid") == [3]
    assert clocks_of(probes, "1.event.valid") == [6]
    assert clocks_of(probes, "0.event.valid") == []
    assert clocks_of(probes, "fire.valid") == [12]
    assert clocks_of(probes, "1.sum.write") == [10, 19]
    assert sums(config, probes[10], tile=1) == [5, -7, 0, 0]
    assert clocks_of(probes, "1.fetch.valid") == [17]
    assert clocks_of(probes, "1.spike.valid") == [23]
    assert clocks_of(probes, "1.emit_host.valid") == [27]
    assert clocks_of(probes, "1.emit_host.ready") == [27]
    assert clocks_of(probes, "host_out.valid") == [29, 31]
    assert config.host_out.unpack(probes[29]["host_out.payload"]) == {
        "kind": PacketKind.SPIKE,
        "population": 2,
        "index": 0,
        "value": 0,
    }
    assert probes[31]["host_out.payload"] == config.host_out.pack({"kind": PacketKind.STEP})
    assert clocks_of(probes, "0.state.write") == clocks_of(probes, "0.sum.write") == []
    assert probes[-1]["counters.spikes.1"] == 1
    assert probes[-1]["counters.synops.1"] == 2


def test_an_empty_phase_of_two_tiles_takes_nine_clocks() -> None:
    # An empty row in each tile, in each of two phases. D is 1.
    config = PAIR
    tile = tile_image(config, populations=[{}, {}])
    loaded = fabric_image(config, tile, tile, last_phase=1, window=1)
    probes = play(loaded, [mark(config)] * 2, 60)
    # Marks in 0 and 1. settle is 3 in 1, 0 in 4; START in 5, there in 6, the row in 7..10, IDLE in
    # 11, seen in 13; START in 14, IDLE in 20, seen in 22, DONE in 23. Then WAIT in 24, where settle
    # is 3; it is 0 in 27.
    assert clocks_of(probes, "fire.valid") == [5, 14, 28, 37]
    assert clocks_of(probes, "host_out.valid") == [23, 46]


def test_a_router_waits_for_the_skid_register() -> None:
    config = dataclasses.replace(PAIR, neurons=12)
    tile = tile_image(
        config,
        weights=[[1]] * 3,
        connections=[{"sources": 1, "groups": 3, "synapses": 12}],
        routes=[{"local": 1}],
    )
    loaded = fabric_image(config, tile, tile_image(config))
    probes = play(loaded, [event(config)] * 6, 26)
    # At the output of router 0 from 3 on. The first is in D in 4 and in X in 5..7; the second in D
    # in 5..7; the third, accepted in 5, in W in 6 and 7. Then one in every 3 clocks, of which it is
    # in W for 2.
    taken = [n for n, p in enumerate(probes) if p["0.event.valid"] and p["0.event.ready"]]
    assert taken == [3, 4, 5, 8, 11, 14]
    waiting = (6, 7, 9, 10, 12, 13, 15, 16)
    assert clocks_of(probes, "0.event.ready") == [n for n in range(26) if n not in waiting]
    assert clocks_of(probes, "0.sum.write") == list(range(7, 25))


def test_spikes_of_both_tiles_meet_in_a_third() -> None:
    # Tiles 0 and 2 of 3x1 spike in phase 0, both to tile 1, where their events meet in one clock.
    config = dataclasses.replace(SMALL, columns=3)
    loud = tile_image(
        config,
        biases=[1],
        populations=[{"neurons": 1} | PLAIN, {}],
        targets=[{"route": 1, "connection": 0}],
        routes=[{}, {"east": 1, "west": 1}],
    )
    middle = tile_image(
        config,
        weights=[[9, 0, 0, 0]],
        populations=[{}, {"number": 1, "neurons": 1, "retain": DECAY_ONE, "readout": 1}],
        connections=[{"sources": 1, "groups": 1, "synapses": 1}],
        routes=[{}, {"local": 1}],
    )
    loaded = fabric_image(config, loud, middle, loud, last_phase=1)
    probes = play(loaded, [mark(config)], 80)
    # START in 5, there in 6: fetch in 10, pushed in 16, C in 20. Router: output in 23, then the
    # middle's two inputs, whose heads are there in 25: EAST goes first, outputs in 26 and 27.
    assert clocks_of(probes, "fire.valid") == [5, 33]
    assert (
        clocks_of(probes, "0.emit_event.valid") == clocks_of(probes, "2.emit_event.valid") == [20]
    )
    assert clocks_of(probes, "1.east.valid") == clocks_of(probes, "1.west.valid") == [23]
    assert clocks_of(probes, "1.event.valid") == [26, 27]
    # Pending until 29 (the second in X), so no longer in 30; seen in 32: START in 33.
    assert clocks_of(probes, "1.sum.write")[:2] == [30, 31]
    states = [config.host_out.unpack(word) for word in transfers(probes, "host_out")]
    assert states[0] == {"kind": PacketKind.STATE, "population": 1, "index": 0, "value": 18}


def test_load_words_reach_tiles_after_the_trees() -> None:
    # 3x2: D is 2. The route to the tile itself is loaded in clock 0, so it is written in 2.
    config = dataclasses.replace(SMALL, columns=3, rows=2)
    row = config.route_row.pack({"local": 1})
    route = {"target": LoadTarget.ROUTE, "address": 1, "data": row}
    model = CycleModel(config)
    table = []
    for word in (config.load.pack(route), config.load.pack(route | {"tile": 7}), None, None):
        model.clock(load=word)
        table.append(model.interconnect.mesh.routers[0].table[1] if model.interconnect else None)
    assert table == [0, 0, row, row]

    # The control register is the sequencer's own, and not written again when the word arrives.
    for window, expected in ((1, 1), (0, 0), (None, 0), (None, 0)):
        data = None if window is None else config.control_row.pack({"window": window})
        control = {"target": LoadTarget.CONTROL, "tile": 5, "data": data}
        model.clock(load=None if data is None else config.load.pack(control))
        assert model.sequencer.window == expected


@pytest.mark.parametrize(("columns", "rows", "depth"), [(1, 1, 0), (2, 1, 1), (3, 2, 2), (5, 4, 3)])
@pytest.mark.parametrize("last", ["route", "control"])
def test_the_host_waits_until_load_words_have_arrived(
    columns: int, rows: int, depth: int, last: str
) -> None:
    """An event offered in the clock after the last word, or later, finds its route; so do marks."""
    config = dataclasses.replace(SMALL, columns=columns, rows=rows)
    assert (config.tree_depth, config.read_clocks) == (depth, 2 * depth + 3)
    route = {"target": LoadTarget.ROUTE, "data": config.route_row.pack({"local": 1})}
    control = {"target": LoadTarget.CONTROL, "data": config.control_row.pack({"window": 1})}
    connection = config.connection_row.pack({"sources": 1, "groups": 1, "synapses": 2})
    words = [
        {"target": LoadTarget.CONNECTION, "data": connection},
        *((control, route) if last == "route" else (route, control)),
    ]
    if depth == 0:
        words.remove(route)
    for word in (event(config), mark(config)):
        for gap in range(depth + 2):
            model = CycleModel(config, trace=True)
            for row in words:
                model.clock(load=config.load.pack(row))
            for _ in range(gap):
                model.clock()
            taken = []
            for _ in range(depth + 3):
                model.clock(None if any(taken) else word)
                taken.append(model.host_in_taken)
            # The last word transfers in clock -1 - gap; D clocks are closed.
            assert taken.index(True) == max(depth - gap, 0)
            for _ in range(12):
                model.clock()
            assert model.counters["errors.0"] == 0
            assert model.counters["synops.0"] == (2 if word == event(config) else 0)


def test_the_collector_takes_turns() -> None:
    # 2x2, a neuron that spikes in each tile, all at the same time, three packets each.
    config = dataclasses.replace(SMALL, columns=2, rows=2)
    tiles = [
        tile_image(
            config,
            biases=[1],
            populations=[{"number": n, "neurons": 1} | PLAIN | {"fan_out": 3}],
            targets=[TO_HOST] * 3,
        )
        for n in range(4)
    ]
    probes = play(fabric_image(config, *tiles), [mark(config)], 60)
    # START in 5, there in 6, C from 20 on. What the nodes take:
    #      node 0     node 1   node 2           node 3
    # 20   own        own      own              own
    # 21   EAST       own      EAST             own
    # 22   SOUTH      own      full             own
    # 23   own        full     own              full
    # 24   EAST       full     full             full
    # 25   SOUTH      empties  full             full
    # 26   own                 EAST             full
    # So SOUTH brings packets of tile 2 and tile 3 in turn.
    assert [clocks_of(probes, f"{tile}.emit_host.ready") for tile in range(4)] == [
        [20, 23, 26],
        [20, 21, 22],
        [20, 23, 29],
        [20, 21, 22],
    ]
    out = [config.host_out.unpack(word) for word in transfers(probes, "host_out")]
    assert [packet["population"] for packet in out[:12]] == [0, 1, 2, 0, 1, 3, 0, 1, 2, 3, 2, 3]
    # The last is the host's in 32; DONE is from 33 on, in which collecting (of clock 32) is 1.
    assert clocks_of(probes, "host_out.valid") == [*range(21, 33), 34]
    assert out[12]["kind"] == PacketKind.STEP


def test_counters_wrap() -> None:
    config = FabricConfig(counter_bits=16)
    model = CycleModel(config)
    for _ in range((1 << 16) + 3):
        model.clock()
    assert model.cycles == model.counters["cycles"] == 3


def test_run_reports_a_fabric_that_makes_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "WATCHDOG", 100)
    # Every row is empty and has `more`: fire never ends.
    loaded = image(SMALL, populations=[{"more": 1}] * 4)
    with pytest.raises(RuntimeError, match=r"no progress in 100 clocks: 1 of 2 words"):
        packets(loaded, [mark(SMALL)] * 2)


def test_run_numbers_clocks_from_its_call() -> None:
    model = CycleModel(SMALL)
    # With a window of 0 `open` would still be 0 in the first clock of the second call.
    model.load(image(SMALL, populations=[{}], window=1))
    assert model.run([]) == []
    for _ in range(2):
        # As in the test of the window: DONE in clock 10.
        assert model.run([mark(SMALL)]) == [(10, SMALL.host_out.pack({"kind": PacketKind.STEP}))]
    assert model.cycles == 22


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (2, 1), (2, 2), (3, 2), (4, 5)])
def test_the_barrier_never_fires_early(columns: int, rows: int) -> None:
    """In START and DONE no event is due anywhere, while input runs ahead by several steps.

    Each tile has a neuron that spikes in every step, to all tiles, with all delays.
    """
    config = dataclasses.replace(SMALL, columns=columns, rows=rows, slots=4, buffer=3)
    tiles = []
    for tile in range(config.tiles):
        row, column = divmod(tile, columns)
        everywhere = {
            "east": column + 1 < columns,
            "west": column > 0,
            "north": row > 0,
            "south": row + 1 < rows,
            "local": 1,
        }
        tiles.append(
            tile_image(
                config,
                weights=[[1, 0, 0, 0]],
                biases=[1],
                populations=[{"neurons": 1} | PLAIN | {"fan_out": 3}],
                connections=[{"sources": 1, "groups": 1, "synapses": 1}],
                targets=[{"delay": delay} for delay in (1, 2, 3)],
                routes=[everywhere],
            )
        )
    model = CycleModel(config)
    model.load(fabric_image(config, *tiles, window=2))
    steps, each = 12, 5
    words = [*[event(config, ahead=1)] * each, mark(config, ahead=3)] * steps
    rng = random.Random(2)
    word = None
    looked = packets = 0
    while packets < steps:
        if model.sequencer.state in (sequencer.START, sequencer.DONE):
            assert not pending(model, model.sequencer.fire_slot)
            looked += 1
        if word is None and words and rng.random() < 0.8:
            word = words.pop(0)
        model.clock(word, rng.random() < 0.7)
        if model.host_in_taken:
            word = None
        packets += model.host_out is not None
    assert looked >= 2 * steps
    # Then those that are due after the last step.
    for _ in range(1000):
        model.clock()
    for number in range(config.tiles):
        assert model.counters[f"synops.{number}"] == steps * (each + 3 * config.tiles)
        assert model.counters[f"errors.{number}"] == 0


def pending(model: CycleModel, slot: int) -> list[int]:
    """Packets due in `slot` in routers, and tiles that are busy with it."""
    found = [n for n, tile in enumerate(model.tiles) if tile.busy(slot)]
    if model.interconnect is not None:
        for router in model.interconnect.mesh.routers:
            packets = [router.l_packet[port] for port in Port if router.l_valid >> port & 1]
            packets += [router.o_packet[port] for port in Port if router.o_valid >> port & 1]
            packets += [packet for queue in router.queues for packet, _ in queue]
            found += [p for p in packets if model.config.event.unpack(p)["slot"] == slot]
    return found


# One neuron, whose potential is read out after every step.


def potentials(
    population: Row, biases: int, *, steps: int = 1, config: FabricConfig = SMALL
) -> list[tuple[int, int]]:
    """(spikes, potential) of a neuron in each step; every step is marked as the last."""
    row = {"neurons": 1, "readout": 1, "retain": DECAY_ONE} | dict(population)
    loaded = image(config, biases=[biases], populations=[row], targets=[TO_HOST])
    words = [mark(config, first=int(t == 0)) for t in range(steps)]
    result: list[tuple[int, int]] = []
    spikes = 0
    for packet in packets(loaded, words):
        if packet["kind"] == PacketKind.SPIKE:
            spikes += 1
        elif packet["kind"] == PacketKind.STATE:
            result.append((spikes, packet["value"]))
            spikes = 0
    return result


SPIKING = {"spiking": 1, "fan_out": 1}


def test_the_first_step_reads_the_initial_potential() -> None:
    # Two samples of two steps each.
    row = {"neurons": 1, "readout": 1, "retain": DECAY_ONE, "v_init": 100}
    loaded = image(SMALL, biases=[7], populations=[row])
    words = [mark(SMALL, first=t % 2 == 0) for t in range(4)]
    values = [p["value"] for p in packets(loaded, words) if p["kind"] == PacketKind.STATE]
    assert values == [107, 114, 107, 114]


def test_potentials_saturate_at_both_rails() -> None:
    config = FabricConfig(state_bits=8, sum_bits=16)
    for bias, values in ((100, [100, 127, 127]), (-100, [-100, -128, -128])):
        assert potentials({}, bias, steps=3, config=config) == [(0, value) for value in values]
    # An exact sum far outside the rails.
    assert potentials({}, -32768, config=config) == [(0, -128)]
    # Reset by subtraction saturates: -100 - (-128) fits, 127 - (-100) does not.
    subtract = SPIKING | {"reset": Reset.SUBTRACT, "threshold": -128}
    assert potentials(subtract | {"v_reset": -128}, -100, config=config) == [(1, 28)]
    assert potentials(subtract | {"v_reset": -100}, 127, config=config) == [(1, 127)]


@pytest.mark.parametrize("inclusive", [0, 1])
def test_a_potential_equal_to_the_threshold(inclusive: int) -> None:
    row = SPIKING | {"threshold": 10, "inclusive": inclusive, "v_reset": -1}
    assert potentials(row, 9) == [(0, 9)]
    assert potentials(row, 10) == [(1, -1) if inclusive else (0, 10)]
    assert potentials(row, 11) == [(1, -1)]


@pytest.mark.parametrize(
    ("reset", "value"), [(Reset.VALUE, 3), (Reset.SUBTRACT, 22), (Reset.NONE, 25)]
)
def test_resets(reset: Reset, value: int) -> None:
    assert potentials(SPIKING | {"threshold": 20, "v_reset": 3, "reset": reset}, 25) == [(1, value)]


def test_a_population_that_does_not_spike() -> None:
    assert potentials({"fan_out": 1, "threshold": -5}, 1, steps=2) == [(0, 1), (0, 2)]


@pytest.mark.parametrize(
    ("retain", "values"),
    [
        (DECAY_ONE, [-11, -11, -11]),  # decay 0 keeps
        (0, [0, 0, 0]),  # decay 4096 forgets
        (DECAY_ONE // 2, [-5, -2, -1]),  # toward zero, not down
    ],
)
def test_decay(retain: int, values: list[int]) -> None:
    got = potentials({"retain": retain, "v_init": -11}, 0, steps=3)
    assert [value for _, value in got] == values
    got = potentials({"retain": retain, "v_init": 11}, 0, steps=3)
    assert [value for _, value in got] == [-value for value in values]


# Properties.


@given(
    groups=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    lanes=st.integers(1, 16),
    data=st.data(),
)
@settings(deadline=None, max_examples=40)
def test_one_group_in_every_clock(groups: list[int], lanes: int, data: st.DataObject) -> None:
    """Events that are offered back to back are added without a bubble."""
    config = FabricConfig(lanes=lanes, neurons=4 * lanes, weight_words=64, slots=3)
    loaded = image(
        config,
        weights=[[n % 7 - 3] * lanes for n in range(12)],
        connections=[
            {"sources": 3, "groups": count, "synapses": count * lanes} for count in groups
        ],
    )
    chosen = st.tuples(st.integers(0, len(groups) - 1), st.integers(0, 2), st.integers(0, 2))
    events = data.draw(st.lists(chosen, min_size=1, max_size=20))
    expected = [
        (group * 3 + slot, index + 3 * group)
        for connection, index, slot in events
        for group in range(groups[connection])
    ]
    probes = play(loaded, [event(config, *e) for e in events], len(expected) + 5)
    # Transfer in 0, D in 1, X from 2, written from 4.
    assert clocks_of(probes, "0.sum.write") == list(range(4, 4 + len(expected)))
    totals: dict[int, int] = {}
    for probe, (row, word) in zip(probes[4:], expected, strict=False):
        totals[row] = totals.get(row, 0) + word % 7 - 3
        assert probe["0.sum.address"] == row
        assert sums(config, probe) == [totals[row]] * lanes
    assert probes[-1]["counters.synops.0"] == sum(groups[e[0]] * lanes for e in events)


def neuron_numbers(bits: int) -> st.SearchStrategy[int]:
    """Numbers of `bits` bits, small ones and the extremes more often."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    small = min(high, 100)
    return st.one_of(st.integers(-small, small), st.integers(low, high))


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Small networks: layered, pipelined or mixed, with recurrent connections and delays."""
    weight_bits = draw(st.sampled_from((2, 4, 8)))
    state_bits = draw(st.integers(8, 24))
    sum_bits = draw(st.integers(16, 32))
    top = 1 << (weight_bits - 1)
    inputs = tuple(
        Input(f"in{n}", draw(st.integers(1, 9)), draw(st.integers(1, 3)))
        for n in range(draw(st.integers(1, 2)))
    )
    count = draw(st.integers(1, 4))
    phases = sorted(draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)))
    dense = {phase: number for number, phase in enumerate(sorted(set(phases)))}
    state = neuron_numbers(state_bits)
    populations = []
    for n in draw(st.permutations(range(count))):
        size = draw(st.integers(1, 12))
        biases = st.integers(-20, 20) if n else neuron_numbers(sum_bits)
        populations.append(
            Population(
                f"p{n}",
                size,
                np.array(draw(st.lists(biases, min_size=size, max_size=size)), np.int64),
                phase=dense[phases[n]],
                decay=draw(st.one_of(st.sampled_from((0, DECAY_ONE)), st.integers(0, DECAY_ONE))),
                threshold=draw(
                    st.one_of(st.integers(0, 4 * top - 1), state).filter(
                        lambda value: abs(value) < 1 << (state_bits - 1)
                    )
                ),
                inclusive=draw(st.booleans()),
                spiking=draw(st.integers(0, 4)) > 0,
                reset=draw(st.sampled_from(PLAIN_RESETS)),
                v_reset=draw(state),
                v_init=draw(state),
            )
        )
    phase_of = {p.name: p.phase for p in populations}
    size_of = {i.name: i.size for i in inputs} | {p.name: p.size for p in populations}
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    connections = []
    for source, target in itertools.product(size_of, phase_of):
        if draw(st.integers(0, 2)) == 0:
            continue
        early = source not in phase_of or phase_of[source] < phase_of[target]
        connections.append(
            Connection(
                source,
                target,
                rng.integers(-top, top, (size_of[source], size_of[target])),
                delay=draw(st.integers(0 if early else 1, 3)),
            )
        )
    return Network(
        inputs, tuple(populations), tuple(connections), weight_bits, state_bits, sum_bits
    )


@st.composite
def fabrics(draw: st.DrawFn, network: Network) -> FabricConfig:
    """A fabric that holds `network`; a single tile often fits exactly."""
    columns, rows = draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (1, 2), (2, 2), (3, 2)]))
    lanes = draw(st.integers(1, 16))
    groups = {p.name: -(-p.size // lanes) for p in network.populations}
    words = sum(c.weights.shape[0] * groups[c.target] for c in network.connections)
    spare = st.integers(0, 3)
    return FabricConfig(
        columns=columns,
        rows=rows,
        lanes=lanes,
        weight_bits=network.weight_bits,
        state_bits=network.state_bits,
        sum_bits=network.sum_bits,
        neurons=lanes * sum(groups.values()) + draw(spare),
        weight_words=max(1, words) + draw(spare),
        slots=network.max_delay + 1 + draw(spare),
        axons=max((c.weights.shape[0] for c in network.connections), default=1) + draw(spare),
        populations=len(network.populations) + draw(spare),
        connections=max(1, len(network.connections)) + draw(spare),
        targets=max(1, len(network.connections) + len(network.populations)) + draw(spare),
        queue=lanes + draw(spare),
        counter_bits=draw(st.integers(16, 64)),
        routes=max(1, len(network.connections)) + draw(spare),
        buffer=draw(st.integers(3, 5)),
    )


@given(data=st.data(), network=networks())
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
def test_same_as_the_step_level(data: st.DataObject, network: Network) -> None:
    """Every spike and final potential of random networks, at full speed and with pauses."""
    config = data.draw(fabrics(network), "config")
    names = frozenset(p.name for p in network.populations)
    loaded = map_network(network, config, names, names)
    samples, steps = data.draw(st.integers(1, 3), "samples"), data.draw(st.integers(1, 6), "steps")
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 32), "seed"))
    rate = data.draw(st.sampled_from((0.0, 0.1, 0.5, 1.0)), "rate")
    counts = {
        node.name: np.where(
            rng.random((samples, steps, node.size)) < rate,
            rng.integers(1, node.max_count + 1, (samples, steps, node.size)),
            0,
        )
        for node in network.inputs
    }
    words = [
        word
        for sample in host_words(loaded, check_inputs(network, counts))
        for word in sample.tolist()
    ]
    expected = simulate(network, counts)

    model = CycleModel(config)
    model.load(loaded)
    played = model.run(words)
    clocks, out = (np.array(column, np.uint64) for column in zip(*played, strict=True))
    heard = decode_packets(loaded, clocks, out, samples, steps)
    assert heard.spikes.keys() == expected.spikes.keys()
    for name, spikes in expected.spikes.items():
        np.testing.assert_array_equal(heard.spikes[name], spikes, name)
    for name, states in expected.states.items():
        np.testing.assert_array_equal(heard.states[name], states, name)
    mask = (1 << config.counter_bits) - 1
    totals = Counter[str]()
    for name, value in model.counters.items():
        totals[name.split(".")[0]] += value
    assert totals["synops"] & mask == int(expected.synops.sum()) & mask
    assert totals["spikes"] & mask == sum(int(s.sum()) for s in expected.spikes.values()) & mask
    assert totals["errors"] == 0
    assert not any(any(tile.integrate.sums) for tile in model.tiles)

    # The same with pauses: other clocks, same packets, and streams obey the protocol.
    flip = random.Random(data.draw(st.integers(0, 1 << 32), "pauses"))
    busy = data.draw(st.sampled_from((0.2, 0.5, 0.9, 1.0)), "host_out ready")
    slow = data.draw(st.sampled_from((0.0, 0.1, 0.5, 0.8)), "host_in gaps")
    ready = (flip.random() < busy for _ in itertools.count())
    gaps = (flip.random() < slow for _ in itertools.count())
    probes = play(loaded, words, 10 * model.cycles + 1000, ready, gaps, len(out))
    # Packets of several tiles arrive in another order within a step.
    assert by_step(config, transfers(probes, "host_out")) == by_step(config, out.tolist())
    if config.tiles == 1:
        assert transfers(probes, "host_out") == out.tolist()
    assert transfers(probes, "host_in") == words
    assert_streams_hold(config, probes)


def by_step(config: FabricConfig, packets: Sequence[int]) -> list[list[int]]:
    """The packets of each step, sorted."""
    step = config.host_out.pack({"kind": PacketKind.STEP})
    ends = itertools.accumulate((packet == step for packet in packets), initial=0)
    steps: dict[int, list[int]] = {}
    for number, packet in zip(ends, packets, strict=False):
        steps.setdefault(number, []).append(packet)
    return [sorted(packets) for packets in steps.values()]


def test_streams_hold_under_backpressure() -> None:
    config = SMALL
    loaded = image(
        config,
        biases=[1] * 8,
        populations=[{"neurons": 8, "readout": 1} | PLAIN],
        targets=[TO_HOST],
    )
    probes = play(loaded, [mark(config)], 90, itertools.cycle([False, False, True]))
    assert_streams_hold(config, probes)
    assert any(p["0.emit_host.valid"] and not p["0.emit_host.ready"] for p in probes)
    assert any(p["host_out.valid"] and not p["host_out.ready"] for p in probes)
    assert len(transfers(probes, "host_out")) == 17


def assert_streams_hold(config: FabricConfig, probes: Sequence[Probe]) -> None:
    """`valid` and `payload` stay until the transfer, and nothing is driven without valid.

    The stream after the arbiter of a single tile is exempt: an event of the loop may overtake one
    of the host that waits.
    """
    streams = [
        field.name.removesuffix(".ready")
        for field in config.probe.fields
        if field.name.endswith(".ready")
    ]
    for before, after in itertools.pairwise(probes):
        for stream in streams:
            if not before[f"{stream}.valid"]:
                assert before[f"{stream}.payload"] == 0
            elif not before[f"{stream}.ready"] and (config.tiles > 1 or stream != "0.event"):
                assert after[f"{stream}.valid"], stream
                assert after[f"{stream}.payload"] == before[f"{stream}.payload"], stream
