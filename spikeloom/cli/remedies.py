"""Remedies of `compile`, which names arguments, as options of the command line."""

import contextlib
import dataclasses
import json
import re
import shlex
from collections.abc import Iterator

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.sizes import Shortage

_OPTIONS = ("weight_bits", "max_count", "schedule")
"""Arguments whose option has their name."""

_NAMES = "|".join((*_OPTIONS, *(field.name for field in dataclasses.fields(FabricConfig))))
_SCALE = re.compile(r"scales=\{'([^']*)': ([^}]*)\}")
_SETTING = re.compile(rf"(?<![.\w])(?<!--scale )({_NAMES})=\"?(\w+)\"?")


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
