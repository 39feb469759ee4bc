"""Fractions, neurons' own parameters and restoring resets, by hand from docs/hardware.md."""

import dataclasses

from by_hand import PLAIN, TO_HOST, Probe, clocks_of, event, image, mark, packets, play

from spikeloom.golden.spec import DECAY_ONE, FabricConfig, PacketKind, Reset

ONE = FabricConfig(lanes=2, neurons=4, slots=2, queue=4)
FINE = dataclasses.replace(ONE, fraction_bits=5, sum_bits=12, state_bits=20)
OWN = dataclasses.replace(ONE, neuron_parameters=True, initial_potentials=True)
RESTORING = dataclasses.replace(ONE, delayed_reset=True, lower_clamp=True)


def written(config: FabricConfig, probes: list[Probe], memory: str) -> list[tuple[int, int, int]]:
    """Clock, row and value of every write to the memory of potentials, or of currents."""
    return [
        (
            clock,
            probe[f"0.{memory}.address"],
            config.state_row.unpack(probe[f"0.{memory}.data"])["value"],
        )
        for clock, probe in enumerate(probes)
        if probe[f"0.{memory}.write"]
    ]


# Fractions.


def test_sums_are_shifted_before_the_bias_is_added() -> None:
    rows = [
        {"neurons": 2, "fraction": 5, "retain": DECAY_ONE, "more": 1},
        {"neurons": 1, "neuron_base": 2, "sum_base": 2, "fraction": 0, "retain": DECAY_ONE},
    ]
    loaded = image(
        FINE,
        weights=[[3, -3], [100, 0]],
        # A bias is as wide as a potential.
        biases=[-1, 1, -(1 << 19)],
        populations=rows,
        connections=[
            {"sources": 1, "groups": 1, "synapses": 2},
            {"weight_base": 1, "sources": 1, "sum_base": 2, "groups": 1, "synapses": 1},
        ],
    )
    words = [event(FINE), event(FINE), event(FINE, 1), mark(FINE, first=1), mark(FINE)]
    probes = play(loaded, words, 80)
    # (6 << 5) - 1, (-6 << 5) + 1; 100 - 2**19 without a shift. Then the biases alone.
    assert [write[1:] for write in written(FINE, probes, "state")] == [
        *((0, 191), (1, -191), (2, 100 - (1 << 19))),
        *((0, 190), (1, -190), (2, -(1 << 19))),
    ]
    # A neuron that enters in clock m is written in m + 6, shifted or not.
    starts = clocks_of(probes, "0.fetch.valid")
    assert [clock for clock, *_ in written(FINE, probes, "state")] == [
        clock + 6
        for first, second in (starts[:2], starts[2:])
        for clock in (first, first + 1, second)
    ]


def test_a_shifted_sum_feeds_the_synaptic_current() -> None:
    config = dataclasses.replace(FINE, synaptic_current=True)
    row = {"neurons": 1, "fraction": 3, "retain": DECAY_ONE, "synaptic": 1}
    loaded = image(
        config,
        weights=[[7, 0]],
        biases=[{"bias": 5, "leak": 1000}],
        populations=[row | {"retain_synaptic": 1024}],
        connections=[{"sources": 1, "groups": 1, "synapses": 1}],
    )
    probes = play(loaded, [event(config), mark(config, first=1), mark(config)], 60)
    # (7 << 3) + 5 = 61; 15 + 5 = 20. 61 + 1000; 1061 + 20 + 1000.
    (first, *_), (second, *_) = written(config, probes, "current")
    assert written(config, probes, "current") == [(first, 0, 61), (second, 0, 20)]
    assert written(config, probes, "state") == [(first + 3, 0, 1061), (second + 3, 0, 2081)]


# Gains of the input.


def test_a_gain_scales_sum_and_bias_a_clock_later() -> None:
    config = dataclasses.replace(FINE, input_gain=True, bias_rows=5)
    row = {"neurons": 2, "fraction": 1, "retain": DECAY_ONE, "bias_base": 3}
    loaded = image(
        config,
        weights=[[3, -3]],
        # Half and one unit in 4096 less; minus one and a half.
        biases=[{}, {}, {}, {"gain": 2048, "bias": -1}, {"gain": -6144, "bias": 5 << 12}],
        populations=[row],
        connections=[{"sources": 1, "groups": 1, "synapses": 2}],
    )
    probes = play(loaded, [event(config), event(config), mark(config, first=1), mark(config)], 80)
    # (6 << 1) / 2 - 1/4096, (-6 << 1) * -3/2 + 5; then the biases, rounded down.
    assert [write[1:] for write in written(config, probes, "state")] == [
        *((0, 5), (1, 23)),
        *((0, 4), (1, 28)),
    ]
    starts = clocks_of(probes, "0.fetch.valid")
    # A neuron that enters in clock m is written in m + 7.
    assert [clock for clock, *_ in written(config, probes, "state")] == [
        clock + 7 + n for clock in starts for n in range(2)
    ]


def test_a_gain_of_a_synaptic_current() -> None:
    config = dataclasses.replace(FINE, input_gain=True, synaptic_current=True)
    row = {"neurons": 1, "retain": DECAY_ONE, "synaptic": 1, "retain_synaptic": 2048}
    biases = [{"gain": 8192, "bias": 3 << 12, "leak": 100}]
    probes = play(image(config, biases=biases, populations=[row]), [mark(config)] * 2, 60)
    # 3, and 1 + 3.
    (first, *_), (second, *_) = written(config, probes, "current")
    assert written(config, probes, "current") == [(first, 0, 3), (second, 0, 4)]
    assert written(config, probes, "state") == [(first + 3, 0, 103), (second + 3, 0, 207)]
    assert first == clocks_of(probes, "0.fetch.valid")[0] + 6


# Parameters of neurons.


def test_other_parameters_of_their_own_in_the_next_step() -> None:
    config = dataclasses.replace(OWN, schedules=True, bias_rows=5)
    # The rows of step 0 begin at 3, those of all others at 1.
    own = {"retain": DECAY_ONE, "threshold": 99}
    biases = [{}, {"bias": 1, **own}, {"bias": 2, **own}, {"bias": 30, **own}, {"bias": 40, **own}]
    row = {"neurons": 2, "spiking": 1, "next": 1}
    loaded = image(
        config, biases=biases, populations=[row | {"bias_base": 3}, row | {"bias_base": 1}]
    )
    probes = play(loaded, [mark(config, first=t == 0) for t in range(3)], 70)
    writes = written(config, probes, "state")
    assert [value for _, address, value in writes if address == 0] == [30, 31, 32]
    assert [value for _, address, value in writes if address == 1] == [40, 42, 44]
    # No clock more.
    starts = clocks_of(probes, "0.fetch.valid")
    assert [clock for clock, *_ in writes] == [clock + 6 + n for clock in starts for n in range(2)]


def test_neurons_have_decays_thresholds_and_reset_values_of_their_own() -> None:
    biases = [
        {"bias": 6, "retain": DECAY_ONE, "threshold": 10, "v_reset": -3},
        {"bias": 6, "retain": 2048, "threshold": 8, "v_reset": 5},
    ]
    row = {"neurons": 2, "spiking": 1}
    loaded = image(OWN, biases=biases, populations=[row])
    probes = play(loaded, [mark(OWN, first=t == 0) for t in range(4)], 90)
    # 6, 12 spikes, -3 + 6, 3 + 6. 6, 3 + 6 spikes, 2 + 6, 4 + 6 spikes.
    writes = written(OWN, probes, "state")
    assert [value for _, address, value in writes if address == 0] == [6, -3, 3, 9]
    assert [value for _, address, value in writes if address == 1] == [6, 5, 8, 5]
    assert probes[-1]["counters.spikes.0"] == 3
    # They enter in 7 and 8.
    assert [clock for clock, *_ in writes[:2]] == [13, 14]
    subtracting = image(OWN, biases=biases, populations=[row | {"reset": Reset.SUBTRACT}])
    writes = written(OWN, play(subtracting, [mark(OWN)] * 3, 70), "state")
    # 6, 12 + 3, 21 + 3. 6, 9 - 5, 8.
    assert [value for _, address, value in writes if address == 0] == [6, 15, 24]
    assert [value for _, address, value in writes if address == 1] == [6, 4, 8]


def test_neurons_have_initial_potentials_of_their_own() -> None:
    parameters = {"bias": 1, "retain": DECAY_ONE, "threshold": 100}
    biases = [parameters | {"v_init": v_init} for v_init in (-3, 20, 1 << 14)]
    row = {"neurons": 3, "spiking": 1}
    marks = [mark(OWN, first=1), mark(OWN), mark(OWN, first=1)]
    writes = written(OWN, play(image(OWN, biases=biases, populations=[row]), marks, 90), "state")
    # In the first step of a sample they take the place of the state; the third neuron spikes.
    assert [value for _, address, value in writes if address == 0] == [-2, -1, -2]
    assert [value for _, address, value in writes if address == 1] == [21, 22, 21]
    assert [value for _, address, value in writes if address == 2] == [0, 1, 0]


def test_neurons_have_synaptic_decays_of_their_own() -> None:
    config = dataclasses.replace(OWN, synaptic_current=True, max_spikes=3)
    parameters = {"bias": 20, "leak": 1, "retain": DECAY_ONE}
    biases = [
        parameters | {"retain_synaptic": 2048, "threshold": 10, "v_reset": 10},
        parameters | {"retain_synaptic": 1024, "threshold": 7, "v_reset": 7},
    ]
    row = {"neurons": 2, "spiking": 1, "synaptic": 1, "reset": Reset.SUBTRACT, "max_spikes": 3}
    probes = play(image(config, biases=biases, populations=[row]), [mark(config)] * 2, 60)
    currents = [value for *_, value in written(config, probes, "current")]
    assert currents == [20, 20, 30, 25]
    # 21 - 20, 21 - 14 (7 is above 7 twice only); 1 + 31 - 30, 7 + 26 - 21.
    assert [value for *_, value in written(config, probes, "state")] == [1, 7, 2, 12]
    assert probes[-1]["counters.spikes.0"] == 2 + 2 + 3 + 3


def test_neurons_of_an_image_share_the_parameters_of_their_channel() -> None:
    config = dataclasses.replace(OWN, neurons=8, extent=2, delayed_reset=True)
    biases = [
        {"bias": 1, "threshold": 0, "v_reset": 7},
        {"bias": 1, "threshold": 1, "v_reset": 7},
        {"bias": 1, "threshold": -1, "v_reset": 9},
    ]
    row = {"neurons": 6, "channels": 3, "height": 1, "width": 2, "spiking": 1, "shared": 1}
    probes = play(image(config, biases=biases, populations=[row]), [mark(config)], 60)
    values = {address: value for _, address, value in written(config, probes, "state")}
    # Channels 0 and 1 at both positions, then channel 2, a group each.
    assert values == {0: 7, 1: 1, 2: 7, 3: 1, 4: 9, 6: 9}
    started = [bias | {"v_init": 1} for bias in biases]
    late = image(config, biases=started, populations=[row | {"delayed": 1}])
    writes = written(config, play(late, [mark(config, first=1)], 60), "state")
    assert {address: value for _, address, value in writes} == {0: 7, 1: 1, 2: 7, 3: 1, 4: 9, 6: 9}


# Restoring resets.


def potentials(bias: int, steps: int, **row: int) -> list[list[int]]:
    """[spikes, potential] of a neuron in each step; every step is marked as the last."""
    values = {"neurons": 1, "readout": 1, "reset": Reset.RESTORE, "v_min": -1000} | PLAIN | row
    loaded = image(RESTORING, biases=[bias], populations=[values], targets=[TO_HOST])
    result = [[0, 0]]
    words = [mark(RESTORING, first=int(t == 0)) for t in range(steps)]
    for packet in packets(loaded, words):
        if packet["kind"] == PacketKind.SPIKE:
            result[-1][0] += 1
        elif packet["kind"] == PacketKind.STATE:
            result[-1][1] = packet["value"]
        else:
            result.append([0, 0])
    return result[:-1]


def test_a_reset_that_is_restored_where_no_spike_follows() -> None:
    row = {"threshold": 10, "v_reset": 20}
    # 50 is above 10: 5 - 20 = -15 does not spike, 5. Then 5 again.
    assert potentials(5, 2, v_init=50, retain=0, **row) == [[0, 5], [0, 5]]
    # 6; 12 spikes: -8; -2.
    assert potentials(6, 3, **row) == [[0, 6], [1, -8], [0, -2]]
    # 50 + 5 - 20 = 35 spikes and stays; 35 + 5 - 20 = 20 likewise; 20 + 5 - 20 = 5, 25.
    expected = [[1, 35], [1, 20], [0, 25]]
    assert potentials(5, 3, v_init=50, **row) == expected
    # The lower limit comes first: -15 is -2, and 18 after the restoration.
    assert potentials(5, 1, v_init=50, retain=0, v_min=-2, **row) == [[0, 18]]
    # >=, and saturation in between.
    assert potentials(-5, 1, v_init=10, inclusive=1, **row) == [[0, 5]]
    low = -(1 << 15)
    saturated = potentials(low, 1, v_init=50, retain=0, v_min=low, **row)
    assert saturated == [[0, low + 20]]
    # Neurons that do not spike are never reset.
    assert potentials(5, 2, v_init=50, spiking=0, **row) == [[0, 55], [0, 60]]


def test_a_restoring_reset_takes_no_clock_more() -> None:
    row = {"neurons": 1, "reset": Reset.RESTORE, "v_min": -10} | PLAIN
    config = dataclasses.replace(RESTORING, lower_clamp=False)
    without = {name: value for name, value in row.items() if name != "v_min"}
    for built, clocks in ((RESTORING, 7), (config, 6)):
        populations = [row if built.lower_clamp else without]
        probes = play(image(built, biases=[5], populations=populations), [mark(built)], 30)
        # The fetch is in 7.
        assert clocks_of(probes, "0.state.write") == [7 + clocks]
