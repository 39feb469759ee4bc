"""What commands show and write: tables, JSON and progress."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from spikeloom.devices.device import Progress
from spikeloom.files import write_text


@contextmanager
def bar(label: str, length: int) -> Iterator[Progress]:
    """A progress bar on a terminal, nothing elsewhere; takes the number done so far."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=length, label=label, file=sys.stderr, hidden=hidden) as bar:
        yield lambda done: bar.update(done - bar.pos)


def plain(text: str) -> str:
    """The text with what is not printable, such as line ends or escapes, in backslash form."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def print_table(values: dict[str, Any]) -> None:
    """Show names and values, a line each."""
    for name, value in values.items():
        shown = f"{value:.6g}" if isinstance(value, float) else str(value)
        click.echo(f"  {plain(name.replace('_', ' ')):<28}{plain(shown)}")


def write_json(path: Path | None, values: dict[str, Any]) -> None:
    """Write the values to the file, if one was asked for."""
    if path is not None:
        write_text(path, json.dumps(values, indent=2) + "\n")
