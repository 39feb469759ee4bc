"""One small program on one small fabric, so that its RTL is compiled once; the command line."""

from pathlib import Path

import nir
import numpy as np
import pytest
from command_line import Commands
from locking import one_at_a_time
from numpy.typing import NDArray
from small_program import SMALL, small_network

from spikeloom.program import Program
from spikeloom.sim.runner import Simulation


@pytest.fixture(scope="session")
def small() -> Program:
    """Records and reads out everything."""
    everyone = frozenset({"first", "sum", "last"})
    return Program(small_network(), SMALL, everyone, everyone, {"made": "by hand"})


@pytest.fixture(scope="session")
def small_events() -> NDArray[np.uint8]:
    """5 samples of 6 steps."""
    return np.random.default_rng(8).integers(0, 3, (5, 6, 6)).astype(np.uint8)


@pytest.fixture(scope="session")
def rtl_built(small: Program) -> None:
    """The RTL of the small fabric is in the cache."""
    with one_at_a_time("small fabric"), Simulation(small.fabric):
        pass


@pytest.fixture
def run(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    small: Program,
    small_events: NDArray[np.uint8],
) -> Commands:
    """A folder with model.nir, small.loom and events.npy is the working directory."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    graph = nir.NIRGraph(
        {
            "in": nir.Input(np.array([4])),
            "weights": nir.Linear(rng.normal(size=(3, 4))),
            "neurons": nir.LIF(
                tau=np.full(3, 2e-3),
                r=np.ones(3),
                v_leak=np.zeros(3),
                v_threshold=np.ones(3),
                v_reset=np.zeros(3),
            ),
            "out": nir.Output(np.array([3])),
        },
        [("in", "weights"), ("weights", "neurons"), ("neurons", "out")],
    )
    nir.write("model.nir", graph)
    small.save("small.loom")
    np.save("events.npy", small_events)
    return Commands(tmp_path, capsys, monkeypatch)
