"""A sample of `make fuzz`, the same each time; and that fuzzing finds what it looks for."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import fuzz
import pytest
from fuzz_kinds import KINDS

INPUTS, SEED = 12, 1
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_is_used_or_refused(kind: str) -> None:
    share, make = KINDS[kind]
    outcome = fuzz.fuzz(kind, make, range(share * INPUTS), SEED)
    assert outcome.findings == []
    assert sum(outcome.counts.values()) == share * INPUTS
    assert len(outcome.counts) == 2, outcome.counts


def by_number(fault: str) -> Callable[[Path], Callable[[random.Random], str]]:
    """Uses one input in two, and has a fault at the others."""

    def use(rng: random.Random) -> str:
        if rng.random() < 0.5:
            return "used"
        match fault:
            case "raises":
                raise ValueError("a fault")
            case "takes memory":
                return str(len(bytes(4 << 30)))
            case "dies":
                os._exit(0)
            case _:
                while True:
                    pass

    return lambda _: use


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("raises", "ValueError: a fault"),
        ("takes memory", "MemoryError"),
        ("dies", "the process died"),
        ("hangs", "more than 1 s"),
    ],
)
def test_faults_are_found(fault: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by its number, and the inputs after it are used."""
    monkeypatch.setattr(fuzz, "SECONDS", 1)
    faulty = [n for n in range(4) if random.Random(f"19/{fault}/{n}").random() >= 0.5]
    assert 0 < len(faulty) < 4
    outcome = fuzz.fuzz(fault, by_number(fault), range(4), 19)
    assert [finding.number for finding in outcome.findings] == faulty
    assert all(text in finding.text for finding in outcome.findings)
    assert outcome.counts["used"] == 4 - len(faulty)
