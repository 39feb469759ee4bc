"""Short descriptions of large objects: a line as their `repr`, a table in notebooks."""

import html
from collections.abc import Sequence
from typing import Any, NamedTuple


class Summary(NamedTuple):
    """What is shown of an object.

    Parameters
    ----------
    line
        A few words: counts, sizes.
    headings, rows
        A table; every cell is shown as text.
    notes
        Lines below it.
    """

    line: str
    headings: Sequence[str]
    rows: Sequence[Sequence[object]]
    notes: Sequence[str] = ()


class Summarised:
    """Base class of objects that are too large to print: shows their `summary`.

    A dataclass needs `repr=False`, or it would have a `repr` of its own.
    """

    def summary(self) -> Summary:
        """What is shown of it."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.summary().line})"

    def _repr_html_(self) -> str:
        """Table for notebooks, with every text escaped."""
        line, headings, rows, notes = self.summary()
        head = "".join(f"<th>{html.escape(heading)}</th>" for heading in headings)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
            for row in rows
        )
        lines = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
        return (
            f"<div><p><b>{type(self).__name__}</b>: {html.escape(line)}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            + (f"<ul>{lines}</ul></div>" if lines else "</div>")
        )


def counted(number: int, what: str) -> str:
    """A number with its noun, such as "1 input" or "2 inputs"."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def network_summary(inputs: Sequence[Any], populations: Sequence[Any], *more: str) -> Summary:
    """The summary of a network, in integers or floats: its size, and a row for each layer."""
    neurons = sum(population.size for population in populations)
    parts = counted(len(inputs), "input"), counted(len(populations), "population")
    rows: list[list[object]] = [[n.name, n.size, _shape(n.image), "input"] for n in inputs]
    for node in populations:
        kind = "spikes" if node.spiking else "never spikes"
        current = "" if node.synaptic_decay is None else ", synaptic current"
        kind = ", ".join([kind + current, *map(str, node.switches)])
        rows.append([node.name, node.size, _shape(node.image), kind])
    line = ", ".join((*parts, counted(neurons, "neuron"), *more))
    return Summary(line, ("name", "size", "image", "kind"), rows)


def _shape(image: tuple[int, ...] | None) -> str:
    return "" if image is None else " x ".join(map(str, image))
