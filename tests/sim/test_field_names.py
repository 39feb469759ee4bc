"""Emitted Verilog reads fields by their names, and stays the same design."""

import re
from collections.abc import Callable

import pytest
from test_lint import FABRICS

from spikeloom.sim.field_names import with_field_names
from spikeloom.sim.verilog import emit, emit_axi

ALIAS = re.compile(r"^  assign (\\\S+ ) = (\\?(\S+?) ?\[\d+(?::\d+)?\]);$", re.M)


def aliases(module: str) -> dict[str, str]:
    """Fields of the structures of a module by name, with their bits."""
    return {
        name: bits
        for name, bits, base in ALIAS.findall(module)
        if name.startswith("\\" + base.strip() + ".")
    }


def with_bits(line: str, fields: dict[str, str]) -> str:
    """A line with the bits in the place of the names."""
    for field, bits in fields.items():
        line = line.replace(field, bits)
    return line


@pytest.mark.parametrize(
    "write",
    [lambda: emit(FABRICS["one tile"]), lambda: emit_axi(FABRICS["mesh with options"])],
    ids=["one tile", "mesh with options, AXI"],
)
def test_every_line_means_the_same(write: Callable[[], str]) -> None:
    """With the bits in the place of the names, it is the text that Yosys wrote."""
    text = write()
    named = with_field_names(text)
    pattern = re.compile(r"^module .*?^endmodule$", re.M | re.S)
    replaced = 0
    for before, after in zip(pattern.findall(text), pattern.findall(named), strict=True):
        fields = aliases(before)
        assert aliases(after) == fields
        for old, new in zip(before.splitlines(), after.splitlines(), strict=True):
            if old == new:
                continue
            replaced += 1
            assert with_bits(old, fields) == with_bits(new, fields)
    assert replaced > 100


def test_a_field_is_read_by_its_name() -> None:
    named = with_field_names(emit(FABRICS["one tile"]))
    assert re.search(r" = \\load__word\.target  == 3'h5;", named)
    assert not re.search(r"load__word\[\d+:\d+\] == ", named)
    assert " < \\control.window ;" in named


def test_what_is_assigned_stays() -> None:
    text = """module m;
  assign \\a.low  = a[1:0];
  assign a[1:0] = b;
  assign c = a[1:0] + aa[1:0] + \\a [1:0];
  always @(posedge clk) a[1:0] <= a[1:0];
    .port(a[1:0]),
endmodule
"""
    assert (
        with_field_names(text)
        == """module m;
  assign \\a.low  = a[1:0];
  assign a[1:0] = b;
  assign c = \\a.low  + aa[1:0] + \\a [1:0];
  always @(posedge clk) a[1:0] <= \\a.low ;
    .port(a[1:0]),
endmodule
"""
    )
