"""Fixtures and settings that all tests share."""

import gc
from pathlib import Path

import pytest
from hypothesis import settings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


# The same examples in every run, and no time limit that a busy machine could exceed. Profile `soak`
# (`--hypothesis-profile`) draws new ones; `--hypothesis-seed` repeats them.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("soak", derandomize=False, deadline=None, database=None, print_blob=True)
settings.load_profile("repeatable")

# Elaboration makes many objects that live long: looking through them takes 7 % of its time.
gc.set_threshold(200_000, 20, 100)


def pytest_collection_finish() -> None:
    """Leave modules and collected tests out of every later garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the project; the test is skipped where it is absent."""
    if not DATA.is_dir():
        pytest.skip("the folder of real data is not beside the project")
    return DATA
