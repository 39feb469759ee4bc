"""Fabrics that a board's part cannot hold: refused before synthesis, with what to type."""

import dataclasses
import shlex
from typing import Any

import numpy as np
import pytest
from command_line import Commands

import spikeloom
from spikeloom.boards.flow.placement import TooLarge
from spikeloom.boards.registry import board
from spikeloom.cli.options import fabric_sizes
from spikeloom.devices.simulated import GoldenDevice
from spikeloom.estimate.estimate import sites
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig
from spikeloom.program import Program


def large() -> Network:
    """784-128-10 with fraction bits, which fits the part of the iCEBreaker."""
    rng = np.random.default_rng(1)
    options: dict[str, Any] = {"threshold": 900, "fraction_bits": 4}
    return Network(
        (Input("in", 784),),
        (
            Population("hidden", 128, np.zeros(128, int), **options),
            Population("out", 10, np.zeros(10, int), phase=1, **options),
        ),
        (
            Connection("in", "hidden", rng.integers(-99, 99, (784, 128))),
            Connection("hidden", "out", rng.integers(-99, 99, (128, 10))),
        ),
    )


def unreached(*_: object, **__: object) -> None:
    raise AssertionError("synthesised")


def test_a_program_is_refused_before_synthesis_with_a_remedy_that_works(
    run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own sizes do not fit; recompiled for the board, as the message says, it does."""
    monkeypatch.setattr("spikeloom.boards.flow.bitstream.synthesise", unreached)
    spikeloom.compile(large(), {"neurons": 4096}).save("large.loom")
    error = run("build", "--board", "icebreaker", "large.loom", "-o", "out").error()
    said, remedy = error.split("; compile it for the board, its other options as before: ")
    assert (
        said == "icebreaker: the fabric of the program does not fit the part: block RAM 107 of 30"
    )
    command, model, *options = shlex.split(remedy)
    assert (command, model, options[:2]) == ("compile", "MODEL", ["--board", "icebreaker"])
    assert set(options[2::2]) == {"--set"}
    assert "fraction_bits=4" in options
    sizes = {"board": "icebreaker", **fabric_sizes(tuple(options[3::2]))}
    program = spikeloom.compile(large(), sizes)
    for used, available in sites(program.fabric, board("icebreaker")).values():
        assert used <= available


def test_what_only_placement_finds_has_the_remedy_of_a_program(
    run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def place(*_: object, **__: object) -> None:
        raise TooLarge("icebreaker", "logic cells 6000 of 5280", {"lanes": 4})

    monkeypatch.setattr("spikeloom.cli.hardware.build", place)
    build = ("build", "--board", "icebreaker", "-o", "out")
    start = "icebreaker: the fabric of the program does not fit the part: logic cells 6000 of 5280;"
    spikeloom.compile(large()).save("large.loom")
    error = run(*build, "large.loom").error()
    assert error.startswith(f"{start} compile it for the board, its other options as before: ")
    # It is that of the board already.
    spikeloom.compile(large(), {"board": "ecp5_evn", "fraction_bits": 4}).save("same.loom")
    error = run("build", "--board", "ecp5_evn", "-o", "out", "same.loom").error()
    assert error.endswith("; recompile it with fewer lanes, such as --set lanes=4")
    # Without a program, the sizes can be changed in place.
    assert run(*build).error().endswith("on the command line --set lanes=4")


def test_sizes_on_the_command_line_are_refused_before_synthesis(
    run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spikeloom.boards.flow.bitstream.synthesise", unreached)
    error = run("build", "--board", "icebreaker", "--set", "neurons=4096", "-o", "out").error()
    assert error.startswith("icebreaker: the fabric does not fit the part: block RAM ")
    assert "on the command line --set weight_words=" in error


def test_of_an_unknown_part_nothing_is_said() -> None:
    unknown = dataclasses.replace(board("ecp5_evn"), source="mine.py", part=("--um5g-25k",))
    assert sites(FabricConfig(neurons=4096), unknown) == {}


def test_a_virtual_board_says_whose_fabric_it_has(
    run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And warns if that does not fit the part; what runs is stood in for by the golden model."""

    def opened(program: Program, *_: object) -> GoldenDevice:
        return GoldenDevice(program)

    monkeypatch.setattr("spikeloom.cli.runs.open_board", opened)
    line = "virtual board icebreaker: its RTL in simulation, with {}; no hardware\n"
    outcome = run("run", "small.loom", "events.npy", "--board", "icebreaker")
    assert outcome.out.startswith(line.format("the program's fabric, not the board's own"))
    assert (outcome.status, outcome.err) == (0, "")
    spikeloom.compile(large(), {"neurons": 4096}).save("large.loom")
    np.save("large.npy", np.ones((1, 2, 784), int))
    outcome = run("run", "large.loom", "large.npy", "--board", "icebreaker")
    start = "warning: icebreaker: the fabric of the program does not fit the part: block RAM 107 of"
    assert outcome.err.startswith(start)
    assert "compile MODEL --board icebreaker --set" in outcome.err
    assert outcome.status == 0
