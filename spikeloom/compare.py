"""The comparison that everything is for: RTL against the golden model, spike by spike."""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.devices.device import (
    CHUNK,
    Device,
    Events,
    GoldenDevice,
    Progress,
    Run,
    VerilatorDevice,
    chunk_words,
    golden_clocks,
)
from spikeloom.devices.readback import table_rows
from spikeloom.devices.serial_device import SerialDevice
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.host import FaultyDevice, host_words
from spikeloom.golden.step.run import check_inputs, simulate
from spikeloom.program import Program
from spikeloom.sim import runner
from spikeloom.sim.cosim import check as cosim


@dataclass(frozen=True)
class Mismatch:
    """The first thing in which two runs differ.

    Parameters
    ----------
    sample
        Sample, from 0; None for what belongs to the whole run.
    step
        Step of a spike; None for what belongs to the whole sample.
    what
        "spike", "state", "potential" (a state read from its memory), "clocks", "synops" or
        "error counter".
    where
        Population and neuron; empty for what has none.
    expected, got
        By the golden model; by the RTL.
    """

    sample: int | None
    step: int | None
    what: str
    where: str
    expected: int
    got: int

    def __str__(self) -> str:
        place = "whole run" if self.sample is None else f"sample {self.sample}"
        if self.step is not None:
            place += f", step {self.step}"
        thing = f"{self.what} of {self.where}" if self.where else self.what
        return f"{place}: {thing} is {self.got}, expected {self.expected}"


@dataclass(frozen=True)
class Comparison:
    """What was compared, and what differs.

    Parameters
    ----------
    samples, steps
        Samples, and steps over all samples, compared with the step-level model: every spike of
        every recorded population, and the final state of every population read out.
    clocked
        Samples whose clock count was compared with the cycle-level model.
    mismatches
        Spikes, states and counts that differ.
    first
        The first of them.
    waveform
        File that shows the sample with the first mismatch; the first sample, if that belongs to
        the whole run.
    golden, rtl
        The two runs; `rtl` is that of the device.
    rows
        Rows of tables that were read back, and are as they were loaded.
    """

    samples: int
    steps: int
    clocked: int
    mismatches: int
    first: Mismatch | None
    waveform: str | None
    golden: Run
    rtl: Run
    rows: int = 0


def compare(
    program: Program,
    events: Events,
    *,
    waveform: Path | None = None,
    verilog: str | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Run `events` through the RTL and both levels of the golden model.

    Parameters
    ----------
    waveform
        File to write where there is a mismatch.
    verilog
        Another RTL than the program's.
    progress
        Called with the number of samples done by the RTL.

    Raises
    ------
    SpikeloomError
        The events do not fit, or a tool is missing.
    """
    counts = check_inputs(program.network, events)
    golden = GoldenDevice(program).run(counts)
    with VerilatorDevice(program, verilog=verilog) as device:
        rtl = device.run(counts, progress)
    golden = dataclasses.replace(golden, cycles=golden_clocks(program.image, counts))
    mismatches = sorted(_mismatches(golden, rtl), key=_when)
    samples, steps = next(iter(counts.values())).shape[:2]
    first = mismatches[0][0] if mismatches else None
    shown = None
    if first is not None and waveform is not None:
        _show(program, counts, first.sample or 0, rtl, waveform, verilog)
        shown = str(waveform)
    return Comparison(
        samples,
        samples * steps,
        samples,
        sum(count for _, count in mismatches),
        first,
        shown,
        golden,
        rtl,
    )


def compare_device(
    program: Program,
    events: Events,
    device: Device,
    progress: Progress | None = None,
    *,
    verify: bool = False,
) -> Comparison:
    """Run `events` on a device, such as a board, and compare all but its clocks with golden.

    Parameters
    ----------
    device
        Opened for `program`.
    progress
        Called with the number of samples that the device has run.
    verify
        Of a board: read its tables back beforehand, and the potentials of all neurons after the
        last sample.

    Raises
    ------
    SpikeloomError
        The events do not fit, the device is gone, or its memories cannot be read.
    FaultyDevice
        A table is not as it was loaded.
    """
    counts = check_inputs(program.network, events)
    golden = GoldenDevice(program).run(counts)
    board = device if verify and isinstance(device, SerialDevice) else None
    if verify and board is None:
        raise SpikeloomError("only the memories of a board can be verified")
    rows = check_tables(program, board) if board else 0
    got = device.run(counts, progress)
    found = [*_mismatches(golden, got)]
    if board:
        found += _wrong_potentials(program, counts, board)
    mismatches = sorted(found, key=_when)
    samples, steps = next(iter(counts.values())).shape[:2]
    first = mismatches[0][0] if mismatches else None
    total = sum(count for _, count in mismatches)
    return Comparison(samples, samples * steps, 0, total, first, None, golden, got, rows)


def check_tables(program: Program, device: SerialDevice) -> int:
    """Read every table of a board back; returns how many rows they have.

    Raises
    ------
    FaultyDevice
        A row is not as it was loaded: the first is named.
    SpikeloomError
        The board was built without a read port, or is gone.
    """
    compared = 0
    for target, tile, rows in table_rows(program.image):
        if not rows:
            continue
        got = device.read(target, tile, 0, len(rows))
        wrong = [n for n in range(len(rows)) if rows[n] != got[n]]
        if wrong:
            n, memory = wrong[0], target.name.lower()
            raise FaultyDevice(
                f"{device.board.board}: {memory} row {n} of tile {tile} is {got[n]:#x}, "
                f"{rows[n]:#x} was loaded ({len(wrong)} of {len(rows)} rows differ)"
            )
        compared += len(rows)
    return compared


def _wrong_potentials(
    program: Program, counts: dict[str, NDArray[np.uint8]], device: SerialDevice
) -> Iterator[tuple[Mismatch, int]]:
    """What differs of the potentials that the last sample leaves in the memories."""
    samples = len(next(iter(counts.values())))
    last = {name: array[-1:] for name, array in counts.items()}
    got = device.final_states(last)
    for name, expected in simulate(program.network, last).states.items():
        for found, number in _differing("potential", name, expected, got[name][None]):
            yield dataclasses.replace(found, sample=samples - 1), number


def check_cycles(
    program: Program,
    events: Events,
    *,
    seed: int,
    gap: float = 0.25,
    backpressure: float = 0.25,
) -> cosim.Report:
    """Compare every clock of the RTL with the cycle-level model while it runs `events`.

    `gap` and `backpressure` are the probabilities that in a clock the host offers no new word, and
    that it does not listen.
    """
    counts = check_inputs(program.network, events)
    words = np.concatenate(host_words(program.image, counts))
    scenario = cosim.Scenario([int(word) for word in words], seed, gap, backpressure)
    return cosim.check(program.image, scenario)


def _mismatches(golden: Run, rtl: Run) -> Iterator[tuple[Mismatch, int]]:
    """The first mismatch of each kind and population, and how many there are."""
    for name, expected in golden.spikes.items():
        yield from _differing("spike", name, expected, rtl.spikes[name])
    for name, potentials in golden.states.items():
        yield from _differing("state", name, potentials, rtl.states[name])
    if golden.cycles is not None:
        assert rtl.cycles is not None
        yield from _differing("clocks", "", golden.cycles, rtl.cycles)
    if golden.synops != rtl.synops:
        yield Mismatch(None, None, "synops", "", golden.synops, rtl.synops), 1
    if rtl.errors:
        yield Mismatch(None, None, "error counter", "", 0, rtl.errors), rtl.errors


def _differing(
    what: str, name: str, expected: NDArray[Any], got: NDArray[Any]
) -> Iterator[tuple[Mismatch, int]]:
    different = np.argwhere(expected != got)
    if len(different):
        at = tuple(int(i) for i in different[0])
        step = at[1] if len(at) == 3 else None
        where = f"{name}[{at[-1]}]" if name else ""
        mismatch = Mismatch(at[0], step, what, where, int(expected[at]), int(got[at]))
        yield mismatch, len(different)


def _when(item: tuple[Mismatch, int]) -> tuple[float, float]:
    mismatch, _ = item
    sample, step = (math.inf if n is None else n for n in (mismatch.sample, mismatch.step))
    return sample, step


def _show(
    program: Program,
    counts: dict[str, NDArray[np.uint8]],
    sample: int,
    rtl: Run,
    path: Path,
    verilog: str | None,
) -> None:
    """Write the waveform of one sample."""
    assert rtl.cycles is not None
    chunk = sample // CHUNK
    ends = rtl.cycles[chunk * CHUNK : sample + 1].cumsum()
    start = int(ends[-1] - rtl.cycles[sample])
    words = list(chunk_words(program.image, counts))[chunk]
    runner.waveform(
        program.fabric, program.image, words, start, int(ends[-1]), path, verilog=verilog
    )
