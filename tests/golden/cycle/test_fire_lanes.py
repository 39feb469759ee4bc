"""Several neurons a clock: clocks derived by hand from docs/hardware.md."""

import dataclasses

from by_hand import PLAIN, SMALL, TO_HOST, clocks_of, image, mark, play

from spikeloom.golden.spec import DECAY_ONE, FabricConfig

WIDE = dataclasses.replace(SMALL, fire_lanes=2)


def test_a_row_of_two_and_a_row_of_one() -> None:
    loaded = image(
        WIDE,
        biases=[7, 8, 9],
        populations=[{"number": 3, "neurons": 3, "threshold": 5, "reset": 2} | PLAIN],
        targets=[TO_HOST],
    )
    probes = play(loaded, [mark(WIDE, first=1)], 19)

    # 0   the step mark is taken
    # 1   lead is 1; settle is 1 and becomes 0
    # 2   WAIT ends: the command is valid. Its row is there: SETUP too, and the group begins
    # 3   WALK: left is 0. Fetched; neurons 0 and 1 enter
    # 4   DRAIN. Neuron 2 enters
    # 9   neurons 0 and 1 in the last stage: an entry is pushed
    # 10  neuron 2 in it: DRAIN ends
    # 11  the first entry is at the head: neuron 0 in A
    # 12  neuron 1 in A: the entry is popped
    # 13  neuron 2 in A; C: the packet of neuron 0 is transferred
    # 16  fire and emit are idle
    # 17  busy (of clock 16) is 0: the STEP packet is transferred
    assert clocks_of(probes, "fire.valid") == [2]
    assert WIDE.fire.unpack(probes[2]["fire.payload"]) == {
        "restart": 1,
        "first": 1,
        "ahead": 0,
        "slot": 0,
        "last": 1,
    }
    assert clocks_of(probes, "0.fetch.valid") == [3]
    assert clocks_of(probes, "0.state.write") == [9, 10]
    assert [probes[clock]["0.state.write"] for clock in (9, 10)] == [0b11, 0b01]
    assert [probes[clock]["0.state.address"] for clock in (9, 10)] == [0, 1]
    assert [probes[clock]["0.state.data"] for clock in (9, 10)] == [7 | 8 << 16, 9]
    assert clocks_of(probes, "0.spike.valid") == [9, 10]
    entry = WIDE.spike_row.unpack(probes[9]["0.spike.payload"])
    assert (entry["index"], entry["sends"], entry["value0"], entry["value1"]) == (0, 0b11, 7, 8)
    assert WIDE.spike_row.unpack(probes[10]["0.spike.payload"])["sends"] == 0b01
    assert clocks_of(probes, "host_out.valid") == [13, 14, 15, 17]
    packets = [WIDE.host_out.unpack(probes[clock]["host_out.payload"]) for clock in (13, 14, 15)]
    assert [packet["index"] for packet in packets] == [0, 1, 2]
    assert [probe["counters.spikes.0"] for probe in probes] == [0] * 10 + [2] + [3] * 8


def test_a_group_begins_in_every_clock_while_there_are_credits() -> None:
    config = FabricConfig(lanes=2, fire_lanes=2, neurons=6, slots=2, queue=2)
    probes = play(image(config, populations=[{"neurons": 6}]), [mark(config)], 20)
    # In 2 there are 2 credits, and in 3 there is 1: a group begins in each. The first is in the
    # last stage in 9: its credit is there in 11, and `enough` in 12, in which the third begins.
    assert clocks_of(probes, "0.fetch.valid") == [3, 4, 13]


def test_a_command_waits_for_neurons_that_send_nothing() -> None:
    loaded = image(
        WIDE, biases=[7, 8, 9], populations=[{"neurons": 3, "retain": DECAY_ONE}], window=1
    )
    probes = play(loaded, [mark(WIDE, first=1, ahead=1), mark(WIDE)], 23)

    # 2   the command of the first step; rows enter in 3 and 4
    # 5   DRAIN, entering is 0, and the row is mute: fire.idle
    # 6   busy (of clock 5) is 0: the STEP packet is transferred
    # 7   WAIT: settle is 1
    # 8   the command of the second step: it waits
    # 10  neuron 2 in the last stage: DRAIN ends
    # 11  IDLE: the command starts; rows enter in 12 and 13
    # 19  neuron 2 in the last stage, for the last step is not mute
    # 20  IDLE
    # 21  the STEP packet is transferred
    assert clocks_of(probes, "fire.valid") == [2, 8]
    assert clocks_of(probes, "0.fetch.valid") == [3, 12]
    assert clocks_of(probes, "0.state.write") == [9, 10, 18, 19]
    assert [probes[clock]["0.state.data"] for clock in (18, 19)] == [14 | 16 << 16, 18]
    assert clocks_of(probes, "host_out.valid") == [6, 21]


def test_credits_of_a_tile_that_rested_since_the_reset() -> None:
    """In a mesh the clocks in which a tile rests are left out; it has credits all the same."""
    config = dataclasses.replace(WIDE, columns=2)
    loaded = image(config, biases=[7, 8, 9], populations=[{"neurons": 3, "retain": DECAY_ONE}])
    probes = play(loaded, [mark(config, first=1), mark(config)], 40)

    # A command arrives `tree_depth` clocks later; the first group begins, and is fetched then.
    begins = [clock + config.tree_depth for clock in clocks_of(probes, "fire.valid")]
    assert clocks_of(probes, "0.fetch.valid") == [clock + 1 for clock in begins]


def test_no_row_is_mute_where_learn_reads_potentials() -> None:
    """The same rows in a fabric with `plasticity`: the step waits until all of them are written."""
    config = dataclasses.replace(WIDE, plasticity=True, plastic_axons=4)
    loaded = image(
        config, biases=[7, 8, 9], populations=[{"neurons": 3, "retain": DECAY_ONE}], window=1
    )
    probes = play(loaded, [mark(config, first=1, ahead=1), mark(config)], 26)

    # 2   the command of the first step; rows enter in 3 and 4
    # 10  neuron 2 in the last stage: DRAIN ends
    # 11  IDLE: fire.idle
    # 12  busy (of clock 11) is 0: the STEP packet is transferred
    # 14  the command of the second step; rows enter in 15 and 16
    # 24  the STEP packet is transferred
    assert clocks_of(probes, "fire.valid") == [2, 14]
    assert clocks_of(probes, "0.state.write") == [9, 10, 21, 22]
    assert clocks_of(probes, "host_out.valid") == [12, 24]


def test_a_full_row_takes_one_credit() -> None:
    """Which comes back: credits never run out, whatever the number of steps."""
    loaded = image(
        WIDE, biases=[7, 8], populations=[{"neurons": 2, "threshold": 5} | PLAIN], targets=[TO_HOST]
    )
    steps = 2 * WIDE.queue + 2
    probes = play(loaded, [mark(WIDE, first=1), *[mark(WIDE)] * (steps - 1)], 30 * steps)
    assert len(clocks_of(probes, "0.fetch.valid")) == steps
