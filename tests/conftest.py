"""Fixtures that all tests share."""

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the project; the test is skipped where it is absent."""
    if not DATA.is_dir():
        pytest.skip("the folder of real data is not beside the project")
    return DATA
