"""Writes the record of figures into the README and docs/performance.md: `python -m bench.table`.

`bench/record.json` has the newest value of every figure, with the commit it was measured at and
the date. README and page take their numbers from it, so none is typed.
"""

import json
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import learning, switches
from bench.boards import built
from bench.figure import Figure
from bench.rows import ROWS, Row

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "bench" / "record.json"
README = ROOT / "README.md"
PAGE = ROOT / "docs" / "performance.md"
MARKS = ("<!-- results: begin, written by make bench -->\n", "<!-- results: end -->")

COUNTED = "counted."
"""How names of figures begin that `bench.counted` counts, and a test counts again."""

HEAD = """\
# Performance

For anyone who compares: every figure that the benchmarks measure. `make bench DATA=folder` measures
them and writes this page; [examples/](../examples/) says what the data sets are.

- A figure whose name begins with `counted.` is the same on every machine; `tests/test_figures.py`
  counts it again and compares.
- Any other was measured on two cores at the commit and on the day of its row; speeds vary with the
  machine and with what else runs on it. A ratio was measured beside its reference in the same run.
- The module of `bench/` that the name begins with says how the figure is taken; `nmnist` and
  `braille` are `bench/examples.py`, `import` is `bench/importing.py`, `golden` `bench/golden.py`.

## Beside others

What others state, with its source; none of it was measured here. "Alike" says how far the two can
be compared.

"""

Record = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class _Values(string.Formatter):
    """Fills `{name:format}` with the value of a figure."""

    record: Record

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Any) -> Any:
        return self.record[field_name]["value"], field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        return str(super().format_field(value, format_spec)).replace("%", " %")


def keep(figures: Iterable[Figure]) -> None:
    """Put figures into the record, with the present commit and its date."""
    commit, date = built().split()
    record = read()
    for figure in figures:
        record[figure.name] = figure.to_dict() | {"commit": commit, "date": date}
    RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read() -> dict[str, dict[str, Any]]:
    """The record."""
    record: dict[str, dict[str, Any]] = json.loads(RECORD.read_text(encoding="utf-8"))
    return record


def results(record: Record) -> str:
    """The rows of `bench.rows` as Markdown."""
    lines = [
        "| what | Spikeloom | best open alternative found | alike? | taken at |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.what} | {_Values(record).format(row.value)} | {row.other} | {row.alike} "
        f"| {_taken(row, record)} |"
        for row in ROWS
    ]
    return "\n".join(lines) + "\n"


def page(record: Record) -> str:
    """The text of docs/performance.md."""
    lines = [
        "| figure | value | goal | beside | taken at |",
        "|---|---|---|---|---|",
    ]
    for name in sorted(record):
        figure = record[name]
        cells = [
            f"`{name}`",
            f"{_number(figure['value'])} {figure['unit']}".strip(),
            _goal(figure),
            _beside(figure),
            f"{figure['commit']} {figure['date']}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return f"{HEAD}{results(record)}\n## All figures\n\n" + "\n".join(lines) + "\n"


def between_marks(text: str, results: str) -> str:
    """The text of a page with the results between its marks."""
    begin, end = map(re.escape, MARKS)
    parts = re.split(f"({begin}|{end})", text)
    if len(parts) != 5:
        raise SystemExit("the page has no marks for the results")
    return "".join([*parts[:2], results, *parts[3:]])


def pages(record: Record) -> dict[Path, str]:
    """The text of each page that shows figures."""
    return {
        README: between_marks(README.read_text(encoding="utf-8"), results(record)),
        **{
            module.PAGE: between_marks(
                module.PAGE.read_text(encoding="utf-8"), module.table(record)
            )
            for module in (switches, learning)
        },
        PAGE: page(record),
    }


def write() -> None:
    """Write every page from the record."""
    for path, text in pages(read()).items():
        path.write_text(text, encoding="utf-8")


def _taken(row: Row, record: Record) -> str:
    """The oldest commit and date among the figures of a row."""
    names = [name for _, name, _, _ in string.Formatter().parse(row.value) if name]
    date, commit = min((record[name]["date"], record[name]["commit"]) for name in names)
    how = "counted" if all(name.startswith(COUNTED) for name in names) else "measured"
    return f"{how}, {commit} {date}"


def _goal(figure: Mapping[str, Any]) -> str:
    if figure["goal"] is None:
        return ""
    return f"{'<=' if figure['at_most'] else '>='} {_number(figure['goal'])}" + (
        "" if figure["met"] else ", missed"
    )


def _beside(figure: Mapping[str, Any]) -> str:
    if figure.get("reference") is None:
        return ""
    return f"{figure['reference']}: {_number(figure['reference_value'])}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"


if __name__ == "__main__":
    write()
