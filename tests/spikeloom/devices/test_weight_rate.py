"""The rate at which weights pass the link of a board, in clocks of its RTL."""

from collections.abc import Iterator

import numpy as np
import pytest
from locking import one_at_a_time
from pins_line import PinsLine

from spikeloom.compare import compare_device
from spikeloom.devices import serial_device
from spikeloom.devices.serial_device import SerialDevice
from spikeloom.golden.link import LinkConfig
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig
from spikeloom.program import Program
from spikeloom.sim.virtual_board import TOP, Pins, emit

LINK = LinkConfig("rate", 24_000_000, 4)
"""The fastest line that a link can have, in clocks per bit."""
FABRIC = FabricConfig(
    neurons=64, weight_words=512, populations=2, connections=2, targets=4, queue=16, readable=True
)
BYTE = 10 * LINK.clocks_per_bit
"""Clocks on the line."""
WORD = 8
"""Bytes."""


@pytest.fixture
def pins(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pins]:
    with one_at_a_time("weight rate"):
        made = Pins(emit(FABRIC, LINK), TOP, LINK.clocks_per_bit)
    monkeypatch.setattr(serial_device, "open_port", lambda *_: PinsLine(made))
    yield made
    made.close()


def network(seed: int) -> Network:
    weights = np.random.default_rng(seed).integers(-9, 30, (64, 64))
    neurons = Population("out", 64, np.zeros(64, np.int64), threshold=300)
    return Network((Input("in", 64),), (neurons,), (Connection("in", "out", weights),))


def test_weights_are_written_and_read_at_nine_tenths_of_the_line_rate(pins: Pins) -> None:
    """Of the line's bytes, that many are weights: frames, checksums and pauses are the rest."""
    program = Program(network(1), FABRIC, frozenset({"out"}), frozenset({"out"}))
    words = len(program.image.tiles[0].weights)
    assert words == 512
    new = network(2).connections[0].weights
    with SerialDevice(program, "pins", LINK.baud, patience=60) as device:
        start = pins.clocks
        device.weights["in->out"] = new
        writing = pins.clocks - start
        start = pins.clocks
        assert np.array_equal(device.weights["in->out"], new)
        reading = pins.clocks - start
        assert device.session.sessions == 1
        events = np.random.default_rng(3).random((2, 6, 64)) < 0.3
        result = compare_device(device.program, events, device)
    least = words * WORD * BYTE
    print(f"of the line rate: writing {least / writing:.3f}, reading {least / reading:.3f}")
    # Every row differs, but for chance.
    assert least / writing >= 0.9
    assert least / reading >= 0.9
    assert result.mismatches == 0
    assert result.golden.spikes["out"].any()


def test_one_weight_takes_one_word(pins: Pins) -> None:
    """A frame with one row, and no other byte but a frame that is answered."""
    program = Program(network(1), FABRIC, frozenset({"out"}), frozenset({"out"}))
    weights = program.network.connections[0].weights.copy()
    weights[40, 13] += 1
    with SerialDevice(program, "pins", LINK.baud, patience=60) as device:
        start = pins.taken
        device.weights["in->out"] = weights
        # COBS and delimiter, header, checksum, target, tile, address, row.
        assert pins.taken - start == 2 + 3 + 4 + 5 + WORD
        assert np.array_equal(device.weights["in->out"], weights)
