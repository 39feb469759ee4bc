"""Remedies of the import and of `compile`, which name arguments, as options of the command line."""

import contextlib
import dataclasses
import json
import re
import shlex
from collections.abc import Iterator

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import FabricConfig
from spikeloom.importer.dialect import Dialect
from spikeloom.mapping.sizes import Shortage

_OPTIONS = ("weight_bits", "max_count", "schedule")
"""Arguments whose option has their name."""

_NAMES = "|".join((*_OPTIONS, *(field.name for field in dataclasses.fields(FabricConfig))))
_SCALE = re.compile(r"scales=\{'([^']*)': ([^}]*)\}")
_SETTING = re.compile(rf"(?<![.\w])(?<!--scale )({_NAMES})=\"?(\w+)\"?")

_OF_IMPORT = "|".join(("dialect", *(field.name for field in dataclasses.fields(Dialect))))
_CHOICE = re.compile(rf"(?<![.\w])({_OF_IMPORT})=(\"?'?)(>=?|[\w.+-]*\w|)\2")
_OWN_OPTIONS = ("dialect", "dt", "reset", "compare")
"""Choices of the import whose option has their name."""


@contextlib.contextmanager
def as_options() -> Iterator[None]:
    """Errors of `compile` name options of the command line, not arguments."""
    try:
        yield
    except Shortage as short:
        options = (f"--set {name}={json.dumps(value)}" for name, value in short.fields.items())
        raise SpikeloomError(f"{short.problem}; add {' '.join(options)}") from None
    except SpikeloomError as error:
        raise SpikeloomError(options_in(str(error))) from None


@contextlib.contextmanager
def as_import_options() -> Iterator[None]:
    """Errors of `load_nir` name options of the command line, not arguments."""
    try:
        yield
    except SpikeloomError as error:
        raise SpikeloomError(import_options_in(str(error))) from None


def import_options_in(text: str) -> str:
    """`text` with choices such as seed=1 or reset="zero" as options of the commands."""

    def option(match: re.Match[str]) -> str:
        name, _, value = match.groups()
        value = shlex.quote(value.lower() if value in ("True", "False") else value) if value else ""
        return f"--{name} {value}".rstrip() if name in _OWN_OPTIONS else f"--option {name}={value}"

    return _CHOICE.sub(option, text)


def options_in(text: str) -> str:
    """`text` with settings such as state_bits=20 or a scale as options of `compile`."""

    def option(match: re.Match[str]) -> str:
        name, value = match.groups()
        if name in ("weight_bits", "max_count", "schedule"):
            return f"--{name.replace('_', '-')} {value}"
        return f"--set {name}={value.lower()}"

    def scale(match: re.Match[str]) -> str:
        return f"--scale {shlex.quote('='.join(match.groups()))}"

    return _SETTING.sub(option, _SCALE.sub(scale, text))
