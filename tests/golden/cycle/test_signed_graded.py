"""Signed and graded events in the cycle-level model, against clocks and sums worked out by hand."""

import dataclasses

from by_hand import PLAIN, TO_HOST, clocks_of, event, image, mark, play, sums, transfers

from spikeloom.golden.spec import FabricConfig, PacketKind, Reset

CONFIG = FabricConfig(
    lanes=2,
    neurons=4,
    weight_bits=4,
    sum_bits=9,
    weight_words=4,
    slots=3,
    queue=8,
    max_spikes=7,
    signed_spikes=True,
    graded_bits=4,
)
DENSE = {"sources": 1, "groups": 2, "synapses": 3}


def test_a_group_is_issued_for_each_bit_of_a_magnitude() -> None:
    loaded = image(CONFIG, weights=[[3, -8], [7, -1]], connections=[DENSE])
    words = [event(CONFIG, magnitude=n, negative=int(n == 2)) for n in (13, 0, 2)]
    probes = play(loaded, words, 15)
    # 13 is 1 + 4 + 8. The event of magnitude 0 takes the place of one issue.
    assert clocks_of(probes, "0.sum.write") == [4, 5, 6, 7, 8, 9, 11, 12]
    assert [probes[n]["0.sum.address"] for n in (4, 5, 6, 7, 8, 9, 11, 12)] == [
        *(0, 0, 0, 3, 3, 3, 0, 3)
    ]
    assert [sums(CONFIG, probes[n]) for n in (4, 5, 6, 7, 8, 9, 11, 12)] == [
        *([3, -8], [15, -40], [39, -104], [7, -1], [35, -5], [91, -13]),
        *([33, -88], [77, -11]),
    ]
    # The 3 synapses in each of 3 issues of the first group, and once more.
    counted = [probe["counters.synops.0"] for probe in probes]
    assert (counted[3], counted[4], counted[5], counted[-1]) == (3, 6, 9, 12)
    assert probes[-1]["counters.errors.0"] == 0


def test_an_event_of_magnitude_0_for_nothing_is_an_error() -> None:
    loaded = image(CONFIG, weights=[[3, -8]], connections=[DENSE])
    probes = play(loaded, [event(CONFIG, connection=1), event(CONFIG)], 8)
    assert probes[-1]["counters.errors.0"] == 1


def test_signs_without_magnitudes() -> None:
    config = dataclasses.replace(CONFIG, graded_bits=0)
    loaded = image(config, weights=[[3, -8], [7, -1]], connections=[DENSE])
    words = [event(config, negative=n) for n in (1, 0, 1)]
    probes = play(loaded, words, 11)
    assert clocks_of(probes, "0.sum.write") == [4, 5, 6, 7, 8, 9]
    assert [sums(config, probe) for probe in probes[4:10]] == [
        *([-3, 8], [-7, 1], [0, 0], [0, 0], [-3, 8], [-7, 1])
    ]


ROW = {
    **PLAIN,
    **{"neurons": 4, "max_spikes": 7, "signed": 1, "threshold": 10, "v_reset": 10},
    "reset": Reset.SUBTRACT,
    "readout": 1,
}
BIASES = (35, -35, -10, -128)


def test_neurons_spike_with_the_sign_of_their_potential() -> None:
    loaded = image(CONFIG, biases=BIASES, populations=[ROW], targets=[TO_HOST])
    probes = play(loaded, [mark(CONFIG, 1)], 40)
    packets = [CONFIG.host_out.unpack(word) for word in transfers(probes, "host_out")]
    told = [(p["kind"], p["index"], p["value"]) for p in packets if p["kind"] != PacketKind.STEP]
    spike, state = PacketKind.SPIKE, PacketKind.STATE
    assert told == [
        *((spike, 0, 3), (state, 0, 5), (spike, 1, -3), (state, 1, -5)),
        *((state, 2, -10), (spike, 3, -7), (state, 3, -58)),
    ]
    assert probes[-1]["counters.spikes.0"] == 13
    # A clock more than without a sign, before that a clock for each of 3 bits.
    assert CONFIG.fire_clocks == FabricConfig().fire_clocks + 2 + 1
    fetches, writes = (clocks_of(probes, f"0.{name}") for name in ("fetch.valid", "state.write"))
    assert writes[0] - fetches[0] == CONFIG.fire_clocks


def test_without_magnitudes_each_spike_is_a_packet() -> None:
    config = dataclasses.replace(CONFIG, graded_bits=0)
    loaded = image(config, biases=BIASES, populations=[ROW | {"readout": 0}], targets=[TO_HOST])
    probes = play(loaded, [mark(config, 1)], 60)
    packets = [config.host_out.unpack(word) for word in transfers(probes, "host_out")]
    assert [(p["index"], p["value"]) for p in packets[:-1]] == [
        *[(0, 1)] * 3,
        *[(1, -1)] * 3,
        *[(3, -1)] * 7,
    ]


def test_spikes_carry_their_number_on_to_other_neurons() -> None:
    loaded = image(
        CONFIG,
        weights=[[3, -8]],
        biases=BIASES[:2],
        populations=[ROW | {"neurons": 2, "readout": 0}],
        connections=[{"sources": 4, "groups": 1, "synapses": 2}],
        targets=[{"connection": 0, "delay": 1}],
    )
    probes = play(loaded, [mark(CONFIG, 1, 1), mark(CONFIG, 0, 0)], 60)
    fields = [CONFIG.event.unpack(word) for word in transfers(probes, "0.emit_event")]
    assert [(f["index"], f["magnitude"], f["negative"]) for f in fields] == [(0, 3, 0), (1, 3, 1)]
