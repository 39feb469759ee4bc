"""Boards that are built with a Program: what a host still loads, and that it runs what it means."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from board_model import BoardModel
from line_faults import FaultyLine, campaign, differs
from locking import one_at_a_time
from small_program import SMALL

from spikeloom.devices.requests import load_bodies
from spikeloom.devices.serial_device import SerialDevice
from spikeloom.devices.session import Session
from spikeloom.devices.simulated import GoldenDevice
from spikeloom.golden.contents import Contents
from spikeloom.golden.link import Command, LinkConfig, whole_bytes
from spikeloom.golden.spec import LoadTarget
from spikeloom.program import Program
from spikeloom.sim.terminal import Terminal
from spikeloom.sim.virtual_board import TOP, Pins, emit

LINK = LinkConfig("baked", 24_000_000, 4)
PATIENCE = 0.2
MEMORIES = frozenset(LoadTarget) - {LoadTarget.CONTROL}
TABLES = MEMORIES - {LoadTarget.WEIGHT}
EVENTS = np.random.default_rng(8).integers(0, 3, (3, 6, 6)).astype(np.uint8)

Machine = BoardModel | Pins


class Baked:
    """A board behind a terminal, and the targets that its hosts load."""

    def __init__(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.machine = machine
        self.terminal = Terminal(machine)
        self.loaded: list[int] = []
        send = Session.send

        def noted(session: Session, command: Command, body: bytes = b"") -> None:
            if command == Command.LOAD:
                self.loaded.append(body[0])
            send(session, command, body)

        monkeypatch.setattr(Session, "send", noted)

    def device(self, program: Program) -> SerialDevice:
        return SerialDevice(program, self.terminal.port, patience=PATIENCE)

    def power_cycle(self) -> None:
        with self.terminal.paused():
            self.machine.power_cycle()

    def runs(self, program: Program) -> set[int]:
        """Targets that a new host loads to run `program`; its results must be right."""
        self.loaded.clear()
        with self.device(program) as device:
            assert differs(device.run(EVENTS), GoldenDevice(program).run(EVENTS)) == ""
        return set(self.loaded)


def software(contents: Contents) -> Machine:
    return BoardModel(SMALL, LINK, contents)


def rtl(contents: Contents) -> Machine:
    with one_at_a_time("baked board"):
        return Pins(emit(SMALL, LINK, contents), TOP, LINK.clocks_per_bit)


@pytest.fixture(params=[software, rtl], ids=["software", "rtl"])
def baked(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Contents], Baked]]:
    made: list[Baked] = []

    def make(contents: Contents) -> Baked:
        made.append(Baked(request.param(contents), monkeypatch))
        return made[-1]

    yield make
    for board in made:
        board.terminal.close()


def changed(program: Program, **change: Any) -> Program:
    return dataclasses.replace(program, network=dataclasses.replace(program.network, **change))


def with_other_weights(program: Program) -> Program:
    connections = program.network.connections
    return changed(
        program, connections=tuple(dataclasses.replace(c, weights=-c.weights) for c in connections)
    )


def with_other_thresholds(program: Program) -> Program:
    populations = program.network.populations
    return changed(
        program,
        populations=tuple(dataclasses.replace(p, threshold=p.threshold // 2) for p in populations),
    )


def everything(program: Program) -> set[int]:
    """What is loaded into a board without contents."""
    return {body[0] for body in load_bodies(program.image, 240)} | {LoadTarget.CONTROL}


def test_what_is_baked_is_not_loaded(baked: Any, small: Program) -> None:
    """The same Program, another one, and back."""
    board = baked(small.image.contents(MEMORIES))
    other = with_other_thresholds(small)
    assert board.runs(small) == set()
    assert board.runs(small) == set()
    assert board.runs(other) == everything(other)
    assert board.runs(small) == everything(small)
    assert board.runs(small) == everything(small)
    board.power_cycle()
    assert board.runs(small) == set()


def test_what_cannot_be_baked_is_loaded(baked: Any, small: Program) -> None:
    board = baked(small.image.contents(TABLES))
    other = with_other_thresholds(small)
    assert board.runs(small) == {LoadTarget.WEIGHT}
    assert board.runs(with_other_weights(small)) == {LoadTarget.WEIGHT}
    assert board.runs(small) == {LoadTarget.WEIGHT}
    assert board.runs(other) == everything(other)
    assert board.runs(small) == everything(small)


def test_one_row_that_was_loaded_over_is_noticed(baked: Any, small: Program) -> None:
    """By a host that dies afterwards: how far it got is unknown."""
    for target in sorted(MEMORIES & SMALL.memories.keys()):
        board = baked(small.image.contents(MEMORIES))
        assert board.runs(small) == set()
        with board.device(small) as host:
            row = b"\x55" * whole_bytes(SMALL.memories[target].row.width)
            host.session.send(Command.LOAD, bytes([target, 0, 0, 0, 0]) + row)
            while not host.session.settled:
                host.session.wait()
        assert board.runs(small) == everything(small)


def test_control_that_was_loaded_over_is_there_again_after_a_reset(
    baked: Any, small: Program
) -> None:
    board = baked(small.image.contents(MEMORIES))
    with board.device(small) as host:
        host.session.send(Command.LOAD, bytes([LoadTarget.CONTROL, 0, 0, 0, 0, 0, 0]))
        while not host.session.settled:
            host.session.wait()
    assert board.runs(small) == set()


def test_a_board_that_lost_power_is_as_it_was_built(baked: Any, small: Program) -> None:
    """While a host that had loaded another Program still runs."""
    board = baked(small.image.contents(MEMORIES))
    other = with_other_weights(small)
    with board.device(other) as device:
        device.run(EVENTS)
        board.power_cycle()
        assert differs(device.run(EVENTS), GoldenDevice(other).run(EVENTS)) == ""
    assert board.runs(small) == everything(small)


@pytest.mark.soak
def test_faults_on_the_line_of_a_baked_board(small: Program) -> None:
    """Boards that lose power, and foreign sessions, among them."""
    line = FaultyLine(BoardModel(SMALL, LINK, small.image.contents(TABLES)), 1)
    with (
        Terminal(line) as terminal,
        SerialDevice(small, terminal.port, patience=PATIENCE) as device,
    ):
        tally = campaign(line, device, [EVENTS], 100)
    print(tally)
    assert tally.wrong == []
    assert tally.reported == []
