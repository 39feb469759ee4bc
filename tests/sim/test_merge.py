"""Equal modules are merged, and only those."""

import dataclasses
import re

from spikeloom.golden.spec import FabricConfig
from spikeloom.sim.merge import merge
from spikeloom.sim.verilog import emit

LEAF = """\
attribute \\generator "Amaranth"
module {name}
  wire width {width} input 0 \\a
  wire width {width} output 1 {port}
  connect {port} \\a
end
"""
USE = """\
  cell {kind} \\{name}
    connect \\a \\x
    connect {port} {net}
  end
"""


def design(*leaves: tuple[str, int, str]) -> str:
    """A top module with these submodules: name, width, and name of the output."""
    uses = [
        USE.format(kind=rf"\top.{name}", name=name, port=port, net=rf"\y{number}")
        for number, (name, _, port) in enumerate(leaves)
    ]
    modules = [
        LEAF.format(name=rf"\top.{name}", width=width, port=port) for name, width, port in leaves
    ]
    return "\n".join(["# head", "module \\top", "".join(uses) + "end", *modules])


def modules(text: str) -> list[str]:
    return re.findall(r"^module (\S+)", text, re.M)


def cells(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^  cell (\S+) (\S+)", text, re.M)


def test_what_is_the_same_is_written_once() -> None:
    merged = merge(design(("part0", 4, "\\b"), ("part1", 4, "\\b"), ("part2", 4, "\\b")))
    assert merged.startswith("# head\n")
    assert modules(merged) == ["\\top", "\\top.part"]
    assert cells(merged) == [("\\top.part", f"\\part{number}") for number in range(3)]
    assert [f"connect \\b \\y{number}" in merged for number in range(3)] == [True] * 3


def test_what_differs_stays_apart() -> None:
    merged = merge(design(("part0", 4, "\\b"), ("part1", 5, "\\b"), ("part2", 4, "\\c")))
    assert modules(merged) == ["\\top", "\\top.part0", "\\top.part1", "\\top.part2"]
    assert cells(merged) == [(f"\\top.part{number}", f"\\part{number}") for number in range(3)]


def test_a_name_that_is_taken_is_left_alone() -> None:
    merged = merge(design(("part", 5, "\\b"), ("part0", 4, "\\b"), ("part1", 4, "\\b")))
    assert modules(merged) == ["\\top", "\\top.part", "\\top.part1"]
    assert cells(merged)[1:] == [("\\top.part1", "\\part0"), ("\\top.part1", "\\part1")]


def test_numbers_of_unnamed_ports_make_no_difference() -> None:
    merged = merge(design(("part0", 4, "\\port$17$0"), ("part1", 4, "\\port$9$0")))
    assert modules(merged) == ["\\top", "\\top.part"]
    assert merged.count("connect \\port$0 \\y") == 2
    assert "connect \\port$0 \\a" in merged


def test_modules_are_the_same_if_those_in_them_are() -> None:
    inner = LEAF.format(name="\\top.{0}.leaf", width="{1}", port="\\b")
    outer = "module \\top.{0}\n" + USE.format(kind="\\top.{0}.leaf", name="leaf", port="\\b", net=1)
    text = "module \\top\nend\n" + "".join(
        (outer + "end\n" + inner).format(*part) for part in (("p0", 4), ("p1", 4), ("p2", 5))
    )
    assert modules(merge(text)) == ["\\top", "\\top.p", "\\top.p.leaf", "\\top.p2", "\\top.p2.leaf"]


def test_a_mesh_has_one_module_for_all_its_tiles() -> None:
    small = FabricConfig(lanes=2, neurons=16, weight_words=64, slots=2, axons=16)
    text = emit(dataclasses.replace(small, columns=3, rows=2))
    tiles = re.findall(r"^  \\spikeloom_fabric\.tile +(\S+) \($", text, re.M)
    assert sorted(tiles) == [f"tile{number}" for number in range(6)]
    assert len(re.findall(r"^module \\spikeloom_fabric\.tile ", text, re.M)) == 1
