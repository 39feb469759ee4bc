"""Figures that are counted: the same on every machine, and counted again by the tests.

The golden models count. The RTL equals them in every spike, state and clock, which the other
benchmarks and the tests check. A part is one function, and what it yields.
"""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from bench import core, learning, mesh
from bench.figure import Figure
from examples import braille, nmnist
from spikeloom.compiler import compile
from spikeloom.demo import DT, digits, mnist_program
from spikeloom.devices.backends import open
from spikeloom.devices.device import Run
from spikeloom.devices.prediction import golden_clocks
from spikeloom.examples.mnist import encode
from spikeloom.golden.step.run import check_inputs
from spikeloom.importer.load import load_nir
from spikeloom.program import Program

DIGITS = 1000
"""Images, those of `make demo`."""

SIZES: dict[str, dict[str, int]] = {
    # Trained with the integers of a fabric without fraction bits, truncation included.
    "nmnist": {"neurons": 4096, "weight_words": 2048, "fraction_bits": 0},
    "braille": {},
}
"""Of the fabrics of the examples, where they are not left to `compile`."""


def measure(data: Path) -> Iterator[Figure]:
    """Count all."""
    for count in PARTS.values():
        yield from count(data)


def example_program(example: ModuleType, name: str, **more: int) -> Program:
    """A trained network, compiled, with `more` fields of the fabric."""
    path = Path(example.__path__[0]) / f"{name}.nir"
    return compile(load_nir(path, dt=DT), SIZES[name] | more)


def _mnist(_data: Path) -> Iterator[Figure]:
    images, labels = digits(DIGITS)
    program, events = mnist_program(), encode(images)
    run = _golden(program, events)
    yield _accuracy("counted.mnist", program, run, labels)
    yield from _clocks("counted.mnist", program, run, events)


def _example(example: ModuleType, name: str, data: Path) -> Iterator[Figure]:
    events, labels = example.held_out(data)
    program = example_program(example, name)
    run = _golden(program, events)
    yield _accuracy(f"counted.{name}", program, run, labels)
    yield from _clocks(f"counted.{name}", program, run, events)


def _nmnist(data: Path) -> Iterator[Figure]:
    yield from _example(nmnist, "nmnist", data)


def _braille(data: Path) -> Iterator[Figure]:
    yield from _example(braille, "braille", data)


def _fire_lanes(data: Path) -> Iterator[Figure]:
    """The examples again, with four neurons updated per clock."""
    events, _ = braille.held_out(data)
    program = example_program(braille, "braille", fire_lanes=4)
    clocks, operations = _clocks(
        "counted.fire_lanes.braille", program, _golden(program, events), events
    )
    yield from (clocks, dataclasses.replace(operations, goal=0.7))
    images, _ = digits(DIGITS)
    events = encode(images)
    program = compile(mnist_program().network, {"lanes": 16, "fire_lanes": 4})
    clocks, operations = _clocks(
        "counted.fire_lanes.mnist", program, _golden(program, events), events
    )
    yield from (dataclasses.replace(clocks, goal=1150.0, at_most=True), operations)


def _mesh(_data: Path) -> Iterator[Figure]:
    rates = {}
    for tiles in mesh.GRID:
        program, events = mesh.silent(tiles)
        clocks = golden_clocks(program.image, check_inputs(program.network, events))
        yield Figure(f"counted.mesh.barrier.{tiles}", mesh.barrier(clocks), "clocks per step")
        program, events = mesh.scaled(tiles)
        clocks = golden_clocks(program.image, check_inputs(program.network, events))
        rates[tiles] = _golden(program, events).synops / int(clocks.sum())
        yield Figure(f"counted.mesh.scaling.synops_per_clock.{tiles}", rates[tiles], "")
    efficiency = rates[16] / rates[1] / 16
    yield Figure("counted.mesh.scaling.efficiency.16", efficiency, "of one tile's, per tile")


def _cells(_data: Path) -> Iterator[Figure]:
    yield Figure("counted.cells.up5k.tile.icestorm_lc", core.tile_cells("up5k"), "cells")


def _learning(_data: Path) -> Iterator[Figure]:
    yield from learning.rates()


PARTS: dict[str, Callable[[Path], Iterator[Figure]]] = {
    "mnist": _mnist,
    "nmnist": _nmnist,
    "braille": _braille,
    "fire_lanes": _fire_lanes,
    "mesh": _mesh,
    "cells": _cells,
    "learning": _learning,
}


def _golden(program: Program, events: np.ndarray) -> Run:
    with open(program, "golden") as device:
        return device.run(events)


def _accuracy(name: str, program: Program, run: Run, labels: np.ndarray) -> Figure:
    answers = run.states[program.network.populations[-1].name].argmax(axis=1)
    return Figure(f"{name}.accuracy", float((answers == labels).mean()), f"of {len(labels)}")


def _clocks(name: str, program: Program, run: Run, events: np.ndarray) -> Iterator[Figure]:
    clocks = int(golden_clocks(program.image, check_inputs(program.network, events)).sum())
    yield Figure(f"{name}.clocks_per_sample", clocks / len(events), "clocks")
    yield Figure(
        f"{name}.synops_per_clock_and_lane", run.synops / clocks / program.fabric.lanes, ""
    )
