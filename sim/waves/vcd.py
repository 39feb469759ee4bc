"""Reads the VCD files that Verilator writes.

The reader of pyvcd refuses their scope `$rootio`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True)
class Variable:
    """A signal as a VCD file declares it.

    Parameters
    ----------
    scopes
        Names of the scopes around it, the outermost first.
    name
        Its name, without the range of its bits.
    width
        Its number of bits.
    code
        What its changes are marked with; equal signals share one.
    """

    scopes: tuple[str, ...]
    name: str
    width: int
    code: str


def read_header(lines: TextIO) -> list[Variable]:
    """The declarations of a VCD file, whose lines are left at its first change."""
    scopes: list[str] = []
    variables = []
    for line in lines:
        words = line.split()
        match words[:1]:
            case ["$scope"]:
                scopes.append(words[2])
            case ["$upscope"]:
                scopes.pop()
            case ["$var"]:
                variables.append(Variable(tuple(scopes), words[4], int(words[2]), words[3]))
            case ["$enddefinitions"]:
                break
    return variables


def read_changes(lines: TextIO) -> Iterator[int | tuple[str, str]]:
    """The rest of a VCD file: times, and between them the code and the bits of each change."""
    for line in lines:
        match line[0]:
            case "#":
                yield int(line[1:])
            case "b":
                bits, code = line[1:].split()
                yield code, bits
            case "0" | "1":
                yield line[1:].rstrip(), line[0]
