"""Merges equal modules.

Amaranth writes a module for every use of a component, so a mesh has as many equal modules as
tiles. Verilator would compile, and people would read, each of them.
"""

import re
from collections import Counter

_MODULE = re.compile(
    r"^(?P<attributes>(?:attribute [^\n]*\n)*)module (?P<name>\S+)\n(?P<body>.*?)^end\n",
    re.M | re.S,
)
_CELL = re.compile(r"^  cell (?P<kind>\\\S+) (?P<rest>.*?)^  end\n", re.M | re.S)
_OUTSIDE = re.compile(r"^    connect (?P<port>\S+)", re.M)
_UNNAMED = re.compile(r"\\port\$\d+\$\d+")
"""A port that is a slice of a signal: Amaranth numbers them across the whole design."""
_NAME = re.compile(r"^(?P<before>module |  cell )(?P<name>\\\S+)", re.M)
_NUMBER = re.compile(r"\d+(?=\.|$)")


def merge(text: str) -> str:
    """RTLIL as Amaranth writes it, the top module first, with equal modules merged.

    Modules are equal if their texts are, after their submodules are merged and their unnamed ports
    are numbered from 0. A merged module takes the name of one of them, without the numbers in it if
    that name is free.
    """
    stands: dict[str, str] = {}  # for each module, its representative
    ports: dict[str, dict[str, str]] = {}  # for each module, new names of its unnamed ports
    written: dict[str, str] = {}  # name by text, submodules first

    def inside(cell: re.Match[str]) -> str:
        kind = cell["kind"]
        known = ports.get(kind, {})
        rest = _OUTSIDE.sub(
            lambda port: f"    connect {known.get(port['port'], port['port'])}", cell["rest"]
        )
        return f"  cell {stands.get(kind, kind)} {rest}  end\n"

    originals = {module["name"]: module for module in _MODULE.finditer(text)}
    for name, module in reversed(originals.items()):
        renamed = ports[name] = {}
        body = _UNNAMED.sub(
            lambda port: renamed.setdefault(port[0], rf"\port${len(renamed)}"),  # noqa: B023
            _CELL.sub(inside, module["body"]),
        )
        stands[name] = written.setdefault(body, name)

    shared = [name for name, number in Counter(stands.values()).items() if number > 1]
    names = {_NUMBER.sub("", name): name for name in shared}
    called = {name: plain for plain, name in names.items() if plain not in originals}

    def call(name: re.Match[str]) -> str:
        return name["before"] + called.get(name["name"], name["name"])

    modules = [
        _NAME.sub(call, f"{originals[name]['attributes']}module {name}\n{body}end\n")
        for body, name in written.items()
    ]
    return text[: next(iter(originals.values())).start()] + "".join(reversed(modules))
