"""A sample of the mutants of `hdl/` is killed; `make mutate` plays them all."""

import dataclasses

import designs
import numpy as np
import pytest
from cases import CASES
from designs import Design
from recordings import Recording
from replay import Replay

from spikeloom.sim import cache

SAMPLE = 200
CASE = CASES["no options"]


@pytest.fixture(scope="module")
def design() -> Design:
    return designs.build(CASE.kind, CASE.config)


@pytest.fixture(scope="module")
def recordings(design: Design) -> list[Recording]:
    return CASE.record(design)


def test_without_a_mutant_nothing_differs(design: Design, recordings: list[Recording]) -> None:
    assert sum(len(recording.inputs) for recording in recordings) > 10_000
    assert Replay(design, recordings).difference(0) is None


def test_a_bench_that_compares_nothing_kills_nothing(
    design: Design, recordings: list[Recording]
) -> None:
    blind = [
        dataclasses.replace(recording, compared=np.zeros_like(recording.compared))
        for recording in recordings
    ]
    assert set(Replay(design, blind).differences(range(50), jobs=1)) == {None}


def test_a_sample_is_killed(design: Design, recordings: list[Recording]) -> None:
    """Of the whole project's mutants all but a few are; this design alone kills 19 of 20."""
    chosen = sorted(design.mutants, key=cache.digest)[:SAMPLE]
    numbers = [design.mutants[name] for name in chosen]
    differences = Replay(design, recordings).differences(numbers, jobs=1)
    alive = [name for name, where in zip(chosen, differences, strict=True) if where is None]
    print(*alive, sep="\n")
    assert len(alive) <= SAMPLE // 10


PLANTED = (
    "core.address_generation: elaborate: `(d_event.index < row.sources) & (row.groups != 0)`"
    " & left",
    "core.address_generation: elaborate: `row.groups != 0` != ==",
    "core.neuron: _settle: `now & delayed(m, row.reset == Reset.VALUE, 1)` & left",
    "sequencer: elaborate: `self.host_in.valid & word.step & is_open` & left",
)


@pytest.mark.parametrize("name", PLANTED)
def test_a_fault_is_killed(name: str, design: Design, recordings: list[Recording]) -> None:
    """The first was once caught by proofs alone."""
    assert Replay(design, recordings).difference(design.mutants[name]) is not None


def test_every_kind_of_mutant_is_planted(design: Design) -> None:
    text = "\n".join(design.mutants)
    for label in ("& |", "| left", "+ -", "== !=", "< >=", "~ dropped", "any all", "always"):
        assert f"` {label}" in text, label
    for label in ("constant 0", "dropped", "stays"):
        assert f"` {label}" in text, label
    assert len(design.mutants) > 800
    assert len(set(design.mutants.values()) | {0}) == len(design.mutants) + 1
