"""Answers, labels, accuracy and agreement, on arrays small enough to count by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from small_program import small_network

from spikeloom.evaluation.accuracy import accuracy, confusion
from spikeloom.evaluation.agreement import spike_agreement, state_error
from spikeloom.evaluation.decoding import NONE, Decoding, choose_decoding
from spikeloom.evaluation.labels import check_labels, read_labels
from spikeloom.golden.errors import SpikeloomError

SPIKES = np.array(
    [
        # Neuron 0 spikes first, neuron 2 most often; then a tie in both; then silence.
        [[1, 0, 0], [0, 0, 2], [0, 0, 2]],
        [[0, 0, 0], [0, 1, 1], [0, 0, 0]],
        [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
    ],
    np.uint8,
)
TRACES = np.array([[[5, 1, 0], [0, -1, 4]], [[-9, -3, -4], [-8, -3, -2]]])
RUN = SimpleNamespace(spikes={"out": SPIKES}, states={"li": TRACES[:, -1]}, traces={"li": TRACES})


@pytest.mark.parametrize(
    ("population", "method", "answers"),
    [
        ("out", "count", [2, 1, NONE]),
        ("out", "first", [0, 1, NONE]),
        ("li", "final", [2, 2]),
        ("li", "max", [0, 2]),
    ],
)
def test_answers(population: str, method: str, answers: list[int]) -> None:
    decoding = Decoding(population, method)
    assert decoding.available(RUN)
    assert decoding.answers(RUN).tolist() == answers
    assert decoding.traced == (("li",) if method == "max" else ())


def test_a_run_without_what_a_decoding_needs_is_refused() -> None:
    for population, method, kind in (
        *(("li", "count", "recorded"), ("out", "final", "read out"), ("out", "max", "traced")),
    ):
        decoding = Decoding(population, method)
        assert not decoding.available(RUN)
        with pytest.raises(SpikeloomError, match=f"{population!r} is {kind}"):
            decoding.answers(RUN)


@pytest.mark.parametrize(
    ("outputs", "asked", "chosen"),
    [
        (["last"], None, ("last", "count")),
        (["sum", "last"], None, ("sum", "final")),
        (["gone", "last"], None, ("last", "count")),
        ([], "last", ("last", "count")),
        ([], "first:first", ("first", "first")),
        (["sum"], "max", ("sum", "max")),
        (["sum"], "last:final", ("last", "final")),
    ],
)
def test_choice_of_a_decoding(
    outputs: list[str], asked: str | None, chosen: tuple[str, str]
) -> None:
    decoding = choose_decoding(small_network(), outputs, asked)
    assert (decoding.population, decoding.method) == chosen


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        (None, "the network has no output: none is named, and sum, last feed no other; choose one"),
        ("sum:count", "population 'sum' never spikes; use sum:final or sum:max"),
        ("gone:count", "'gone:count' must be POPULATION:METHOD .* populations first, last, sum"),
        ("loudest", "the methods are count, first, final, max"),
        ("last:", "must be POPULATION:METHOD"),
    ],
)
def test_a_decoding_that_is_no_choice_is_refused(asked: str | None, part: str) -> None:
    with pytest.raises(SpikeloomError, match=part):
        choose_decoding(small_network(), [], asked)


def test_accuracy_counts_no_silent_sample() -> None:
    answers, labels = np.array([2, 1, NONE, 0]), np.array([2, 0, 0, 0])
    assert accuracy(answers, labels) == 0.5
    table = confusion(answers, labels, 3)
    assert table.tolist() == [[1, 1, 0, 1], [0, 0, 0, 0], [0, 0, 1, 0]]


@pytest.mark.parametrize(
    ("labels", "part"),
    [
        ([0, 1], r"must be 3 integers, one for each sample, not an array of shape \(2,\)"),
        ([0.0, 1.0, 2.0], r"must be integers, not float64: use labels.astype\(int\)"),
        (["a", "b", "c"], "must be integers, not <U1$"),
        (np.eye(3, dtype=int), r"shape \(3, 3\): use labels.argmax\(axis=1\)"),
        (np.zeros((3, 1), int), r"use labels.reshape\(-1\)"),
        ([0, 1, 4], r"must be 0..3, the neurons of the output, not 0..4"),
        ([-1, 0, 0], "not -1..0"),
        ([[1], [1, 2], 3], "a list of integers"),
    ],
)
def test_labels_of_another_kind_are_refused(labels: object, part: str) -> None:
    with pytest.raises(SpikeloomError, match=part):
        check_labels(labels, 3, 4)


def test_labels_are_read(tmp_path: object) -> None:
    path = f"{tmp_path}/y.npz"
    right = np.array([1, 2], np.uint8)
    np.savez(path, y=right, x=np.zeros(3))
    assert check_labels(read_labels(path), 2).tolist() == [1, 2]
    np.savez(path, anything=right)
    assert read_labels(path).tolist() == [1, 2]
    np.savez(path, a=right, b=right)
    with pytest.raises(SpikeloomError, match="'a', 'b': call the labels 'labels', or save them"):
        read_labels(path)
    with pytest.raises(SpikeloomError, match="not a complete .npy or .npz file of labels"):
        read_labels(__file__)


def test_agreement_finds_the_worst_neuron() -> None:
    other = SPIKES.copy()
    other[0, 1, 2], other[1, 0, 2], other[2, 0, 0] = 1, 1, 1
    agreement = spike_agreement(SPIKES, other)
    assert agreement.fraction == pytest.approx(24 / 27)
    assert (agreement.worst, agreement.worst_fraction) == (2, pytest.approx(7 / 9))
    assert (agreement.reference, agreement.other) == (7, 8)


def test_error_of_potentials_finds_the_worst_neuron() -> None:
    reference = np.array([[3.0, 4.0], [3.0, 4.0]])
    error = state_error(reference, reference + np.array([[0, 2], [1, 0]]))
    assert (error.max_error, error.worst) == (2.0, 1)
    assert error.rms_error == pytest.approx((5 / 4) ** 0.5)
    assert error.relative_error == pytest.approx((5 / 4 / 12.5) ** 0.5)
    assert error.worst_error == pytest.approx(2**0.5)
    assert state_error(np.zeros((1, 2)), np.zeros((1, 2))).relative_error == 0.0
