"""What cocotbext-axi drives at the ports of a fabric with AXI, and what it sees there."""

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import test_axi
from designs import Port
from recordings import Recording, Values

from spikeloom.golden.spec import FabricConfig
from spikeloom.sim.cosim import process
from spikeloom.sim.verilog import emit_axi

PAYLOADS = {
    "s_axi_bresp": "s_axi_bvalid",
    "s_axi_rdata": "s_axi_rvalid",
    "s_axi_rresp": "s_axi_rvalid",
    "m_axis_packets_tdata": "m_axis_packets_tvalid",
    "m_axis_packets_tlast": "m_axis_packets_tvalid",
}
"""Outputs that mean something only while another is 1."""


def of_axi(
    config: FabricConfig, inputs: Sequence[Port], outputs: Sequence[Port]
) -> list[Recording]:
    """The one recording of all tests."""
    image, _, words = test_axi.mapped(config)
    names = [name for name, _ in (*inputs, *outputs) if name != "rst"]
    simulate = process.simulate
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        (directory / "ports.json").write_text(json.dumps(names), encoding="utf-8")

        def recorded(build: Path, directory: Path, top: str, bench: str) -> str:
            return simulate(build, directory, top, "axi_recording")

        found = {"PYTHONPATH": os.pathsep.join(sys.path)}
        with patch.object(process, "simulate", recorded), patch.dict(os.environ, found):
            tests, failed, output = test_axi.play(image, words, directory, emit_axi(config))
        assert (tests, failed) == (test_axi.TESTS, 0), output
        lines = (directory / "ports.txt").read_text(encoding="utf-8").splitlines()
    rows: list[tuple[Values, Values]] = []
    for line in lines:
        bits = dict(zip(names, line.split(), strict=True))
        driven = {name: int(bits[name].replace("X", "0"), 2) for name, _ in inputs if name != "rst"}
        seen = {
            name: int(bits[name], 2)
            for name, _ in outputs
            if name not in PAYLOADS or int(bits[PAYLOADS[name]], 2)
        }
        rows.append((driven, seen))
    return [Recording.of(inputs, outputs, rows)]
