"""Devices that run on the host computer: the golden model, the RTL, the netlist."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from spikeloom.devices.chunks import chunk_sizes, chunk_words, chunks, sample_clocks
from spikeloom.devices.device import Events, ProgramDevice, Progress, Run, joined_run
from spikeloom.devices.learning import Lesson, learned_run, learns, plastic_numbers
from spikeloom.devices.traces import Traces, traced_neurons
from spikeloom.devices.weights import memory_weights
from spikeloom.events import event_counts
from spikeloom.golden.checks import check_workers
from spikeloom.golden.event_counts import EventCounts
from spikeloom.golden.fixed import Integers
from spikeloom.golden.host import decode_packets, host_words
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.spec import ReadTarget
from spikeloom.golden.step import run as step
from spikeloom.program import Program
from spikeloom.sim import runner
from spikeloom.sim.netlist import netlist


class GoldenDevice(ProgramDevice):
    """The step-level golden model; it has no clock, and traces whatever the fabric can."""

    def run(
        self,
        events: Events,
        progress: Progress | None = None,
        *,
        traces: Traces | None = None,
        learn: bool = False,
    ) -> Run:
        """See `Device.run`."""
        if learns(learn):
            return learned_run(self, events, progress, traces)
        counts = event_counts(self.program.network, events)
        neurons = traced_neurons(self.program.network, traces)
        run = self._simulate(counts, neurons, 0, learn=False)
        if progress:
            progress(len(run.synops))
        return self._run(run, neurons)

    def lessons(
        self, counts: Mapping[str, EventCounts], neurons: Mapping[str, Integers]
    ) -> Iterator[Lesson]:
        """See `devices.learning.Learner`."""
        for part in chunks(self.program.image.learning(), counts):
            run = self._simulate(part, neurons, self.program.learned, learn=True)
            yield Lesson(len(run.synops), self._run(run, neurons), run.weights)

    def _simulate(
        self,
        counts: Mapping[str, EventCounts],
        neurons: Mapping[str, Integers],
        first: int,
        learn: bool,
    ) -> step.Run:
        program = self.program
        graded = program.fabric.graded_bits > 0
        return step.simulate(
            program.network, counts, traces=neurons, graded=graded, first=first, learn=learn
        )

    def _run(self, run: step.Run, neurons: Mapping[str, Integers]) -> Run:
        """What the program sends of a run of its network."""
        senders = self.program.image.senders
        return Run(
            {node.name: run.spikes[node.name] for node in senders if node.recorded},
            {node.name: run.states[node.name] for node in senders if node.readout},
            None,
            int(run.synops.sum()),
            0,
            {
                node.name: run.currents[node.name]
                for node in senders
                if node.readout and node.currents
            },
            run.traces,
            run.current_traces,
            dict(neurons),
            run.updates,
        )


class VerilatorDevice(ProgramDevice):
    """The RTL, compiled by Verilator.

    It is loaded once. After that only what changes is written: weights that are replaced, and the
    population rows of runs with traces. Each chunk of samples runs on a copy of the fabric.

    Parameters
    ----------
    program
        Its fabric is compiled, or taken from the cache, on construction.
    workers
        Threads; by default one per processor.
    verilog
        Verilog to run instead of that of the program's fabric.
    """

    def __init__(
        self, program: Program, workers: int | None = None, verilog: str | None = None
    ) -> None:
        check_workers(workers)
        super().__init__(program)
        self.workers = workers
        self._fabric = runner.Simulation(program.fabric, verilog=verilog)
        self._fabric.load(program.image)
        self._held = program.image

    def close(self) -> None:
        """See `Device.close`."""
        self._fabric.close()

    def take(self, program: Program) -> None:
        """See `ProgramDevice.take`. Writes the rows that change."""
        self._load(program.image)
        self.program = program

    def connection_weights(self, number: int) -> Integers:
        """See `ProgramDevice.connection_weights`. Reads them through the fabric's read port."""
        return self._weights(self._fabric, number)

    def _load(self, image: MemoryImage) -> None:
        """Write what differs from what the fabric holds."""
        self._fabric.load(image, self._held)
        self._held = image

    def run(
        self,
        events: Events,
        progress: Progress | None = None,
        *,
        traces: Traces | None = None,
        learn: bool = False,
        first: int = 0,
    ) -> Run:
        """See `Device.run`; `first` is the number of the first sample in its run."""
        if learns(learn):
            return learned_run(self, events, progress, traces)
        neurons = traced_neurons(self.program.network, traces)
        image = self.program.image.with_traces(neurons)
        counts = event_counts(self.program.network, events)
        samples, steps = next(iter(counts.values())).shape[:2]
        sizes = chunk_sizes(image, samples)
        self._load(image)

        def prepare(chunk: int, fabric: runner.Simulation) -> None:
            fabric.load(image.from_sample(first + sum(sizes[:chunk])), image)

        results = runner.run_batch(
            self._fabric,
            list(chunk_words(image, counts)),
            workers=self.workers,
            progress=progress and (lambda done: progress(sum(sizes[:done]))),
            prepare=prepare,
        )
        return _decoded(image, results, sizes, steps, neurons)

    def lessons(
        self, counts: Mapping[str, EventCounts], neurons: Mapping[str, Integers]
    ) -> Iterator[Lesson]:
        """See `devices.learning.Learner`. A chunk runs on a copy of the fabric, as ever."""
        numbers = plastic_numbers(self.program.network)
        for number in numbers:
            self.connection_weights(number)  # raises unless they can be read
        for part in chunks(self.program.image.learning(), counts):
            yield self._lesson(part, neurons, numbers)
        self._load(self.program.image)

    def _lesson(
        self,
        counts: Mapping[str, EventCounts],
        neurons: Mapping[str, Integers],
        numbers: Collection[int],
    ) -> Lesson:
        samples, steps = next(iter(counts.values())).shape[:2]
        image = self.program.image.with_traces(neurons)
        self._load(image)
        weights: dict[int, Integers] = {}

        def prepare(_: int, fabric: runner.Simulation) -> None:
            fabric.load(image.learning().from_sample(self.program.learned), image)

        def finish(_: int, fabric: runner.Simulation) -> None:
            weights.update({number: self._weights(fabric, number) for number in numbers})

        words = np.concatenate(host_words(image, counts))
        results = runner.run_batch(self._fabric, [words], prepare=prepare, finish=finish)
        return Lesson(samples, _decoded(image, results, [samples], steps, neurons), weights)

    def _weights(self, fabric: runner.Simulation, number: int) -> Integers:
        """The weights of a connection that a fabric at rest has."""

        def words(tile: int, address: int, count: int) -> list[int]:
            return fabric.read(ReadTarget.WEIGHT, tile, address, count)

        return memory_weights(self.program, number, words)


class NetlistDevice(VerilatorDevice):
    """The fabric after synthesis to iCE40 cells, compiled by Verilator.

    Parameters
    ----------
    program
        Its fabric is synthesised and compiled, or taken from the cache, on construction.
    """

    def __init__(self, program: Program) -> None:
        super().__init__(program, verilog=netlist(program.fabric))


def _decoded(
    image: MemoryImage,
    results: Sequence[runner.Result],
    sizes: Sequence[int],
    steps: int,
    neurons: Mapping[str, Integers],
) -> Run:
    """The run whose chunks, of so many samples each, gave these results."""
    decoded = [
        decode_packets(image, result.clocks, result.packets, size, steps)
        for result, size in zip(results, sizes, strict=True)
    ]

    def total(name: str) -> int:
        return sum(_over_tiles(result.counters, name) for result in results)

    return joined_run(
        decoded,
        neurons,
        np.concatenate([sample_clocks(chunk.clocks) for chunk in decoded]),
        total("synops"),
        total("errors"),
        total("updates"),
    )


def _over_tiles(counters: Mapping[str, int], name: str) -> int:
    """The sum over all tiles of one of their counters."""
    return sum(count for key, count in counters.items() if key.partition(".")[0] == name)
