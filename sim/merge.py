"""One module for all that are the same.

Amaranth writes a module for every use of a component, so a mesh has as many modules as tiles, each
with the same text. Verilator compiles code for each, and so does everybody who reads it.
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
"""A port that is a part of a signal: Amaranth numbers them through the whole design."""
_NAME = re.compile(r"^(?P<before>module |  cell )(?P<name>\\\S+)", re.M)
_NUMBER = re.compile(r"\d+(?=\.|$)")


def merge(text: str) -> str:
    """RTLIL as Amaranth writes it, the top module first, with one module for all that are the same.

    Modules are the same if their texts are, once the modules in them are merged and their unnamed
    ports are numbered from 0 in each. What stands for several has the name of one of them, without
    the numbers in it if no other module is called so.
    """
    stands: dict[str, str] = {}  # for each module, the one that stands for it
    ports: dict[str, dict[str, str]] = {}  # of each, new names of its unnamed ports
    written: dict[str, str] = {}  # what they are called by their text, those inside others first

    def inside(cell: re.Match[str]) -> str:
        kind = cell["kind"]
        known = ports.get(kind, {})
        rest = _OUTSIDE.sub(
            lambda port: f"    connect {known.get(port['port'], port['port'])}", cell["rest"]
        )
        return f"  cell {stands.get(kind, kind)} {rest}  end\n"

    found = {module["name"]: module for module in _MODULE.finditer(text)}
    for name, module in reversed(found.items()):
        renamed = ports[name] = {}
        body = _UNNAMED.sub(
            lambda port: renamed.setdefault(port[0], rf"\port${len(renamed)}"),  # noqa: B023
            _CELL.sub(inside, module["body"]),
        )
        stands[name] = written.setdefault(body, name)

    shared = [name for name, number in Counter(stands.values()).items() if number > 1]
    names = {_NUMBER.sub("", name): name for name in shared}
    called = {name: plain for plain, name in names.items() if plain not in found}

    def call(name: re.Match[str]) -> str:
        return name["before"] + called.get(name["name"], name["name"])

    modules = [
        _NAME.sub(call, f"{found[name]['attributes']}module {name}\n{body}end\n")
        for body, name in written.items()
    ]
    return text[: next(iter(found.values())).start()] + "".join(reversed(modules))
