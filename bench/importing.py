"""Import and compilation of a network of a million synapses, from a file to a saved Program."""

import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nir
import numpy as np

from bench.figure import Figure
from spikeloom.compiler import compile
from spikeloom.demo import DT
from spikeloom.importer.load import load_nir

_SIZES = (784, 768, 520)
_FABRIC = {"neurons": 2048, "weight_words": 1 << 17, "sum_bits": 24}


def measure(_data: Path) -> Iterator[Figure]:
    """Measure; needs no data."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "million.nir")
        nir.write(path, _graph())
        start = time.perf_counter()
        program = compile(load_nir(path, dt=DT), _FABRIC)
        compiled = time.perf_counter()
        program.save(Path(folder, "million.loom"))
        saved = time.perf_counter()
    yield Figure("import.synapses", program.network.synapses, "", 1_000_000)
    yield Figure("import.and_compile", compiled - start, "s", 5, at_most=True)
    yield Figure("import.compile_and_save", saved - start, "s")


def _graph() -> nir.NIRGraph:
    """Two dense layers of LIF neurons."""
    rng = np.random.default_rng(1)
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input(np.array([_SIZES[0]]))}
    for layer, (before, size) in enumerate(itertools.pairwise(_SIZES)):
        nodes[f"affine{layer}"] = nir.Affine(rng.normal(size=(size, before)), np.zeros(size))
        each = np.ones(size)
        nodes[f"lif{layer}"] = nir.LIF(
            tau=10 * DT * each, r=10 * each, v_leak=0 * each, v_threshold=each, v_reset=0 * each
        )
    nodes["output"] = nir.Output(np.array([_SIZES[-1]]))
    names = list(nodes)
    return nir.NIRGraph(nodes, list(itertools.pairwise(names)))
