"""Cases of a parametrized test that `make soak` plays, where `make test` plays some of them."""

from collections.abc import Container, Iterable
from typing import Any

import pytest


def all_but(kept: Container[Any], cases: Iterable[Any]) -> list[Any]:
    """All `cases`; those that are not in `kept` are left to `make soak`."""
    return [case if case in kept else pytest.param(case, marks=pytest.mark.soak) for case in cases]
