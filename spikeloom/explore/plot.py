"""A picture of a sweep."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from spikeloom.explore.evaluate import Result
from spikeloom.files import write_bytes


def write_plot(
    path: Path, results: Sequence[Result], best: Sequence[Result], floats: float | None
) -> None:
    """Draw accuracy against the time of a sample, or without boards against its clocks.

    Each board has a colour. The points in `best` are ringed; a cross does not fit its part.

    Parameters
    ----------
    path
        A file that ends in .png, .svg or .pdf.
    results, best
        All results, and those of `pareto`.
    floats
        Accuracy in floats, drawn as a line; None for none.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  # slow to import

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    works = [result for result in results if result.clocks is not None]
    for board in dict.fromkeys(result.point.board for result in works):
        group = [result for result in works if result.point.board == board]
        fits = [result for result in group if result.problem is None]
        (line,) = axes.plot(*_places(fits), "o", markersize=4, label=board or "smallest fabric")
        color = line.get_color()
        large = [result for result in group if result.problem is not None]
        axes.plot(*_places(large), "x", markersize=5, color=color)
        chosen = [result for result in best if result.point.board == board]
        axes.plot(*_places(chosen), "o", markersize=9, fillstyle="none", color=color)
        for result, place in zip(chosen, zip(*_places(chosen), strict=True), strict=True):
            note = f"{result.point.weight_bits} bits, {result.point.lanes} lanes"
            axes.annotate(note, place, xytext=(6, 4), textcoords="offset points", fontsize=7)
    if floats is not None:
        axes.axhline(floats, linestyle=":", color="gray", label="floats")
    if any(result.problem for result in works):
        axes.plot([], [], "x", color="gray", label="too large for the part")
    timed = any(result.mhz for result in works)
    axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.set_xlabel("microseconds a sample" if timed else "clocks a sample")
    axes.set_ylabel("accuracy")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    buffer = BytesIO()
    figure.savefig(buffer, format=path.suffix[1:] or "png")
    write_bytes(path, buffer.getvalue())


def _places(results: Sequence[Result]) -> tuple[list[float], list[float]]:
    """Where the results are in the picture."""
    across = [result.microseconds or result.clocks or 0.0 for result in results]
    return across, [result.accuracy or 0.0 for result in results]
