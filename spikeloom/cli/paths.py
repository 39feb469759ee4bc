"""Types of what names a file: no command writes one that it reads or writes already.

Whether it can be written is checked before any work.
"""

import os
from pathlib import Path
from typing import Any

import click

from spikeloom.cli.output import STANDARD_OUTPUT, Terminal
from spikeloom.files import check_writable
from spikeloom.golden.errors import SpikeloomError


class FileRead(click.Path):
    """A file that the command reads."""

    use = "read"

    def __init__(self) -> None:
        super().__init__()

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """See `click.ParamType`."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if param is not None and ctx is not None and not ctx.resilient_parsing:
            self.check(path, param, ctx)
        return path

    def check(self, path: Path, parameter: click.Parameter, context: click.Context) -> None:
        """Check that no other option writes it; PROGRAM may be that of --learn."""
        if path.exists() and not path.is_file():
            return  # such as /dev/null
        given = context.meta.setdefault(f"{__name__}.given", [])
        for other, whose, use in given:
            learned_on = {whose.name, parameter.name} == {"program", "learned"}
            apart = whose is parameter or {use, self.use} == {"read"} or learned_on
            if other == path.resolve() and not apart:
                raise SpikeloomError(
                    f"{path} is given twice, as {_shown(whose)} and as {_shown(parameter)}: write "
                    "to another file"
                )
        given.append((path.resolve(), parameter, self.use))


class FileWritten(FileRead):
    """A file that the command writes, or with `maybe` only if something is wrong."""

    use = "written"

    def __init__(self, maybe: bool = False) -> None:
        super().__init__()
        self.maybe = maybe

    def check(self, path: Path, parameter: click.Parameter, context: click.Context) -> None:
        """Check also that it can be written."""
        if not self.maybe:
            check_writable(path)
        super().check(path, parameter, context)


class Page(FileWritten):
    """A page, with a JSON file beside it."""

    def check(self, path: Path, parameter: click.Parameter, context: click.Context) -> None:
        """Check both files."""
        super().check(path, parameter, context)
        beside = path.with_suffix(".json")
        if beside == path:
            raise SpikeloomError(f"{path}: a page is no JSON file; call it {path.stem}.html")
        super().check(beside, parameter, context)


class JsonFile(FileWritten):
    """A file for JSON, or - for standard output, which then has no tables."""

    def check(self, path: Path, parameter: click.Parameter, context: click.Context) -> None:
        """Check the file, if it is one."""
        if path == STANDARD_OUTPUT:
            context.ensure_object(Terminal).tables = False
        else:
            super().check(path, parameter, context)


def _shown(parameter: click.Parameter) -> str:
    """A parameter as the user gives it."""
    name = str(parameter.name).upper()
    return parameter.opts[-1] if isinstance(parameter, click.Option) else name
