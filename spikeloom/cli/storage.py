"""The command that shows, bounds and clears the cache."""

import re
from collections.abc import Iterable

import click

from spikeloom.cli.output import plain
from spikeloom.golden.errors import SpikeloomError
from spikeloom.sim import cache

_UNITS = {"": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4}


@click.command("cache")
@click.option(
    "--limit", metavar="SIZE", help="Remove the least recently used entries until SIZE, as in 2GB."
)
@click.option("--clear", is_flag=True, help="Remove everything.")
def cache_command(limit: str | None, clear: bool) -> None:
    """Show the cache of builds and results, bound its size, or clear it.

    Its directory is that of the environment variable SPIKELOOM_CACHE, or else the user's cache
    directory.
    """
    if clear and limit is not None:
        raise SpikeloomError("--clear cannot be combined with --limit")
    if clear or limit is not None:
        removed = cache.limit(0 if limit is None else _bytes(limit))
        click.echo(f"removed {len(removed)} entries, {_shown(entry.size for entry in removed)}")
    listed = cache.entries()
    for kind in sorted({entry.kind for entry in listed}):
        sizes = [entry.size for entry in listed if entry.kind == kind]
        click.echo(f"  {plain(kind):<20}{len(sizes):>8} entries  {_shown(sizes):>10}")
    click.echo(f"{plain(str(cache.directory()))}: {_shown(entry.size for entry in listed)}")


def _bytes(text: str) -> int:
    """A size such as 2GB, 1.5 GB or 1000 in bytes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kMGT]B)?", text, re.ASCII)
    if match is None or len(text) > 20:
        raise SpikeloomError(f"--limit {text}: must be a size, such as 500MB or 2GB")
    return int(float(match[1]) * _UNITS[match[2] or ""])


def _shown(sizes: Iterable[int]) -> str:
    """The sum of sizes in bytes, in the unit that suits it."""
    total = sum(sizes)
    name, size = next(
        (item for item in reversed(_UNITS.items()) if item[0] and total >= item[1]), ("bytes", 1)
    )
    return f"{total / size:.3g} {name}"
