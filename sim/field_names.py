r"""Verilog in which fields are read by their names instead of by their bits.

Each module has a wire for every field of its structures, such as `\load__word.target `, but Yosys
writes `load__word[3:1]` wherever the field is read.
"""

import re

_MODULE = re.compile(r"^module .*?^endmodule$", re.M | re.S)
_ALIAS = re.compile(
    r"^  assign (?P<name>\\(?P<base>\S+?)\.\S+ ) = (?P<bits>\\?(?P=base) ?\[\d+(?::\d+)?\]);$", re.M
)
_READ = re.compile(
    r"^(?P<target>  assign .*? = | +\S+ +(?:\[[\d:]+\] )?= | .*? <= | +(?:if|casez?) )"
    r"(?P<value>.*)$",
    re.M,
)


def with_field_names(text: str) -> str:
    """The same design; only what is read changes, so ports and what is assigned stay."""
    return _MODULE.sub(lambda module: _named(module[0]), text)


def _named(module: str) -> str:
    names: dict[str, str] = {}
    for alias in _ALIAS.finditer(module):
        names.setdefault(alias["bits"], alias["name"])
    if not names:
        return module
    bits = re.compile(rf"(?<![\w$.\\])(?:{'|'.join(map(re.escape, names))})")

    def read(line: re.Match[str]) -> str:
        if _ALIAS.fullmatch(line[0]):
            return line[0]
        return line["target"] + bits.sub(lambda name: names[name[0]], line["value"])

    return _READ.sub(read, module)
