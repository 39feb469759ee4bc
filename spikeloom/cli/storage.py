"""The command that shows, bounds and clears the cache."""

import re
from collections.abc import Iterable
from pathlib import Path

import click

from spikeloom.cli.options import JSON
from spikeloom.cli.output import print_columns, say, size, write_json
from spikeloom.golden.errors import SpikeloomError
from spikeloom.sim import cache

_UNITS = {"": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4}


@click.command("cache")
@click.option(
    "--limit", metavar="SIZE", help="Remove the least recently used entries until SIZE, as in 2GB."
)
@click.option("--clear", is_flag=True, help="Remove everything.")
@JSON
def cache_command(limit: str | None, clear: bool, json_path: Path | None) -> None:
    r"""Show the cache of builds and results, bound its size, or clear it.

    Its directory is that of the environment variable SPIKELOOM_CACHE, or else the user's cache
    directory.

    \b
    Examples:
      spikeloom cache
      spikeloom cache --limit 2GB
    """
    if clear and limit is not None:
        raise SpikeloomError("--clear cannot be combined with --limit")
    removed: list[cache.Entry] = []
    if clear or limit is not None:
        removed = cache.limit(0 if limit is None else _bytes(limit))
        say(f"removed {len(removed)} entries, {_total(removed)}")
    listed = cache.entries()
    kinds = {
        kind: [entry for entry in listed if entry.kind == kind]
        for kind in sorted({entry.kind for entry in listed})
    }
    print_columns(
        ["kind", "entries", "size"],
        [(kind, len(entries), _total(entries)) for kind, entries in kinds.items()],
    )
    say(f"{cache.directory()}: {_total(listed)}")
    write_json(
        json_path,
        {
            "directory": str(cache.directory()),
            "bytes": sum(entry.size for entry in listed),
            "removed_bytes": sum(entry.size for entry in removed),
            "kinds": {
                kind: {"entries": len(entries), "bytes": sum(entry.size for entry in entries)}
                for kind, entries in kinds.items()
            },
        },
    )


def _bytes(text: str) -> int:
    """A size such as 2GB, 1.5 GB or 1000 in bytes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kMGT]B)?", text, re.ASCII)
    if match is None or len(text) > 20:
        raise SpikeloomError(f"--limit {text}: must be a size, such as 500MB or 2GB")
    return int(float(match[1]) * _UNITS[match[2] or ""])


def _total(entries: Iterable[cache.Entry]) -> str:
    return size(sum(entry.size for entry in entries))
