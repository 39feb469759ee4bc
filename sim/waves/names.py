"""Names of signals as the hardware description has them, and of the values of enumerations."""

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from amaranth.hdl import Fragment

from spikeloom.golden.spec import FabricConfig, LoadTarget, PacketKind, Reset
from spikeloom.hdl.fabric import Fabric
from spikeloom.sim.waves.vcd import Variable

Names = tuple[str, ...]
"""Names of the scopes around a signal, then its own."""

Values = Mapping[int, str]

_FIELDS: dict[str, type[enum.IntEnum]] = {
    "kind": PacketKind,
    "target": LoadTarget,
    "reset": Reset,
}
"""Fields of structures that are enumerations; their plain layouts do not say so."""

_SIGNED = {"value", "v", "u", "v_next", "i", "i_next", "threshold", "v_reset", "v_init", "v_min"}
_SIGNED |= {"bias", "leak", "sums", "buffer"}


@dataclass
class Scope:
    """A module, or a structure of signals.

    Parameters
    ----------
    module
        Whether it is a module.
    signals
        Its signals by name.
    scopes
        Modules and structures inside it, by name.
    """

    module: bool
    signals: dict[str, Variable] = field(default_factory=dict)
    scopes: dict[str, "Scope"] = field(default_factory=dict)

    def inner(self, name: str, module: bool) -> "Scope":
        """The scope called `name`, made if it is not there."""
        return self.scopes.setdefault(name, Scope(module))


def named(variables: list[Variable], root: Names) -> Scope:
    """The signals below scope `root` under their names in the hardware description.

    Port `command__p` of a module is signal `p` of its interface `command`, unless it also has a
    module called `command`; field `first` of a structure is a signal in the scope of the structure.
    Signals without a name in the description, second names of others, and scopes that only Verilog
    has are left out: their names have a `$` or begin with `clear_`.
    """
    top = Scope(module=True)
    placed = []
    for variable in variables:
        modules = variable.scopes[len(root) :]
        if variable.scopes[: len(root)] != root or "$" in variable.name:
            continue
        if any(name.startswith("clear_") for name in modules):
            continue
        scope = top
        for name in modules:
            scope = scope.inner(name, module=True)
        placed.append((scope, variable))
    for module, variable in placed:
        *structures, last = _parts(variable.name, module)
        scope = module
        for name in structures:
            scope = scope.inner(name, module=False)
        scope.signals[last] = variable
    return top


def _parts(name: str, scope: Scope) -> list[str]:
    """The structures of a signal of a module, then its own name."""
    # Counters are numbered by tile: `errors.0`.
    numbered = re.sub(r"\.(\d+)$", r"[\1]", name)
    parts = numbered.replace("__", ".").split(".")
    # An interface that is called as a module keeps its names of the Verilog.
    return (
        numbered.split(".") if parts[0] in scope.scopes and scope.scopes[parts[0]].module else parts
    )


def enumerations(config: FabricConfig) -> dict[Names, Values]:
    """The names of the states of every state machine of a fabric, by the path of its signal."""
    return dict(_states(Fragment.get(Fabric(config), None), ()))


def _states(fragment: Fragment, path: Names) -> Iterator[tuple[Names, Values]]:
    for name, machine in (fragment.generated or {}).items():
        numbers = getattr(machine, "encoding", {})
        yield (*path, f"{name}_state"), {number: state for state, number in numbers.items()}
    for inner, name, _ in fragment.subfragments:
        yield from _states(inner, (*path, name))


def is_signed(name: str) -> bool:
    """Whether a signal or field of this name is a signed number."""
    return name.partition("[")[0] in _SIGNED


def ranged(name: str, width: int, space: str = "") -> str:
    """The name of a signal with the range of its bits, as viewers show it."""
    return f"{name}{space}[{width - 1}:0]" if width > 1 else name


def enumeration(states: Mapping[Names, Values], scope: Scope, path: Names, signal: str) -> Values:
    """The names of the values of a signal in `scope`, which is at `path`; empty for a number."""
    if scope.module:
        return states.get((*path, signal), {})
    width = scope.signals[signal].width
    return {int(n): n.name for n in _FIELDS.get(signal, ()) if int(n) < 1 << width}
