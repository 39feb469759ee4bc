"""A Program baked into a board survives synthesis, in the contents of its block RAM."""

import dataclasses
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from line_faults import differs
from small_network import two_layers

from spikeloom.boards.flow.design import Design, elaborate
from spikeloom.boards.flow.synthesis import synthesise
from spikeloom.boards.registry import board
from spikeloom.boards.tools import WHEELS
from spikeloom.cli import cli
from spikeloom.devices.backends import VirtualDevice
from spikeloom.devices.session import Session
from spikeloom.devices.simulated import GoldenDevice
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.link import Command
from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.program import Program

CONFIG = FabricConfig(
    lanes=2,
    weight_bits=4,
    state_bits=8,
    sum_bits=10,
    neurons=32,
    weight_words=256,
    slots=2,
    axons=16,
    populations=2,
    connections=4,
    targets=4,
    queue=2,
    counter_bits=16,
)
EVENTS = np.random.default_rng(5).integers(0, 3, (3, 6, 12)).astype(np.uint8)
BAUD = 2_500_000
HX8K = "hx8k_evn"


@pytest.fixture(scope="module")
def program() -> Program:
    return two_layers(CONFIG, 12, 14, 6)


RAM = ("SB_RAM40_4K", "DP16KD", "TRELLIS_DPR16X4")


def ones(baked_design: Design) -> Counter[str]:
    """For each memory of the tile the ones in the initial contents of its RAM."""
    cells = json.loads(synthesise(baked_design, WHEELS))["modules"]["top"]["cells"]
    counts: Counter[str] = Counter()
    for name, cell in cells.items():
        memory = re.fullmatch(r"linked\.fabric\.tile0\.(?:\w+\.)*(\w+)\.\d+\.\d+", name)
        if memory and cell["type"] in RAM:
            contents = (v for key, v in cell["parameters"].items() if key.startswith("INIT"))
            counts[memory[1]] += "".join(contents).count("1")
    return counts


def baked(name: str, program: Program) -> Design:
    return elaborate(board(name), CONFIG, baud=BAUD, image=program.image)


@pytest.mark.soak
@pytest.mark.parametrize("name", [HX8K, "ulx3s_12f"])
def test_synthesis_keeps_the_contents(name: str, program: Program) -> None:
    counts = ones(baked(name, program))
    (tile,) = program.image.tiles
    for memory in ("weights", "biases"):
        rows = getattr(tile, memory)
        assert counts[memory] == sum(row.bit_count() for row in rows) > 0
    assert counts["states"] == counts["sums"] == 0


@pytest.mark.soak
def test_weights_of_ultraplus_start_with_anything(program: Program) -> None:
    baked_design = baked("icebreaker", program)
    assert LoadTarget.WEIGHT not in baked_design.link.baked
    loaded = {LoadTarget.WEIGHT, LoadTarget.NOISE, LoadTarget.RANDOM}
    assert set(baked_design.link.baked) == set(LoadTarget) - loaded
    counts = ones(baked_design)
    assert counts["weights"] == 0
    assert counts["biases"] > 0


@pytest.mark.soak
@pytest.mark.parametrize("stage", ["netlist", "routed"])
@pytest.mark.parametrize("name", [HX8K, "ulx3s_12f"])
def test_the_netlist_runs_what_it_was_built_with(
    name: str, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With multipliers or without, as the board has them."""
    built = dataclasses.replace(CONFIG, multipliers=board(name).fabric.multipliers)
    program = two_layers(built, 12, 14, 6)
    loads = []
    send = Session.send

    def noted(link: Session, command: Command, body: bytes = b"") -> None:
        loads.extend(body[:1] if command == Command.LOAD else b"")
        send(link, command, body)

    monkeypatch.setattr(Session, "send", noted)
    with VirtualDevice(program, name, stage, BAUD, bake=True) as device:
        run = device.run(EVENTS)
    expected = GoldenDevice(program).run(EVENTS)
    assert all(spikes.any() for spikes in expected.spikes.values())
    assert differs(run, expected) == ""
    assert loads == []


# What cannot be baked.


def test_a_program_for_other_sizes_is_refused(program: Program) -> None:
    sizes = dataclasses.replace(CONFIG, slots=4, targets=5)
    message = (
        "^the program and icebreaker differ: slots 2 and 4, targets 4 and 5; "
        "compile it for the board: compile --board icebreaker --set slots=4 --set targets=5, or in "
        r"Python compile\(net, dataclasses.replace\(program.fabric, slots=4, targets=5\)\); "
        "or build the board for it: build --board icebreaker with the program$"
    )
    with pytest.raises(SpikeloomError, match=message):
        elaborate(board("icebreaker"), sizes, image=program.image)


def test_a_part_whose_packer_writes_no_contents_is_refused(program: Program) -> None:
    message = "^tang_nano_9k: no Program can be baked into a part of gowin: leave out --bake"
    with pytest.raises(SpikeloomError, match=message):
        elaborate(board("tang_nano_9k"), CONFIG, image=program.image)


def test_the_commands_say_what_cannot_be_baked(tmp_path: Path, program: Program) -> None:
    program.save(tmp_path / "small.loom")
    np.save(tmp_path / "events.npy", EVENTS)
    files = [str(tmp_path / "small.loom"), str(tmp_path / "events.npy")]
    for arguments, message in (
        (
            ["build", "--board", HX8K, "--bake", "-o", "x"],
            "--bake needs a PROGRAM to put into the bitstream",
        ),
        (["run", *files, "--board", HX8K, "--port", "x", "--bake"], "is for a virtual board"),
    ):
        done = CliRunner().invoke(cli, arguments)
        assert isinstance(done.exception, SpikeloomError)
        assert message in str(done.exception)


def test_the_commands_bake(
    tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.save(tmp_path / "small.loom")
    np.save(tmp_path / "events.npy", EVENTS)
    files = [str(tmp_path / "small.loom"), str(tmp_path / "events.npy")]
    monkeypatch.setattr("spikeloom.devices.requests.load_bodies", lambda *_: iter(()))
    options = ["--board", HX8K, "--baud", str(BAUD)]
    done = CliRunner().invoke(cli, ["compare", *files, *options, "--bake"])
    assert done.exit_code == 0, done.output
    # A board that is neither loaded nor built with the network runs nothing.
    done = CliRunner().invoke(cli, ["compare", *files, *options])
    assert done.exit_code != 0


def test_what_is_baked_is_part_of_the_identity(program: Program) -> None:
    plain = elaborate(board(HX8K), CONFIG, baud=BAUD).link
    baked_link = baked(HX8K, program).link
    weights = tuple(dataclasses.replace(c, weights=-c.weights) for c in program.network.connections)
    network = dataclasses.replace(program.network, connections=weights)
    other = baked(HX8K, dataclasses.replace(program, network=network)).link
    assert len({plain.build, baked_link.build, other.build}) == 3
    assert len({plain.contents, baked_link.contents, other.contents}) == 3
    assert plain.baked == ()
