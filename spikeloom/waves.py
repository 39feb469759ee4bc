"""Waveforms of chosen samples, steps or clocks of a run."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeloom.devices.chunks import CHUNK, chunk_of, chunk_sizes, chunk_words
from spikeloom.devices.device import Events
from spikeloom.devices.traces import Traces, traced_neurons
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.spec import PacketKind
from spikeloom.golden.step.run import check_inputs
from spikeloom.program import Program
from spikeloom.sim.runner import Simulation
from spikeloom.sim.waves.record import record

MAX_CLOCKS = 200_000
"""Maximum length of a waveform: about 1 GB as Verilator records it, for an hour of viewing."""


@dataclass(frozen=True)
class Position:
    """A sample, a step of a sample, or a clock.

    Parameters
    ----------
    sample
        From 0; None for a clock.
    step
        From 0; None for a whole sample.
    clock
        Counted from the beginning of the run; None for a sample.
    """

    sample: int | None = None
    step: int | None = None
    clock: int | None = None


def parse_position(text: str) -> Position:
    """A position from SAMPLE, SAMPLE:STEP or clock=N; raises `SpikeloomError`."""
    if match := re.fullmatch(r"clock=(\d{1,18})", text, re.ASCII):
        return Position(clock=int(match[1]))
    if match := re.fullmatch(r"(\d{1,18})(?::(\d{1,18}))?", text, re.ASCII):
        return Position(int(match[1]), None if match[2] is None else int(match[2]))
    raise SpikeloomError(f"position {text!r} must be SAMPLE, SAMPLE:STEP or clock=N, from 0")


def write_waves(
    program: Program,
    events: Events,
    path: Path,
    first: Position | None = None,
    last: Position | None = None,
    *,
    traces: Traces | None = None,
    verilog: str | None = None,
) -> list[Path]:
    """Write what every signal of the RTL does in some of the clocks of a run.

    Parameters
    ----------
    program, events, traces
        As for `Device.run`.
    path
        `.fst` or `.vcd`; see `spikeloom.sim.waves.record.record`.
    first, last
        What to show first and last. By default, from the beginning, and to the end of the sample
        in which `first` lies.
    verilog
        Verilog to run instead of that of the program's fabric.

    Returns
    -------
    The files written.

    Raises
    ------
    SpikeloomError
        There are no such clocks, they are more than `MAX_CLOCKS` or in different chunks of samples,
        the events do not fit, or a file cannot be written.
    """
    counts = check_inputs(program.network, events)
    samples, steps = next(iter(counts.values())).shape[:2]
    image = program.image.with_traces(traced_neurons(program.network, traces))
    first = first or Position(0)
    origin = _chunk(image, first, last, samples, steps)
    part = {
        name: array[origin:][: chunk_sizes(image, samples)[0]] for name, array in counts.items()
    }
    words = next(chunk_words(image, part))
    image = image.from_sample(origin)
    with Simulation(image.config, verilog=verilog) as simulation:
        simulation.load(image)
        clocks, packets = simulation.run(words)
    kinds = packets & np.uint64(3)
    ends = clocks[kinds == PacketKind.STEP].astype(np.int64).reshape(-1, steps) + 1
    starts = np.concatenate([[0], ends.ravel()[:-1]]).reshape(ends.shape)
    start = _clock(first, starts[:, 0], starts, origin)
    if start >= ends[-1, -1]:
        where = f"the first {CHUNK} samples take" if samples > CHUNK else "the run takes"
        raise SpikeloomError(f"clock {start} is too late: {where} {ends[-1, -1]} clocks")
    if last is None:
        last = Position(origin + int(np.searchsorted(ends[:, -1], start, side="right")))
    stop = min(_clock(last, ends[:, -1], ends, origin) + (last.clock is not None), ends[-1, -1])
    if start >= stop:
        raise SpikeloomError("a waveform must not end before it begins")
    if stop - start > MAX_CLOCKS:
        raise SpikeloomError(
            f"a waveform of {stop - start} clocks is too long; choose at most {MAX_CLOCKS}"
        )
    marks = {
        "sample": [(2 * int(at), origin + n) for n, at in enumerate(starts[:, 0])],
        "step": [(2 * int(at), n % steps) for n, at in enumerate(starts.ravel())],
    }
    marks = {name: _within(changes, 2 * start, 2 * int(stop)) for name, changes in marks.items()}
    return record(image, words, start, int(stop), path, marks=marks, verilog=verilog)


def _chunk(
    image: MemoryImage, first: Position, last: Position | None, samples: int, steps: int
) -> int:
    """The first sample of the chunk of a window."""
    for position in (first, last):
        if position is None:
            continue
        for what, value, count in (
            ("sample", position.sample, samples),
            ("step", position.step, steps),
        ):
            if value is not None and value >= count:
                raise SpikeloomError(f"there is no {what} {value}: the events have 0..{count - 1}")
    number, origin = chunk_of(image, first.sample or 0)
    if last is not None and chunk_of(image, last.sample or 0)[0] != number:
        raise SpikeloomError(
            f"a waveform cannot go over the end of a chunk of {CHUNK} samples, such as "
            f"{CHUNK - 1} to {CHUNK}: there the fabric starts from reset"
        )
    return origin


def _clock(
    position: Position, samples: NDArray[np.int64], steps: NDArray[np.int64], origin: int
) -> int:
    """The clock of a position, with those of each sample, and of each step of each sample."""
    if position.clock is not None:
        return position.clock
    assert position.sample is not None
    sample = position.sample - origin
    return int(samples[sample] if position.step is None else steps[sample, position.step])


def _within(changes: list[tuple[int, int]], start: int, stop: int) -> list[tuple[int, int]]:
    """The changes in a window; the last one before it moves to its beginning."""
    before = [number for time, number in changes if time <= start][-1:]
    return [(start, number) for number in before] + [
        (time, number) for time, number in changes if start < time < stop
    ]
