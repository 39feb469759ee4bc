"""Save files for GTKWave and Surfer: the signals of a waveform grouped by tile and stage.

pyvcd writes save files for GTKWave, but knows no enumerations.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from spikeloom.sim.waves.fst import MARK_BITS, MARKS
from spikeloom.sim.waves.names import Names, Scope, Values, enumeration, is_signed, ranged

_HEX, _SIGNED, _NAMED = "@22", "@424", "@100000028"
"""GTKWave's flags of a number, a signed one, and a value of an enumeration."""
_OPEN, _CLOSED = ("@800200", "@1000200"), ("@c00200", "@1401200")
"""GTKWave's flags of the first and last line of a group."""


_ZOOM = -5.0
"""GTKWave's zoom, as the negative of a power of two: about 60 clocks fit into its window."""


@dataclass(frozen=True)
class Entry:
    """A line of a list of signals.

    Parameters
    ----------
    depth
        Number of groups around it.
    title
        Of the group that begins here; "" for a signal.
    signal
        Names of the scopes around a signal, then its own.
    width
        Bits of the signal.
    format
        GTKWave's flags of its values.
    opened
        Whether the group shows its signals from the start.
    """

    depth: int
    title: str = ""
    signal: Names = ()
    width: int = 1
    format: str = _HEX
    opened: bool = False


_FIRST = ("host_in", "host_out")
"""Interfaces that come first, and open."""


def entries(
    top: str, scope: Scope, states: Mapping[Names, Values], marks: Names
) -> Iterator[Entry]:
    """The list of the signals below the module `top`; `marks` come first."""
    yield Entry(0, MARKS, opened=True)
    for name in marks:
        yield Entry(1, signal=(MARKS, name), width=MARK_BITS, format=_SIGNED)
    yield Entry(1, signal=(top, "clk"))
    yield from _module(scope, (top,), (), 0, states)


def _module(
    scope: Scope, root: Names, path: Names, depth: int, states: Mapping[Names, Values]
) -> Iterator[Entry]:
    """The signals of a module: states, interfaces, the rest; then the modules inside it."""
    inner = [(name, part) for name, part in scope.scopes.items() if part.module]
    structures = [(name, part) for name, part in scope.scopes.items() if not part.module]
    structures.sort(key=lambda structure: structure[0] not in _FIRST)
    machines = [name for name in scope.signals if (*path, name) in states]
    for name in machines:
        yield _signal(scope, root, path, name, depth, states)
    for name, part in structures:
        yield Entry(depth, name, opened=depth == 0 and name in _FIRST)
        yield from _structure(part, root, (*path, name), depth + 1, states)
    for name in scope.signals:
        if name not in (*machines, "clk", *(name for name, _ in structures)):
            yield _signal(scope, root, path, name, depth, states)
    for name, part in inner:
        yield Entry(depth, name, opened=depth == 0 and len(part.scopes) > 0)
        yield from _module(part, root, (*path, name), depth + 1, states)


def _structure(
    scope: Scope, root: Names, path: Names, depth: int, states: Mapping[Names, Values]
) -> Iterator[Entry]:
    """The signals of a structure; where a signal has fields, those stand for it."""
    for name in sorted(scope.signals, key=lambda name: name != "valid"):
        if name not in scope.scopes:
            yield _signal(scope, root, path, name, depth, states)
    for name, part in scope.scopes.items():
        yield from _structure(part, root, (*path, name), depth, states)


def _signal(
    scope: Scope, root: Names, path: Names, name: str, depth: int, states: Mapping[Names, Values]
) -> Entry:
    if enumeration(states, scope, path, name):
        shown = _NAMED
    else:
        shown = _SIGNED if is_signed(name) else _HEX
    return Entry(depth, "", (*root, *path, name), scope.signals[name].width, shown)


def gtkwave(dump: str, start: int, listed: Sequence[Entry]) -> str:
    """A save file of GTKWave for the waveform called `dump`, in the same folder.

    It shows the time from `start` on, in nanoseconds.
    """
    lines = [f'[dumpfile] "{dump}"', f"[timestart] {start}", f"*{_ZOOM} {start}"]
    groups: list[tuple[str, str]] = []

    def close(depth: int) -> None:
        while len(groups) > depth:
            title, end = groups.pop()
            lines.extend([end, f"-{title}"])

    for entry in listed:
        close(entry.depth)
        if entry.title:
            begin, end = _OPEN if entry.opened else _CLOSED
            lines.extend([begin, f"-{entry.title}"])
            groups.append((entry.title, end))
        else:
            lines.extend([entry.format, ranged(".".join(entry.signal), entry.width)])
    close(0)
    return "\n".join(lines) + "\n"


def surfer(listed: Sequence[Entry]) -> str:
    """A command file of Surfer; it has dividers for groups, and finds enumerations by itself.

    Surfer takes the elements of an array for signals in a scope: `sums.[0]`.
    """
    lines = []
    titles: list[str] = []
    for entry in listed:
        del titles[entry.depth :]
        if entry.title:
            titles.append(entry.title)
            lines.append(f"divider_add {'.'.join(titles)}")
        else:
            lines.append(f"variable_add {'.'.join(entry.signal).replace('[', '.[')}")
    return "\n".join([*lines, "zoom_fit"]) + "\n"
