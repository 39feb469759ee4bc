"""The report of a board's build, read from its folder and checked, as it may come from anywhere."""

import json
import shlex
from pathlib import Path
from typing import Any

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import FabricConfig
from spikeloom.program import Program

FILE = "report.json"
"""The file that `spikeloom build` writes."""

MAX_BYTES = 1 << 20
"""Size up to which it is read."""


def read_build(folder: Path, program: Program) -> dict[str, Any]:
    """The report of the build in `folder`, which must be of the program's fabric.

    Raises
    ------
    SpikeloomError
        There is none, it is no such report, or it is of another fabric.
    """
    path = folder / FILE if folder.is_dir() else folder
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SpikeloomError(
            f"cannot read {path}: {error.strerror}; name the folder that build wrote"
        ) from None
    try:
        if len(text) > MAX_BYTES:
            raise ValueError
        report = json.loads(text)
        _check(report)
        fabric = FabricConfig.from_json(json.dumps(report["fabric"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SpikeloomError):
        raise SpikeloomError(
            f"{path} is no report of a build; name the folder that build wrote"
        ) from None
    program.image.check_fits(fabric, shlex.quote(report["board"]), f"the build in {folder}")
    return dict(report)


def _check(report: dict[str, Any]) -> None:
    """Raise one of the usual exceptions if a part that the page shows is missing or no such."""
    fmax = report["fmax_mhz"]
    numbers = [report["clock_mhz"], fmax["best"], fmax["median"], *fmax["seeds"].values()]
    for count in report["resources"].values():
        numbers += [count["used"], count.get("available", 0)]
    numbers += [part["delay_ns"] for part in report.get("critical_path", [])]
    texts = [report["board"], *report["tools"].values(), *report.get("pins", {}).values()]
    texts += [part[name] for part in report.get("critical_path", []) for name in ("kind", "to")]
    if not all(isinstance(number, int | float) for number in numbers):
        raise TypeError
    if not all(isinstance(text, str) for text in texts):
        raise TypeError
