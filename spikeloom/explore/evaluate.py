"""Tries one point: compiles the network for it, runs golden, predicts clocks, estimates cells."""

import dataclasses
import functools
import json
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.boards.board import Board
from spikeloom.boards.registry import board
from spikeloom.compiler import compile
from spikeloom.devices.prediction import predict_clocks
from spikeloom.estimate.cells import table
from spikeloom.estimate.clocks import excerpt
from spikeloom.estimate.estimate import overflow, resources
from spikeloom.evaluation.accuracy import accuracy
from spikeloom.evaluation.decoding import choose_decoding
from spikeloom.evaluation.labels import Labels
from spikeloom.explore.points import Point
from spikeloom.golden.errors import SpikeloomError, SpikeloomWarning
from spikeloom.golden.event_counts import EventCounts
from spikeloom.golden.network import Network
from spikeloom.golden.spec import FabricConfig
from spikeloom.golden.step.run import check_inputs
from spikeloom.importer.float_network import FloatNetwork
from spikeloom.importer.load import load_nir
from spikeloom.quantise.integers import Schedule
from spikeloom.scores import GOLDEN, Question, run_float, score, units_of
from spikeloom.sim.jobs.arrays import pack, unpack


@dataclass(frozen=True)
class Task:
    """What all points of a sweep share, as plain data.

    Parameters
    ----------
    model
        The bytes of a NIR file.
    dialect, options
        As for `load_nir`.
    events
        For each input of the network its events, (samples, steps, axons).
    labels
        The right answer of each sample, int64; None to count the spikes that differ from floats.
    decode
        As for `choose_decoding`.
    max_count
        Maximum events per axon and step.
    """

    model: bytes
    dialect: str
    options: Mapping[str, Any]
    events: Mapping[str, EventCounts]
    labels: Labels | None = None
    decode: str | None = None
    max_count: int = 1

    def pack(self) -> bytes:
        """The task as bytes."""
        head = {
            "dialect": self.dialect,
            "options": dict(self.options),
            "decode": self.decode,
            "max_count": self.max_count,
        }
        arrays: dict[str, NDArray[Any]] = {
            "head": np.frombuffer(json.dumps(head).encode(), np.uint8),
            "model": np.frombuffer(self.model, np.uint8),
            **({} if self.labels is None else {"labels": self.labels}),
        }
        return pack(arrays | {f"events/{name}": array for name, array in self.events.items()})

    @classmethod
    def unpack(cls, data: bytes) -> "Task":
        """The task that `pack` wrote."""
        arrays = unpack(data)
        head = json.loads(arrays.pop("head").tobytes())
        model, labels = arrays.pop("model").tobytes(), arrays.pop("labels", None)
        events = {name.partition("/")[2]: array for name, array in arrays.items()}
        return cls(model, events=events, labels=labels, **head)


@dataclass(frozen=True)
class Result:
    """What a point costs, and what it is worth; None where it is unknown, or does not work.

    Parameters
    ----------
    point
        The point.
    accuracy
        Fraction of right answers; without labels, of spikes that are those of the floats in the
        worst population.
    clocks
        Clocks of a sample, by the cycle-level model.
    memory_bits
        Bits of all memories of the fabric.
    cells, cells_available
        Logic cells, estimated, and those of the part.
    mhz
        Clock of the board.
    problem
        Why it does not work or fit.
    """

    point: Point
    accuracy: float | None = None
    clocks: float | None = None
    memory_bits: int | None = None
    cells: int | None = None
    cells_available: int | None = None
    mhz: float | None = None
    problem: str | None = None

    @property
    def microseconds(self) -> float | None:
        """Time of a sample on the board."""
        return None if self.clocks is None or self.mhz is None else self.clocks / self.mhz


def evaluate(shared: bytes, own: bytes) -> bytes:
    """Try a point; for `spikeloom.sim.jobs`. Takes a `Task` and a `Point`, gives a `Result`."""
    point = Point(**json.loads(own))
    try:
        result = _evaluated(shared, point)
    except SpikeloomError as error:
        result = Result(point, problem=str(error))
    return json.dumps(dataclasses.asdict(result)).encode()


def read_result(data: bytes) -> Result:
    """The result that `evaluate` gave."""
    values = json.loads(data)
    return Result(Point(**values.pop("point")), **values)


def _evaluated(shared: bytes, point: Point) -> Result:
    """The result of a point; raises `SpikeloomError` if it does not work."""
    task, _ = _task(shared)
    network, worth = _quantised(shared, point.weight_bits, point.state_bits, point.schedule)
    sizes = {"lanes": point.lanes, "columns": point.columns, "rows": point.rows}
    program = compile(network, sizes)
    fabric = program.fabric
    counts = excerpt(check_inputs(network, task.events))
    result = Result(
        point,
        accuracy=worth,
        clocks=float(predict_clocks(program.image, counts).sum(axis=1).mean()),
        memory_bits=fabric.tiles
        * sum(row.width * depth for row, depth in fabric.readable_memories.values()),
    )
    return result if point.board is None else _on_board(result, fabric, board(point.board))


def _on_board(result: Result, fabric: FabricConfig, part: Board) -> Result:
    """The result with what the fabric takes of a board's part."""
    available = table()["boards"][part.name]["available"]
    used = resources(fabric, part)
    short = [
        f"{name} {needed:,} of {there:,}"
        for name, (needed, there) in overflow(used, available).items()
    ]
    return dataclasses.replace(
        result,
        cells=used["logic_cells"],
        cells_available=available["logic_cells"],
        mhz=part.clock_mhz,
        problem=f"too large: {', '.join(short)}" if short else None,
    )


@functools.lru_cache(1)
def _task(shared: bytes) -> tuple[Task, FloatNetwork]:
    """The task, and its network."""
    task = Task.unpack(shared)
    with tempfile.NamedTemporaryFile(suffix=".nir") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", SpikeloomWarning)  # said once, before the sweep
        file.write(task.model)
        file.flush()
        return task, load_nir(file.name, task.dialect, **task.options)


@functools.lru_cache(16)
def _quantised(
    shared: bytes, weight_bits: int, state_bits: int | None, schedule: Schedule
) -> tuple[Network, float]:
    """The integer network, which is the same on all fabrics, and what it is worth."""
    task, net = _task(shared)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpikeloomWarning)
        program = compile(
            net,
            weight_bits=weight_bits,
            state_bits=state_bits,
            schedule=schedule,
            max_count=task.max_count,
        )
    counts = check_inputs(program.network, task.events)
    if task.labels is None:
        layers = score(program, counts, Question(net=net, units=units_of(program))).layers
        rounding = [layer.rounding.spikes for layer in layers if layer.rounding]
        return program.network, min((spikes.fraction for spikes in rounding if spikes), default=1.0)
    decoding = choose_decoding(net, [name for _, name in net.outputs], task.decode)
    question = Question(labels=task.labels, decoding=decoding)
    return program.network, score(program, counts, question).accuracies[GOLDEN]


def baseline(shared: bytes, own: bytes) -> bytes:
    """The accuracy in floats; for `spikeloom.sim.jobs`. Takes a `Task`, with labels."""
    task, net = _task(shared)
    assert task.labels is not None
    network, _ = _quantised(shared, 8, None, "layered")
    decoding = choose_decoding(net, [name for _, name in net.outputs], task.decode)
    run = run_float(net, network, check_inputs(network, task.events), decoding.traced)
    return json.dumps(accuracy(decoding.answers(run), task.labels)).encode()
