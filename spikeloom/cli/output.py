"""Output of the commands: tables, JSON and progress."""

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
    """A progress bar on terminals only; yields a function that takes the number done so far."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=length, label=label, file=sys.stderr, hidden=hidden) as bar:
        yield lambda done: bar.update(done - bar.pos)


def plain(text: str) -> str:
    """The text with unprintable characters, such as line ends or escapes, in backslash form."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def print_table(values: dict[str, Any]) -> None:
    """Print names and values, one pair per line."""
    for name, value in values.items():
        shown = f"{value:.6g}" if isinstance(value, float) else str(value)
        click.echo(f"  {plain(name.replace('_', ' ')):<28}{plain(shown)}")


def write_json(path: Path | None, values: dict[str, Any]) -> None:
    """Write the values to the file, if there is one."""
    if path is not None:
        write_text(path, json.dumps(values, indent=2) + "\n")
