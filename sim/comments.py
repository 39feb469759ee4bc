"""Comments of emitted Verilog, for people: where each module comes from, and what payloads hold."""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from amaranth.hdl import Elaboratable, Fragment

from spikeloom.golden.spec import FabricConfig, LoadTarget, PacketKind

_ATTRIBUTE = "spikeloom_source"
_MODULE = re.compile(r"^module \\(?P<name>\S+)$", re.M)
_WRITTEN = re.compile(rf'^\(\* {_ATTRIBUTE} = "(?P<text>[^"]*)" \*\)$', re.M)


def origins(fragment: Fragment, top: str) -> dict[str, str]:
    """For each module of a design its class, the file and line of that, and its states."""
    return dict(_origins(fragment, top))


def _origins(fragment: Fragment, path: str) -> Iterator[tuple[str, str]]:
    kinds = [type(origin) for origin in fragment.origins or () if isinstance(origin, Elaboratable)]
    named = [kind for kind in kinds if not kind.__module__.startswith("amaranth.hdl.")]
    if named:
        parts = [f"{named[0].__name__}, {_place(named[0])}"]
        for name, machine in (fragment.generated or {}).items():
            if states := getattr(machine, "encoding", {}):
                listed = ", ".join(f"{number} {state}" for state, number in states.items())
                parts.append(f"{name}_state: {listed}")
        yield path, "; ".join(parts)
    for inner, name, _ in fragment.subfragments:
        yield from _origins(inner, f"{path}.{name}")


def _place(kind: type) -> str:
    """File and, of our own, line of a class."""
    file = f"{kind.__module__.replace('.', '/')}.py"
    source = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if not (kind.__module__.startswith("spikeloom.") and source):
        return file
    lines = Path(source).read_text(encoding="utf-8").split("\n")
    starts = (n for n, line in enumerate(lines, 1) if re.match(rf"class {kind.__name__}\b", line))
    return f"{file}:{next(starts, 1)}"


def with_origins(text: str, where: Mapping[str, str]) -> str:
    """RTLIL with the origin of each module as an attribute, which equal modules share."""

    def attributed(module: re.Match[str]) -> str:
        origin = where.get(module["name"])
        return f'attribute \\{_ATTRIBUTE} "{origin}"\n{module[0]}' if origin else module[0]

    return _MODULE.sub(attributed, text)


def as_comments(text: str) -> str:
    """Verilog with these attributes as comments."""
    return _WRITTEN.sub(lambda attribute: f"// {attribute['text']}", text)


def summary(config: FabricConfig) -> str:
    """A table of the payloads of a fabric, as comments."""
    rows = [("payload", "bits", "field")]
    for name in ("host_in", "host_out", "load", "counters"):
        low = 0
        for field in getattr(config, name).fields:
            high = low + field.width - 1
            bits = f"{high}:{low}" if field.width > 1 else f"{low}"
            rows.append((name, bits, f"{field.name}{', signed' if field.signed else ''}"))
            low = high + 1
    kinds = ", ".join(f"{kind.value} {kind.name}" for kind in PacketKind)
    targets = ", ".join(f"{target.value} {target.name}" for target in LoadTarget)
    lines = [f"  {name:<9} {bits:>9}  {field}" for name, bits, field in rows]
    notes = [f"host_out.kind: {kinds}", f"load.target: {targets}"]
    return "".join(f"// {line}\n" for line in [*lines, *notes])
