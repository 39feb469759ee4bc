"""The cycle-by-cycle check: RTL under cocotb and Verilator against the cycle-level golden model.

On every clock the bench compares the whole probe word: every stream's valid, ready and payload,
every memory write, every counter; and that the load port is ready. Load words come in random order,
host input has random gaps and host output random backpressure; the load port has a random payload
while it is not valid. All derive from a seed, which is reported and replays the run.
"""

import dataclasses
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spikeloom.golden.memory_image import MemoryImage
from spikeloom.sim import cache
from spikeloom.sim.cosim.process import simulate
from spikeloom.sim.verilator import build_bench
from spikeloom.sim.verilog import TOP, emit


@dataclass(frozen=True)
class Scenario:
    """The stimuli of a bench.

    Parameters
    ----------
    words
        Host words in order, packed as `host_in`.
    seed
        Seed of the random gaps and backpressure.
    gap, backpressure
        Probability per clock that no new word is offered; that the host is not ready. 0..1.
    load_gap
        Probability per clock of the loading phase that no word is loaded.
    limit
        Maximum number of clocks without a transfer at either host port.
    reads
        Bytes to read back at the end from random memory positions, if the fabric is readable.
    """

    words: Sequence[int]
    seed: int
    gap: float = 0.0
    backpressure: float = 0.0
    load_gap: float = 0.0
    limit: int = 100_000
    reads: int = 500


@dataclass(frozen=True)
class Difference:
    """The first clock in which RTL and golden model differ."""

    step: int
    cycle: int
    signal: str
    expected: int
    got: int
    waveform: str | None = None

    def __str__(self) -> str:
        text = (
            f"step {self.step}, clock {self.cycle}: {self.signal} is {self.got:#x}, "
            f"expected {self.expected:#x}"
        )
        return text + (f"; waveform in {self.waveform}" if self.waveform else "")


WAVEFORMS = 10
"""Number of waveforms to keep in the cache."""


@dataclass(frozen=True)
class Report:
    """The result of a bench.

    Parameters
    ----------
    cycles
        Clocks compared, loading included, each with all signals of the probe.
    steps, packets, events
        Steps completed, packets received by the host, and host words accepted.
    reads
        Bytes of the memories that were read back and compared.
    seconds
        Time of the simulation, without start-up.
    seed
        Replays the run.
    difference
        The first difference; None if RTL and golden model agree.
    """

    cycles: int
    steps: int
    packets: int
    events: int
    reads: int
    seconds: float
    seed: int
    difference: Difference | None


def check(
    image: MemoryImage, scenario: Scenario, verilog: str | None = None, *, waveform: bool = True
) -> Report:
    """Load `image`, play `scenario`, and compare on every clock.

    Parameters
    ----------
    verilog
        The fabric with probe; default: that of `spikeloom.sim.verilog.emit`.
    waveform
        On a difference, repeat the run and write a waveform; the report names its file.

    Raises
    ------
    SpikeloomError
        A tool is missing.
    RuntimeError
        The bench did not finish, or compared nothing.
    """
    source = verilog if verilog is not None else emit(image.config, probe=True)
    report = _run(build_bench(source), image, scenario, None)
    if report.difference is None or not waveform:
        return report
    directory = cache.directory() / "waveforms"
    directory.mkdir(parents=True, exist_ok=True)
    cache.keep_newest(directory, WAVEFORMS - 1)
    path = directory / f"{cache.digest(source, repr(image), repr(scenario))}.vcd"
    again = _run(build_bench(source, trace=True), image, scenario, path)
    if again.difference is None:
        raise RuntimeError("a difference did not recur when the run was repeated")
    difference = dataclasses.replace(again.difference, waveform=str(path))
    return dataclasses.replace(again, difference=difference)


def _run(build: Path, image: MemoryImage, scenario: Scenario, waveform: Path | None) -> Report:
    with tempfile.TemporaryDirectory(prefix="spikeloom-") as work:
        directory = Path(work)
        result = directory / "result.json"
        setup = {
            "config": image.config.to_json(),
            "load": list(image.load_words()),
            "scenario": {**dataclasses.asdict(scenario), "words": [int(w) for w in scenario.words]},
            "result": str(result),
        }
        (directory / "setup.json").write_text(json.dumps(setup), encoding="utf-8")
        output = simulate(
            build, directory, TOP, "spikeloom.sim.cosim.bench", waves=waveform is not None
        )
        if not result.exists():
            raise RuntimeError(f"the bench did not finish:\n{output}")
        values = json.loads(result.read_text(encoding="utf-8"))
        if waveform is not None:
            shutil.move(directory / "dump.vcd", waveform)
    difference = values.pop("difference")
    if values["cycles"] == 0 or (values["steps"] == 0 and difference is None):
        raise RuntimeError("the bench compared nothing")
    return Report(**values, difference=Difference(**difference) if difference else None)
