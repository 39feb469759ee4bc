"""The results that no other beats."""

from collections.abc import Sequence

from spikeloom.explore.evaluate import Result


def pareto(results: Sequence[Result]) -> list[Result]:
    """The results that work and that no other equals or beats in all of its costs and its accuracy.

    Costs are the time of a sample (its clocks, if there is no board), bits of memory and, on a
    board, logic cells. Results on different boards do not compete. Of equals, the first stays.
    """
    works = [result for result in results if result.problem is None]
    kept: list[Result] = []
    for result in works:
        rivals = [other for other in works if other.point.board == result.point.board]
        first = next(other for other in rivals if _costs(other) == _costs(result))
        if first is result and not any(_beats(other, result) for other in rivals):
            kept.append(result)
    return kept


def _costs(result: Result) -> tuple[float, ...]:
    """What should be low."""
    assert result.accuracy is not None
    assert result.clocks is not None
    assert result.memory_bits is not None
    return (-result.accuracy, result.clocks, result.memory_bits, result.cells or 0)


def _beats(result: Result, other: Result) -> bool:
    """Whether `result` is nowhere worse than `other`, and somewhere better."""
    mine, theirs = _costs(result), _costs(other)
    return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))
