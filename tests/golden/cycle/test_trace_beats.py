"""Traces and synaptic currents sent to the host, by hand from docs/hardware.md."""

import dataclasses

from by_hand import PLAIN, TO_HOST, clocks_of, image, mark, packets, play, transfers

from spikeloom.golden.spec import DECAY_ONE, FabricConfig, PacketKind, Reset

TRACED = FabricConfig(lanes=2, neurons=4, slots=2, queue=4, traces=True)
CURRENTS = dataclasses.replace(TRACED, synaptic_current=True)


def sent(config: FabricConfig, words: list[int]) -> list[tuple[PacketKind, int, int]]:
    """Kind, index and value of packets to the host."""
    fields = map(config.host_out.unpack, words)
    return [(PacketKind(p["kind"]), p["index"], p["value"]) for p in fields]


def test_a_trace_is_sent_after_every_step() -> None:
    row = PLAIN | {"neurons": 2, "threshold": 10, "trace": 1, "retain": DECAY_ONE}
    loaded = image(TRACED, biases=[6, -1], populations=[row], targets=[TO_HOST])
    words = [mark(TRACED, first=1, ahead=1), mark(TRACED)]
    out = [(PacketKind(p["kind"]), p["index"], p["value"]) for p in packets(loaded, words)]
    # 6, then 12 spikes and becomes 0.
    assert out == [
        (PacketKind.STATE, 0, 6),
        (PacketKind.STATE, 1, -1),
        (PacketKind.STEP, 0, 0),
        (PacketKind.SPIKE, 0, 0),
        (PacketKind.STATE, 0, 0),
        (PacketKind.STATE, 1, -2),
        (PacketKind.STEP, 0, 0),
    ]


def test_without_trace_only_the_last_step_is_read_out() -> None:
    row = PLAIN | {"neurons": 1, "threshold": 10, "readout": 1}
    loaded = image(TRACED, biases=[1], populations=[row])
    words = [mark(TRACED, first=1, ahead=1), mark(TRACED)]
    assert [p["kind"] for p in packets(loaded, words)] == [
        *(PacketKind.STEP, PacketKind.STATE, PacketKind.STEP)
    ]


def test_beats_of_a_trace() -> None:
    row = PLAIN | {"neurons": 2, "threshold": 5, "trace": 1}
    loaded = image(TRACED, biases=[6, -1], populations=[row], targets=[TO_HOST])
    probes = play(loaded, [mark(TRACED, first=1, ahead=1)], 40)
    # They enter in 7 and 8, and are pushed in 13 and 14. The first is at the head in 15 and 16: B
    # from 16 on, C from 17 on. Two beats, and one of the second.
    assert clocks_of(probes, "0.spike.valid") == [13, 14]
    pushed = [TRACED.spike.unpack(probes[n]["0.spike.payload"]) for n in (13, 14)]
    assert [(s["spiked"], s["readout"], s["value"]) for s in pushed] == [(1, 1, 0), (0, 1, -1)]
    assert clocks_of(probes, "0.emit_host.valid") == [17, 18, 19]
    assert sent(TRACED, transfers(probes, "0.emit_host")) == [
        (PacketKind.SPIKE, 0, 0),
        (PacketKind.STATE, 0, 0),
        (PacketKind.STATE, 1, -1),
    ]


def test_beats_of_a_trace_with_currents() -> None:
    synaptic = {"synaptic": 1, "retain_synaptic": 2048, "trace": 1, "currents": 1}
    row = PLAIN | synaptic | {"neurons": 2, "threshold": 5}
    biases = [{"bias": 6, "leak": 3}, {"bias": -8, "leak": 1}]
    loaded = image(CURRENTS, biases=biases, populations=[row], targets=[TO_HOST])
    probes = play(loaded, [mark(CURRENTS, first=1, ahead=1)], 40)
    # Pushed in 15 and 16; A from 17 on, C from 19 on: SPIKE, CURRENT, STATE; CURRENT, STATE.
    assert clocks_of(probes, "0.spike.valid") == [15, 16]
    pushed = [CURRENTS.spike.unpack(probes[n]["0.spike.payload"]) for n in (15, 16)]
    fields = ("spiked", "readout", "currents", "value", "current")
    assert [[s[name] for name in fields] for s in pushed] == [[1, 1, 1, 0, 6], [0, 1, 1, -7, -8]]
    assert clocks_of(probes, "0.emit_host.valid") == [19, 20, 21, 22, 23]
    assert sent(CURRENTS, transfers(probes, "0.emit_host")) == [
        (PacketKind.SPIKE, 0, 0),
        (PacketKind.CURRENT, 0, 6),
        (PacketKind.STATE, 0, 0),
        (PacketKind.CURRENT, 1, -8),
        (PacketKind.STATE, 1, -7),
    ]
    # Emit is idle in 24, which the sequencer sees in 25: DONE in 26.
    assert clocks_of(probes, "host_out.valid")[-1] == 26


def test_a_row_without_traces_sends_no_currents() -> None:
    rows = [
        PLAIN | {"neurons": 1, "more": 1, "currents": 1, "synaptic": 1},
        PLAIN | {"neurons": 1, "neuron_base": 2, "sum_base": 2, "trace": 1},
    ]
    biases = [{"bias": 9}, {}, {"bias": 7}]
    loaded = image(CURRENTS, biases=biases, populations=rows, targets=[TO_HOST])
    probes = play(loaded, [mark(CURRENTS, first=1, ahead=1)], 60)
    pushed = [CURRENTS.spike.unpack(p["0.spike.payload"]) for p in probes if p["0.spike.valid"]]
    fields = ("readout", "currents", "current")
    assert [[s[name] for name in fields] for s in pushed] == [[0, 1, 9], [1, 0, 0]]
    assert sent(CURRENTS, transfers(probes, "0.emit_host")) == [
        (PacketKind.SPIKE, 0, 0),
        (PacketKind.SPIKE, 0, 0),
        (PacketKind.STATE, 0, 0),
    ]


def test_several_spikes_come_before_current_and_state_once() -> None:
    config = dataclasses.replace(CURRENTS, max_spikes=3)
    row = PLAIN | {"neurons": 1, "threshold": 5, "v_reset": 5, "reset": int(Reset.SUBTRACT)}
    row |= {"max_spikes": 3, "synaptic": 1, "readout": 1, "currents": 1}
    loaded = image(config, biases=[{"bias": 17}], populations=[row], targets=[TO_HOST])
    probes = play(loaded, [mark(config, first=1)], 40)
    assert sent(config, transfers(probes, "0.emit_host")) == [
        *[(PacketKind.SPIKE, 0, 0)] * 3,
        (PacketKind.CURRENT, 0, 17),
        (PacketKind.STATE, 0, 2),
    ]
    first, *others = clocks_of(probes, "0.emit_host.valid")
    assert others == [first + 1, first + 2, first + 3, first + 4]
