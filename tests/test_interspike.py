"""The system of `examples/interspike`: traces are exact, and maps lie where strokes are."""

import numpy as np
from example_fabric import TRACED
from locking import one_at_a_time

import spikeloom
from examples.interspike import (
    MAPPED,
    MAPS,
    STEPS,
    UNIT,
    Layers,
    activation_maps,
    encode,
    on_strokes,
)
from examples.interspike.evaluate import contributions, maps_of
from spikeloom.compare import compare
from spikeloom.demo import digits


def test_traces_are_decayed_sums_of_earlier_spikes() -> None:
    images, _ = digits(1)
    program = spikeloom.compile(Layers.load().network(), TRACED)
    with one_at_a_time("example-traced"):
        result = compare(program, encode(images), traces=["maps", "traces"])
    assert result.mismatches == 0, str(result.first)
    spikes, traces = result.rtl.spikes["maps"], result.rtl.traces["traces"]
    expected = np.zeros((1, MAPS * MAPPED**2), np.int64)
    for step in range(STEPS):
        expected = expected * (4096 - 1612) // 4096  # 1612 is 4096 * (1 - exp(-0.5))
        if step:
            expected = expected + UNIT * spikes[:, step - 1]
        np.testing.assert_array_equal(traces[:, step], expected)
    assert np.abs(traces / UNIT - contributions(spikes)).max() < 0.03
    assert expected.max() > UNIT  # some neuron spiked twice within a short time


def test_a_map_sums_the_contributions_of_those_that_spike_now() -> None:
    spikes = np.zeros((1, STEPS, MAPS, MAPPED, MAPPED), np.bool_)
    traces = np.zeros(spikes.shape, np.int64)
    spikes[0, 4, 1, 2, 3] = spikes[0, 4, 5, 2, 3] = True
    traces[0, 4, 1:7, 2, 3] = 10, 20, 30, 40, 50, 60  # of channels 1 to 6
    flat = (1, STEPS, MAPS * MAPPED**2)
    maps = activation_maps(spikes.reshape(flat), traces.reshape(flat))
    assert maps[0, 4, 2, 3] == 10 + 50
    assert maps.sum() == 60


def test_maps_lie_on_strokes() -> None:
    images, _ = digits(50)
    program = spikeloom.compile(Layers.load().network(), TRACED)
    with spikeloom.open(program) as device:
        maps = maps_of(device.run(encode(images), traces=["traces"])).sum(axis=1)
    strokes = on_strokes(images)
    inside, outside = ((maps * part).sum(axis=(1, 2)) for part in (strokes, ~strokes))
    assert strokes.mean() < 0.4
    assert (inside > outside).mean() > 0.9
