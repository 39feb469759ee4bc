"""One small program on one small fabric, so that its RTL is compiled once."""

import numpy as np
import pytest
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
