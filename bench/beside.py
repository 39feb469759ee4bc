"""Times two pieces of work beside each other."""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bench.figure import Figure
from spikeloom.golden.network import Network
from spikeloom.golden.step.run import simulate


def golden_beside(
    name: tuple[str, str],
    network: Network,
    events: np.ndarray[Any, Any],
    theirs: Callable[[], object],
    what: str,
    rounds: tuple[int, int],
    goal: float | None = None,
    learn: bool = False,
) -> Iterator[Figure]:
    """Samples per second of the step-level golden model, and its speed over a framework's.

    Both run on one thread, in alternation, and their CPU time counts; the ratio is the median of
    the rounds'.

    Parameters
    ----------
    name
        Of the two figures.
    network, events
        The network, for the golden model.
    theirs
        Runs the same in the framework.
    what
        The framework, for the figures' reference.
    rounds
        Rounds to warm up, and rounds that count.
    goal
        Of the ratio.
    learn
        Whether the golden model learns.
    """
    warm, counted = rounds
    with threadpool_limits(1):
        pairs = [
            (
                seconds(
                    lambda: simulate(network, events, workers=1, learn=learn), time.process_time
                ),
                seconds(theirs, time.process_time),
            )
            for _ in range(warm + counted)
        ][warm:]
    ours, reference = (len(events) / statistics.median(times) for times in zip(*pairs, strict=True))
    yield Figure(
        name[0], ours, "samples/s", reference=f"{what}, samples/s", reference_value=reference
    )
    ratio = statistics.median(other / golden for golden, other in pairs)
    yield Figure(name[1], ratio, "", goal, reference=what, reference_value=1.0)


def seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """What `work` takes by a clock."""
    start = clock()
    work()
    return clock() - start
