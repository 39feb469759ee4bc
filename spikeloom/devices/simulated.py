"""Devices that run on the host computer: the golden model, the RTL, the netlist."""

from collections.abc import Mapping

import numpy as np

from spikeloom.devices.chunks import chunk_sizes, chunk_words, sample_clocks
from spikeloom.devices.device import Events, ProgramDevice, Progress, Run, joined_run
from spikeloom.devices.traces import Traces, traced_neurons
from spikeloom.devices.weights import memory_weights
from spikeloom.events import event_counts
from spikeloom.golden.fixed import Integers
from spikeloom.golden.host import decode_packets
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.spec import ReadTarget
from spikeloom.golden.step.run import simulate
from spikeloom.program import Program
from spikeloom.sim import runner
from spikeloom.sim.netlist import netlist


class GoldenDevice(ProgramDevice):
    """The step-level golden model; it has no clock, and traces whatever the fabric can."""

    def run(
        self, events: Events, progress: Progress | None = None, *, traces: Traces | None = None
    ) -> Run:
        """See `Device.run`."""
        program = self.program
        senders = program.image.senders
        counts = event_counts(program.network, events)
        neurons = traced_neurons(program.network, traces)
        graded = program.fabric.graded_bits > 0
        run = simulate(program.network, counts, traces=neurons, graded=graded)
        if progress:
            progress(len(run.synops))
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
            neurons,
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
        super().__init__(program)
        self.workers = workers
        self._fabric = runner.Simulation(program.fabric, verilog=verilog)
        self._fabric.load(program.image)
        self._held = program.image

    def close(self) -> None:
        """See `Device.close`."""
        self._fabric.close()

    def hold(self, program: Program) -> None:
        """See `ProgramDevice.hold`. Writes the words of weights that change."""
        self._load(program.image)
        self.program = program

    def connection_weights(self, number: int) -> Integers:
        """See `ProgramDevice.connection_weights`. Reads them through the fabric's read port."""

        def words(tile: int, address: int, count: int) -> list[int]:
            return self._fabric.read(ReadTarget.WEIGHT, tile, address, count)

        return memory_weights(self.program, number, words)

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
        first: int = 0,
    ) -> Run:
        """See `Device.run`; `first` is the number of the first sample in its run."""
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
        decoded = [
            decode_packets(image, result.clocks, result.packets, size, steps)
            for result, size in zip(results, sizes, strict=True)
        ]
        return joined_run(
            decoded,
            neurons,
            np.concatenate([sample_clocks(chunk.clocks) for chunk in decoded]),
            sum(_over_tiles(result.counters, "synops") for result in results),
            sum(_over_tiles(result.counters, "errors") for result in results),
        )


class NetlistDevice(VerilatorDevice):
    """The fabric after synthesis to iCE40 cells, compiled by Verilator.

    Parameters
    ----------
    program
        Its fabric is synthesised and compiled, or taken from the cache, on construction.
    """

    def __init__(self, program: Program) -> None:
        super().__init__(program, verilog=netlist(program.fabric))


def _over_tiles(counters: Mapping[str, int], name: str) -> int:
    """The sum over all tiles of one of their counters."""
    return sum(count for key, count in counters.items() if key.partition(".")[0] == name)
