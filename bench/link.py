"""How busy the serial line is, in clocks of a virtual board, and what that is worth in images."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.figure import Figure
from spikeloom.boards.registry import board
from spikeloom.compare import compare_device
from spikeloom.demo import digits, mnist_program
from spikeloom.devices.backends import VirtualDevice
from spikeloom.devices.serial_device import SerialDevice
from spikeloom.examples.mnist import encode
from spikeloom.golden.link import LinkConfig
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig
from spikeloom.program import Program
from spikeloom.sim.virtual_board import Pins, VirtualBoard

LINK = LinkConfig("bench", 30_000_000, 8)
"""4 Mbaud: a fabric of one tile is faster."""
IMAGES = 100
GOAL = 0.9
"""Of the line rate."""
_BYTE = 10
"""Bits of a byte on the line."""


@dataclass(frozen=True)
class Use:
    """The part of some clocks in which each direction was busy."""

    to_board: float
    to_host: float


class _Watch:
    """Measures a board from here to `use`."""

    def __init__(self, pins: Pins, clocks_per_bit: int) -> None:
        self._pins, self._clocks_per_bit = pins, clocks_per_bit
        self._before = pins.clocks, pins.taken, pins.given

    def use(self) -> Use:
        clocks, taken, given = (
            now - then
            for now, then in zip(
                (self._pins.clocks, self._pins.taken, self._pins.given), self._before, strict=True
            )
        )
        byte = _BYTE * self._clocks_per_bit
        return Use(taken * byte / clocks, given * byte / clocks)


def measure(data: Path) -> Iterator[Figure]:
    """Load, send events and receive results as fast as the line allows; then digits."""
    del data
    for name, rate in (("sparse", 0.02), ("dense", 0.4)):
        program, events = _listener(rate)
        with VirtualBoard(program.fabric, LINK) as virtual:
            watch = _Watch(virtual.pins, LINK.clocks_per_bit)
            with SerialDevice(program, virtual.port, LINK.baud, virtual.patience) as device:
                if name == "sparse":
                    yield _figure("loading", watch.use().to_board)
                watch = _Watch(virtual.pins, LINK.clocks_per_bit)
                assert compare_device(program, events, device).mismatches == 0
        yield _figure(f"events_{name}", watch.use().to_board)
    program, events = _speaker()
    with VirtualBoard(program.fabric, LINK) as virtual:
        with SerialDevice(program, virtual.port, LINK.baud, virtual.patience) as device:
            watch = _Watch(virtual.pins, LINK.clocks_per_bit)
            assert compare_device(program, events, device).mismatches == 0
        yield _figure("results", watch.use().to_host)
    yield from _digits()


def _figure(name: str, value: float) -> Figure:
    return Figure(f"link.{name}", value, "of the line rate", GOAL)


def _listener(rate: float) -> tuple[Program, np.ndarray]:
    """Many events in, few results out: one neuron, read out at the end of a sample."""
    net = Network(
        (Input("in", 1024),),
        (Population("p", 1, np.zeros(1, np.int64), threshold=30000),),
        (Connection("in", "p", np.arange(1024)[:, None] % 7 - 3),),
    )
    program = Program(net, FabricConfig(), frozenset(), frozenset("p"))
    return program, np.random.default_rng(1).random((20, 60, 1024)) < rate


def _speaker() -> tuple[Program, np.ndarray]:
    """Few events in, many results out: half of 256 neurons spike in each step."""
    net = Network(
        (Input("in", 8),),
        (Population("p", 256, np.zeros(256, np.int64), threshold=1),),
        (Connection("in", "p", np.random.default_rng(2).integers(-9, 10, (8, 256))),),
    )
    program = Program(net, FabricConfig(), frozenset("p"), frozenset("p"))
    return program, np.random.default_rng(1).random((50, 20, 8)) < 0.5


def _digits() -> Iterator[Figure]:
    """MNIST on a virtual iCEBreaker, as it comes and with a line of 4 Mbaud."""
    program = mnist_program(board("icebreaker").fabric)
    pictures, _ = digits(IMAGES)
    with VirtualDevice(program, "icebreaker", baud=LINK.baud) as device:
        pins = device.virtual.pins
        clocks, taken, given = pins.clocks, pins.taken, pins.given
        result = compare_device(program, encode(pictures), device)
        clocks, taken, given = pins.clocks - clocks, pins.taken - taken, pins.given - given
        used = device.board
    yield Figure("link.mnist.mismatches", result.mismatches, "spikes, states", 0, at_most=True)
    yield Figure("link.mnist.bytes_to_board", taken / IMAGES, "bytes per image")
    yield Figure("link.mnist.bytes_to_host", given / IMAGES, "bytes per image")
    seconds = clocks / used.clock_hz / IMAGES
    yield Figure("link.mnist.images_per_second", 1 / seconds, f"at {used.baud} baud")
