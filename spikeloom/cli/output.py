"""Output of the commands: tables, JSON, and what is done meanwhile.

Results go to standard output: tables, or with `--json -` one JSON object in their place. Progress,
warnings and errors go to standard error: bars that move on a terminal, in a pipe a line a minute;
with `--verbose` a line for every step, with its time. `--quiet` leaves warnings and errors.
"""

import contextlib
import enum
import functools
import importlib
import io
import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from spikeloom.files import write_text
from spikeloom.golden.progress import Task

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

STANDARD_OUTPUT = Path("-")
"""What `--json` calls it."""

_WIDTH = 10_000
"""Characters of a line that is not for a terminal: nothing is wrapped or cut."""

PATIENCE = 60.0
"""Seconds after which a command that is not on a terminal says what it is at."""


class Level(enum.IntEnum):
    """How much is said."""

    QUIET = 0
    USUAL = 1
    VERBOSE = 2


class Terminal:
    """Shows tasks on standard error, and says what may be printed.

    Parameters
    ----------
    level
        How much is said.

    Attributes
    ----------
    tables
        Whether results are printed for people.
    """

    def __init__(self, level: Level = Level.USUAL) -> None:
        self.level = level
        self.tables = True
        self._lock = threading.Lock()
        self._bars: Progress | None = None
        self._shown: dict[Task, TaskID] = {}
        self._at_work: list[Task] = []

    @contextlib.contextmanager
    def signs_of_life(self) -> Iterator[None]:
        """Says meanwhile what is being done, every `PATIENCE`, where there are no bars."""
        over = threading.Event()

        def say_it() -> None:
            while not over.wait(PATIENCE):
                with self._lock:
                    doing = "; ".join(map(_state, self._at_work))
                if doing and self.level != Level.QUIET and not sys.stderr.isatty():
                    click.echo(plain(f"at work: {doing}"), err=True)

        threading.Thread(target=say_it, daemon=True).start()
        try:
            yield
        finally:
            over.set()

    def begin(self, task: Task) -> None:
        """See `golden.progress.Watcher`."""
        with self._lock:
            self._at_work.append(task)
            if self.level == Level.QUIET or not sys.stderr.isatty():
                return
            if self._bars is None:
                # Imported late, because most commands end before they show a bar.
                self._bars = importlib.import_module("spikeloom.cli.bars").bars()
                self._bars.start()
            self._shown[task] = self._bars.add_task(plain(task.label), total=task.total, note="")

    def update(self, task: Task) -> None:
        """See `golden.progress.Watcher`."""
        with self._lock:
            if self._bars is not None and task in self._shown:
                note = plain(task.note)
                self._bars.update(self._shown[task], completed=task.count, note=note)

    def end(self, task: Task, seconds: float, failed: bool) -> None:
        """See `golden.progress.Watcher`."""
        with self._lock:
            self._at_work.remove(task)
            if self._bars is not None and task in self._shown:
                bar = self._shown.pop(task)
                if not failed:
                    total = task.total or 1
                    self._bars.update(bar, total=total, completed=total, refresh=True)
                if failed or not task.note:  # a note is a result, which stays until all is done
                    self._bars.remove_task(bar)
                if not self._shown:
                    self._bars.stop()
                    self._bars = None
        if self.level == Level.VERBOSE:
            end = "failed" if failed else task.note
            click.echo(plain(f"{task.label}: {duration(seconds)}  {end}").rstrip(), err=True)


def _state(task: Task) -> str:
    """What is being done, and how far."""
    parts = "" if task.total is None else f", {task.count:,} of {task.total:,}"
    return task.label + parts + (task.note and f", {task.note}")


def terminal() -> Terminal:
    """That of the command that runs."""
    return click.get_current_context().ensure_object(Terminal)


def say(line: str) -> None:
    """Print a line for people, if they want to read any."""
    if terminal().tables:
        click.echo(plain(line))


def plain(text: str) -> str:
    """The text with unprintable characters, such as line ends or escapes, in backslash form."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def duration(seconds: float) -> str:
    """A time in the unit that suits it, such as 12.3 ms or 4 min 5 s."""
    for limit, factor, unit in ((1e-3, 1e6, "us"), (1.0, 1e3, "ms"), (60.0, 1.0, "s")):
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def size(count: float) -> str:
    """A number of bytes in the unit that suits it, such as 7.2 MB."""
    for limit, factor, unit in ((1e3, 1, "bytes"), (1e6, 1e3, "kB"), (1e9, 1e6, "MB")):
        if count < limit:
            return f"{count / factor:.3g} {unit}"
    return f"{count / 1e9:.3g} GB"


def percent(fraction: float) -> str:
    """A fraction as 99.87 %; never rounded up to 100 %."""
    text = f"{100 * fraction:.2f}"
    return f"{'99.99' if text == '100.00' and fraction < 1 else text} %"


def print_table(values: Mapping[str, Any]) -> None:
    """Print names and values, a pair on each line; those without a value are left out."""
    absent: tuple[Any, ...] = (None, [], ())
    rows = [
        (name.replace("_", " "), value) for name, value in values.items() if value not in absent
    ]
    _print([("", "left"), ("", "left")], [(name, _shown(value)) for name, value in rows])


def print_columns(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table with a heading; names, in the first column, to the left, the rest to the right.

    Values that are None are left blank, and a column of them is left out.
    """
    kept = [n for n in range(len(columns)) if any(row[n] is not None for row in rows)]
    heads = [(columns[n], "right" if n else "left") for n in kept]
    _print(heads, [[_shown(row[n]) for n in kept] for row in rows])


def _print(heads: Sequence[tuple[str, Any]], rows: Sequence[Sequence[str]]) -> None:
    """Print rows, aligned."""
    if not rows or not terminal().tables:
        return
    table = Table(box=None, show_header=any(name for name, _ in heads), pad_edge=False)
    for n, (name, justify) in enumerate(heads):
        table.add_column(Text(name), justify=justify, overflow="fold", min_width=0 if n else 26)
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    on_terminal = sys.stdout.isatty()
    text = io.StringIO()
    console = Console(
        file=text,
        force_terminal=on_terminal,
        width=max(40, Console().width - 2) if on_terminal else _WIDTH,
        highlight=False,
        legacy_windows=False,
    )
    console.print(table)
    for line in text.getvalue().splitlines():
        click.echo(f"  {line.rstrip()}")


def _shown(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(item)}" for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_shown, value))
    return str(value)


def write_json(path: Path | None, values: Mapping[str, Any]) -> None:
    """Write the values to the file, if there is one."""
    if path is None:
        return
    text = json.dumps(values, indent=2) + "\n"
    if path == STANDARD_OUTPUT:
        click.echo(text, nl=False)
    else:
        write_text(path, text)


def _set_level(level: Level) -> Callable[[click.Context, click.Parameter, bool], None]:
    def callback(context: click.Context, _: click.Parameter, given: bool) -> None:
        if given:
            shown = context.ensure_object(Terminal)
            shown.level = level
            shown.tables = shown.tables and level is not Level.QUIET

    return callback


_LEVELS = (
    click.option(
        *("-q", "--quiet"),
        is_flag=True,
        expose_value=False,
        callback=_set_level(Level.QUIET),
        help="Print warnings and errors only.",
    ),
    click.option(
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=_set_level(Level.VERBOSE),
        help="Also print every step with its time.",
    ),
)


def with_levels(command: click.Command) -> click.Command:
    """The command with the options --quiet and --verbose."""
    return functools.reduce(lambda decorated, option: option(decorated), _LEVELS, command)
