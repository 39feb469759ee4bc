"""Collects what a page shows, from a program, its events and, if there is one, a comparison."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.compare import Comparison
from spikeloom.devices.chunks import chunk_of
from spikeloom.devices.device import Events
from spikeloom.devices.traces import Traces, traced_neurons
from spikeloom.evaluation.accuracy import confusion
from spikeloom.golden.convolution import Convolution
from spikeloom.golden.cycle.split import split_clocks
from spikeloom.golden.event_counts import EventCounts, magnitudes
from spikeloom.golden.fixed import Integers
from spikeloom.golden.host import host_words
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.network import Network, Population
from spikeloom.golden.step.run import Run, check_inputs, simulate
from spikeloom.program import Program
from spikeloom.report.divergence import divergence
from spikeloom.report.metrics import static_metrics, workload_metrics
from spikeloom.report.records import (
    Answers,
    Contents,
    Divergence,
    LearnedWeights,
    Potentials,
    Raster,
    Verdict,
)
from spikeloom.scores import GOLDEN, Question, Scores, score, usual_decoding

NEURONS = 12
"""Neurons of each population whose potentials are shown if none are chosen."""

SAMPLES = 100
"""Maximum number of samples whose spikes and potentials are shown."""

SPLIT_SAMPLES = 4
"""Maximum number of samples whose clocks are split into parts."""


def gather(
    program: Program,
    events: Events,
    comparison: Comparison | None = None,
    *,
    title: str = "program",
    backend: str = "verilator",
    question: Question | None = None,
    traces: Traces | None = None,
    build: Mapping[str, Any] | None = None,
    learned: Program | None = None,
) -> Contents:
    """Everything that a page shows.

    Parameters
    ----------
    events
        As for `spikeloom.devices.device.Device.run`.
    comparison
        The result of `spikeloom.compare.compare` on the same events; None for a page of the golden
        model alone.
    title
        Heading of the page.
    backend
        What ran beside the golden model.
    question
        The right answers, how answers are read, and the float network, if accuracy is wanted.
    traces
        Populations or neurons that the hardware traced; their potentials are always shown. By
        default, of each population, the `NEURONS` with most spikes.
    build
        From `spikeloom.report.builds.read_build`.
    learned
        The program with what it learned from these events, as `Comparison.learned` has it.

    Raises
    ------
    SpikeloomError
        Events or traces do not fit the program, or `learned` is another one.
    """
    network = program.network
    counts = check_inputs(network, events)
    traced = traced_neurons(network, traces)
    if learned is not None:
        program.check_same(learned)
    how: dict[str, Any] = {"learn": learned is not None, "first": program.learned if learned else 0}
    golden = simulate(network, counts, **how)
    samples, steps = next(iter(counts.values())).shape[:2]
    answers = None
    if question is not None and question.labels is not None:
        decoding = question.decoding or usual_decoding(program)
        question = dataclasses.replace(question, decoding=decoding)
        runs = {} if comparison is None else {backend: comparison.rtl}
        answers = _answers(program, score(program, counts, question, runs), question)
    shown = _samples(samples, comparison)
    neurons = {p.name: _neurons(p, golden, traced, comparison) for p in network.populations}
    image = program.image.with_traces(traced if comparison else {})
    return Contents(
        title,
        _verdict(comparison, backend, samples, steps),
        answers,
        shown.tolist(),
        tuple(_rasters(network, counts, golden, comparison, shown)),
        tuple(_potentials(network, counts, neurons, traced, comparison, shown, how)),
        _clocks(image if learned is None else image.learning(), counts),
        _divergence(image, counts, comparison, program.learned if learned else None),
        static_metrics(program) | workload_metrics(network, counts | golden.spikes),
        build,
        () if learned is None else tuple(_learning(network, learned.network)),
    )


def _learning(before: Network, after: Network) -> Iterator[LearnedWeights]:
    for old, new in zip(before.plastic, after.plastic, strict=True):
        image = before.image(old.source)
        weights = [old.weights, new.weights]
        if isinstance(old, Convolution):
            image = old.weights.shape[1:]
            weights = [kernel.reshape(len(kernel), -1).T for kernel in weights]
        shape = None if image is None else (image[0] * image[1], image[2])
        assert old.plasticity is not None
        bounds = old.plasticity.bounds
        yield LearnedWeights(f"{old.source}->{old.target}", weights[0], weights[1], bounds, shape)


def _verdict(comparison: Comparison | None, backend: str, samples: int, steps: int) -> Verdict:
    if comparison is None:
        return Verdict(None, samples, samples * steps)
    cycles = comparison.rtl.cycles
    return Verdict(
        backend,
        comparison.samples,
        comparison.steps,
        comparison.mismatches,
        None if comparison.first is None else str(comparison.first),
        None if cycles is None else int(cycles.sum()),
        bool(comparison.clocked),
        comparison.waveform,
    )


def _answers(program: Program, scores: Scores, question: Question) -> Answers:
    labels = question.labels
    assert scores.decoding is not None
    assert labels is not None
    classes = program.network.size(scores.decoding.population)
    counts = confusion(scores.answers[GOLDEN], labels, classes)
    return Answers(str(scores.decoding), scores.accuracies, counts)


def _samples(samples: int, comparison: Comparison | None) -> Integers:
    """The samples to show: those with a difference first, then from sample 0 on."""
    differing = np.zeros(samples, bool)
    if comparison is not None:
        for field in ("spikes", "states", "traces"):
            expected, got = getattr(comparison.golden, field), getattr(comparison.rtl, field)
            for name, values in expected.items():
                axes = tuple(range(1, values.ndim))
                differing |= (values != got[name]).any(axis=axes)
    return np.argsort(~differing, kind="stable")[:SAMPLES].astype(np.int64)


def _rasters(
    network: Network,
    counts: Mapping[str, EventCounts],
    golden: Run,
    comparison: Comparison | None,
    shown: Integers,
) -> Iterator[Raster]:
    sent = {} if comparison is None else comparison.rtl.spikes
    for node in network.inputs:
        yield Raster(node.name, node.size, node.max_count, counts[node.name][shown], None, True)
    for population in sorted(network.populations, key=lambda p: p.phase):
        if population.spiking:
            name = population.name
            yield Raster(
                name,
                population.size,
                population.max_spikes,
                golden.spikes[name][shown],
                sent[name][shown] if name in sent else None,
            )


def _neurons(
    population: Population,
    golden: Run,
    traced: Mapping[str, Integers],
    comparison: Comparison | None,
) -> Integers:
    """The neurons whose potentials are shown."""
    if population.name in traced:
        return traced[population.name]
    if population.name in golden.spikes:
        activity = magnitudes(golden.spikes[population.name]).sum(axis=(0, 1), dtype=np.int64)
        chosen = np.argsort(-activity, kind="stable")[:NEURONS]
    else:
        chosen = np.arange(min(population.size, NEURONS))
    if comparison is not None and population.name in comparison.rtl.spikes:
        expected = comparison.golden.spikes[population.name]
        wrong = (expected != comparison.rtl.spikes[population.name]).any(axis=(0, 1))
        chosen = np.union1d(np.flatnonzero(wrong)[:NEURONS], chosen)
    return np.sort(chosen).astype(np.int64)


def _potentials(
    network: Network,
    counts: Mapping[str, EventCounts],
    neurons: Mapping[str, Integers],
    traced: Mapping[str, Integers],
    comparison: Comparison | None,
    shown: Integers,
    how: Mapping[str, Any],
) -> Iterator[Potentials]:
    if how["learn"]:  # each sample goes on from the one before
        every = simulate(network, counts, traces=neurons, **how).traces
        values = {name: array[shown] for name, array in every.items()}
    else:
        part = {name: array[shown] for name, array in counts.items()}
        values = simulate(network, part, traces=neurons).traces
    for population in sorted(network.populations, key=lambda p: p.phase):
        name = population.name
        of = neurons[name]
        thresholds = np.broadcast_to(population.threshold, population.size)[of]
        sent = None
        if comparison is not None and name in traced:
            sent = comparison.rtl.traces[name][shown]
        yield Potentials(name, of, thresholds if population.spiking else None, values[name], sent)


def _clocks(image: MemoryImage, counts: Mapping[str, EventCounts]) -> NDArray[np.int64]:
    """Clocks by sample, tile, step and part, of the first samples."""
    samples, steps = next(iter(counts.values())).shape[:2]
    shown = min(samples, SPLIT_SAMPLES)
    # The samples behind them may run ahead into their last steps.
    few = {name: array[: shown + image.config.slots] for name, array in counts.items()}
    words = np.concatenate(host_words(image, few))
    clocks = split_clocks(image, [int(word) for word in words], shown * steps)
    _, tiles, parts = clocks.shape
    return clocks.reshape(shown, steps, tiles, parts).swapaxes(1, 2)


def _divergence(
    image: MemoryImage,
    counts: Mapping[str, EventCounts],
    comparison: Comparison | None,
    learned: int | None,
) -> Divergence | None:
    """`learned`: what the number of the first sample is, in a run that learns."""
    if comparison is None or comparison.first is None or comparison.waveform is None:
        return None
    first = comparison.first
    if learned is not None:
        image = image.learning().from_sample(learned)
        if chunk_of(image, first.sample or 0)[0]:
            return None  # the chunk began with weights that the page does not have
    return divergence(image, counts, first.sample or 0, first.step, Path(comparison.waveform))
