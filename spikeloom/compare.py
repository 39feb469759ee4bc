"""Compares hardware with the golden model: spikes, states, traces, clocks and counters."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.devices.chunks import chunk_of, chunk_words
from spikeloom.devices.device import Device, Events, Run
from spikeloom.devices.learning import plastic_numbers
from spikeloom.devices.prediction import golden_clocks
from spikeloom.devices.readback import table_rows
from spikeloom.devices.serial_device import SerialDevice
from spikeloom.devices.simulated import GoldenDevice, VerilatorDevice
from spikeloom.devices.traces import Traces, traced_neurons
from spikeloom.devices.weights import matrices
from spikeloom.golden.checks import check_flag
from spikeloom.golden.errors import FaultyDevice, SpikeloomError
from spikeloom.golden.event_counts import EventCounts
from spikeloom.golden.fixed import Integers
from spikeloom.golden.host import host_words
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.progress import task
from spikeloom.golden.step.run import check_inputs, simulate
from spikeloom.program import Program
from spikeloom.sim.cosim import check as cosim
from spikeloom.sim.waves.record import record


@dataclass(frozen=True)
class Mismatch:
    """A difference between two runs.

    Parameters
    ----------
    sample
        Sample, from 0; None for a quantity of the whole run.
    step
        Step of a spike or a traced state; None for a final state, or a quantity of the whole
        sample.
    what
        "spike", "state", "synaptic current", "potential" (a state read from its memory), "clocks",
        "synops", "error counter", "weight" or "weight updates".
    where
        Population and neuron, or connection and synapse; empty where the quantity has none.
    expected, got
        Value of the golden model, and of the device.
    """

    sample: int | None
    step: int | None
    what: str
    where: str
    expected: int
    got: int

    def __str__(self) -> str:
        scope = "whole run" if self.sample is None else f"sample {self.sample}"
        if self.step is not None:
            scope += f", step {self.step}"
        quantity = f"{self.what} of {self.where}" if self.where else self.what
        return f"{scope}: {quantity} is {self.got}, expected {self.expected}"


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Parameters
    ----------
    samples, steps
        Number of samples, and of steps over all samples, compared with the step-level model: every
        spike of every recorded population, the final state of every population read out, and the
        traces.
    clocked
        Number of samples whose clocks were compared with the cycle-level model.
    mismatches
        Number of spikes, states and counts that differ.
    first
        The first mismatch.
    waveform
        Waveform file of the sample with the first mismatch; of sample 0 if the mismatch concerns
        the whole run.
    golden, rtl
        The runs of the golden model and of the device.
    rows
        Number of table rows that were read back and match those loaded.
    weights
        Number of weights compared after the run, where it learns.
    learned
        Where it learns: the Program with the weights of the golden model after the run.
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
    weights: int = 0
    learned: Program | None = None


def compare(
    program: Program,
    events: Events,
    *,
    waveform: Path | None = None,
    verilog: str | None = None,
    traces: Traces | None = None,
    learn: bool = False,
) -> Comparison:
    """Run `events` through the RTL and both levels of the golden model.

    Parameters
    ----------
    waveform
        File to write on a mismatch.
    verilog
        Verilog to run instead of that of the program's fabric.
    traces
        Populations or neurons to compare after every step, as for `Device.run`.
    learn
        Learn from the samples, and compare every weight of every plastic connection afterwards.

    Raises
    ------
    SpikeloomError
        The events or the traces do not fit, there is nothing to compare or to learn, or a tool is
        missing.
    """
    counts = check_inputs(program.network, events)
    neurons = traced_neurons(program.network, traces)
    if not (neurons or learn):
        _check_sends(program)
    image = program.image.with_traces(neurons)
    golden, learned, images = _golden(program, counts, neurons, learn)
    samples, steps = next(iter(counts.values())).shape[:2]
    with VerilatorDevice(program, verilog=verilog) as device:
        with task("running", samples) as step:
            rtl = device.run(counts, step.done, traces=neurons, learn=learn)
        differences, weights = _wrong_weights(learned, device) if learn else ([], 0)
    with task("predicting clocks", samples) as step:
        clocks = golden_clocks(image, counts, progress=step.done, images=images)
    golden = dataclasses.replace(golden, cycles=clocks)
    mismatches = sorted((*differences, *_mismatches(golden, rtl, neurons)), key=_when)
    first = mismatches[0][0] if mismatches else None
    shown = None
    if first is not None and waveform is not None:
        _show(image, counts, first.sample or 0, rtl, waveform, verilog, images)
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
        0,
        weights,
        learned if learn else None,
    )


def compare_device(
    program: Program,
    events: Events,
    device: Device,
    *,
    verify: bool = False,
    traces: Traces | None = None,
    learn: bool = False,
) -> Comparison:
    """Run `events` on a device such as a board, and compare all but its clocks with golden.

    Parameters
    ----------
    device
        Opened for `program`.
    verify
        Also read a board's tables back before the run, and the membrane potentials of all neurons
        after the last sample.
    traces, learn
        As for `compare`.

    Raises
    ------
    SpikeloomError
        The events or the traces do not fit, there is nothing to compare or to learn, the device is
        gone, or its memories cannot be read.
    FaultyDevice
        A table differs from what was loaded.
    """
    check_flag("compare_device: verify", verify)
    counts = check_inputs(program.network, events)
    neurons = traced_neurons(program.network, traces)
    if not (neurons or verify or learn):
        _check_sends(program)
    golden, learned, _ = _golden(program, counts, neurons, learn)
    board = device if verify and isinstance(device, SerialDevice) else None
    if verify and board is None:
        raise SpikeloomError("only the memories of a board can be verified")
    rows = check_tables(program, board) if board else 0
    samples, steps = next(iter(counts.values())).shape[:2]
    with task("running", samples) as step:
        got = device.run(counts, step.done, traces=neurons, learn=learn)
    differences, weights = _wrong_weights(learned, device) if learn else ([], 0)
    differences += _mismatches(golden, got, neurons)
    if board:
        differences += _wrong_potentials(learned, counts, board)
    mismatches = sorted(differences, key=_when)
    first = mismatches[0][0] if mismatches else None
    total = sum(count for _, count in mismatches)
    return Comparison(
        samples,
        samples * steps,
        0,
        total,
        first,
        None,
        golden,
        got,
        rows,
        weights,
        learned if learn else None,
    )


def _golden(
    program: Program, counts: dict[str, EventCounts], neurons: Mapping[str, Integers], learn: bool
) -> tuple[Run, Program, list[MemoryImage]]:
    """The run of the golden model, the program after it, and what each chunk begins with if it
    learns.
    """
    device = GoldenDevice(program)
    begun = [program]
    run = device.run(counts, lambda _: begun.append(device.program), traces=neurons, learn=learn)
    images = [
        each.image.with_traces(neurons).learning().from_sample(each.learned)
        for each in (begun[:-1] if learn else ())
    ]
    return run, device.program, images


def _wrong_weights(learned: Program, device: Device) -> tuple[list[tuple[Mismatch, int]], int]:
    """Mismatches of the weights that a device has learned, and the number of weights compared."""
    wrong: list[tuple[Mismatch, int]] = []
    compared = 0
    plastic = plastic_numbers(learned.network)
    for key, matrix in matrices(learned.network).items():
        if matrix.numbers[0] in plastic:
            expected, got = matrix.connections[0].weights, device.weights[key]
            compared += expected.size
            different = np.argwhere(expected != got)
            if len(different):
                at = tuple(different[0].tolist())
                where = f"{key}[{', '.join(map(str, at))}]"
                mismatch = Mismatch(None, None, "weight", where, int(expected[at]), int(got[at]))
                wrong.append((mismatch, len(different)))
    return wrong, compared


def _check_sends(program: Program) -> None:
    """Check that a run of the program returns spikes or states."""
    if not any(node.recorded or node.readout for node in program.image.senders):
        raise SpikeloomError(
            "there is nothing to compare: the program records no spikes and reads out no states; "
            "compile it with record or readout, or trace a population"
        )


def check_tables(program: Program, device: SerialDevice) -> int:
    """Read back every table of a board, and return the total number of rows.

    Raises
    ------
    FaultyDevice
        A row differs from what was loaded; the message names the first one.
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
    program: Program, counts: dict[str, EventCounts], device: SerialDevice
) -> Iterator[tuple[Mismatch, int]]:
    """Mismatches of the membrane potentials that the last sample leaves in the memories."""
    samples = len(next(iter(counts.values())))
    last = {name: array[-1:] for name, array in counts.items()}
    got = device.final_states(last)
    for name, expected in simulate(program.network, last).states.items():
        for mismatch, number in _differing("potential", name, expected, got[name][None]):
            yield dataclasses.replace(mismatch, sample=samples - 1), number


def check_cycles(
    program: Program,
    events: Events,
    *,
    seed: int,
    gap: float = 0.25,
    backpressure: float = 0.25,
    traces: Traces | None = None,
    learn: bool = False,
) -> cosim.Report:
    """Compare every clock of the RTL with the cycle-level model while it runs `events`.

    `gap` is the probability per clock that the host offers no new word, `backpressure` that it does
    not accept a packet. `traces`: populations whose traces are sent meanwhile. `learn`: weights
    change, each read and write of which is compared.
    """
    check_flag("check_cycles: learn", learn)
    counts = check_inputs(program.network, events)
    image = program.image.with_traces(traced_neurons(program.network, traces))
    if learn:
        image = image.learning().from_sample(program.learned)
    words = np.concatenate(host_words(image, counts))
    scenario = cosim.Scenario([int(word) for word in words], seed, gap, backpressure)
    with task("checking every clock"):
        return cosim.check(image, scenario)


def _mismatches(
    golden: Run, rtl: Run, neurons: Mapping[str, Integers]
) -> Iterator[tuple[Mismatch, int]]:
    """The first mismatch of each kind and population, with the number of such mismatches.

    Traces are of these `neurons`.
    """
    for name, expected in golden.spikes.items():
        yield from _differing("spike", name, expected, rtl.spikes[name])
    for name, potentials in golden.states.items():
        yield from _differing("state", name, potentials, rtl.states[name])
    for name, currents in golden.currents.items():
        yield from _differing("synaptic current", name, currents, rtl.currents[name])
    for name, chosen in neurons.items():
        yield from _differing("state", name, golden.traces[name], rtl.traces[name], chosen)
    for name, currents in golden.current_traces.items():
        got = rtl.current_traces[name]
        yield from _differing("synaptic current", name, currents, got, neurons[name])
    if golden.cycles is not None:
        assert rtl.cycles is not None
        yield from _differing("clocks", "", golden.cycles, rtl.cycles)
    if golden.synops != rtl.synops:
        yield Mismatch(None, None, "synops", "", golden.synops, rtl.synops), 1
    if golden.weight_updates != rtl.weight_updates:
        pair = golden.weight_updates, rtl.weight_updates
        yield Mismatch(None, None, "weight updates", "", *pair), 1
    if rtl.errors:
        yield Mismatch(None, None, "error counter", "", 0, rtl.errors), rtl.errors


def _differing(
    what: str,
    name: str,
    expected: NDArray[Any],
    got: NDArray[Any],
    neurons: Integers | None = None,
) -> Iterator[tuple[Mismatch, int]]:
    """The first difference of two arrays, and their number; the last axis is of `neurons`."""
    different = np.argwhere(expected != got)
    if len(different):
        at = tuple(int(i) for i in different[0])
        step = at[1] if len(at) == 3 else None
        neuron = at[-1] if neurons is None else neurons[at[-1]]
        where = f"{name}[{neuron}]" if name else ""
        mismatch = Mismatch(at[0], step, what, where, int(expected[at]), int(got[at]))
        yield mismatch, len(different)


def _when(item: tuple[Mismatch, int]) -> tuple[float, float]:
    mismatch, _ = item
    sample, step = (math.inf if n is None else n for n in (mismatch.sample, mismatch.step))
    return sample, step


def _show(
    image: MemoryImage,
    counts: dict[str, EventCounts],
    sample: int,
    rtl: Run,
    path: Path,
    verilog: str | None,
    images: Sequence[MemoryImage] = (),
) -> None:
    """Write the waveform of one sample; `images` as for `predict_clocks`."""
    assert rtl.cycles is not None
    image = images[0] if images else image
    chunk, first = chunk_of(image, sample)
    ends = rtl.cycles[first : sample + 1].cumsum()
    start = int(ends[-1] - rtl.cycles[sample])
    words = list(chunk_words(image, counts))[chunk]
    image = images[chunk] if images else image.from_sample(first)
    record(image, words, start, int(ends[-1]), path, marks={}, verilog=verilog)
