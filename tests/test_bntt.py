"""Batch normalisation through time: folded is unfolded, and golden is the hardware."""

import numpy as np

import spikeloom
from examples.bntt import Layers, encode
from examples.bntt.evaluate import largest_difference, program, sums
from spikeloom.devices.chunks import chunk_words
from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.host import decode_packets


def test_a_gain_and_an_offset_of_each_step() -> None:
    """In float, in integers and on every clock of the hardware's model, also when it ends early."""
    layers = Layers.load()
    images = np.random.default_rng(6).integers(0, 256, (8, 28, 28), np.uint8)
    images[:, :, :14] = 0
    events = encode(images)
    assert largest_difference(layers, events) < 1e-5
    made = program(layers)
    with spikeloom.open(made, backend="golden") as device:
        run, early = device.run(events), device.run(events[:, :3])
    np.testing.assert_array_equal(early.spikes["hidden"], run.spikes["hidden"][:, :3])
    after = sums(made, run.spikes["hidden"])
    np.testing.assert_array_equal(after[:, -1], run.states["classes"])
    np.testing.assert_array_equal(after[:, 2], early.states["classes"])
    assert early.spikes["hidden"].any()
    cycle = CycleModel(made.fabric)
    cycle.load(made.image)
    words = next(chunk_words(made.image, {"pixels": events[:1, :3].view(np.uint8)}))
    clocks, packets = np.array(cycle.run([int(word) for word in words]), np.uint64).T
    heard = decode_packets(made.image, clocks, packets, 1, 3)
    np.testing.assert_array_equal(heard.spikes["hidden"], early.spikes["hidden"][:1])
    np.testing.assert_array_equal(heard.states["classes"], early.states["classes"][:1])
