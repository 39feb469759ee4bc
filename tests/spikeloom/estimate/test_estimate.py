"""Estimates before synthesis against earlier syntheses, a new one, and what boards take."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from plastic_network import plastic_network

import spikeloom
from bench.table import read
from spikeloom.boards.board import Board
from spikeloom.boards.flow.design import elaborate
from spikeloom.boards.flow.placement import utilization
from spikeloom.boards.flow.synthesis import synthesise
from spikeloom.boards.registry import board, boards
from spikeloom.boards.tools import WHEELS
from spikeloom.cli import cli
from spikeloom.devices.prediction import predict_clocks
from spikeloom.estimate.candidates import candidates, needs, on, suited
from spikeloom.estimate.cells import (
    BESIDE,
    MEASURED,
    cells,
    multipliers,
    nominal_link,
    table,
    unmeasured,
)
from spikeloom.estimate.estimate import Estimate, estimates, overflow, resources
from spikeloom.estimate.memories import blocks, memories
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import SWITCHES, FabricConfig
from spikeloom.golden.switches.refractory import Refractory
from spikeloom.program import Program


def measured() -> Iterator[tuple[Board, FabricConfig, dict[str, int]]]:
    """Every synthesis of the table: board, fabric, resources."""
    for points in table()["points"].values():
        for point in points:
            yield board(point["board"]), FabricConfig(**point["fabric"]), point["used"]
    for name, point in table()["boards"].items():
        if "used" in point:
            yield board(name), FabricConfig(**point["fabric"]), point["used"]


def network(axons: int, hidden: int, **changes: Any) -> Network:
    """A dense network with 10 outputs."""
    rng = np.random.default_rng(1)
    zeros = np.zeros(hidden, int)
    first = Population("hidden", hidden, zeros, threshold=50, **changes)
    return Network(
        inputs=(Input("in", axons),),
        populations=(first, Population("out", 10, np.zeros(10, int), phase=1, threshold=50)),
        connections=(
            Connection("in", "hidden", rng.integers(-8, 8, (axons, hidden))),
            Connection("hidden", "out", rng.integers(-8, 8, (hidden, 10))),
        ),
    )


def results(program: Program) -> dict[str, Estimate]:
    return {result.board: result for result in estimates(program, boards().values(), None)}


def test_ram_and_multipliers_of_every_synthesis_are_exact() -> None:
    checked = 0
    for known, fabric, used in measured():
        counted = blocks(fabric, known, nominal_link(known))
        for name in ("bram", "spram", "lutram"):
            if name in used:
                assert counted.get(name, 0) == used[name], (known.name, name, fabric)
                checked += 1
        assert multipliers(fabric, known) == used.get("dsp", 0), (known.name, fabric)
    assert checked > 50


def test_cells_of_every_synthesis_are_within_ten_percent() -> None:
    families = set()
    for known, fabric, used in measured():
        estimate = cells(fabric, known, nominal_link(known))
        assert estimate == pytest.approx(used["logic_cells"], rel=0.1), (known.name, fabric)
        stated = table()["families"][known.family.name]["largest_error"]
        assert abs(estimate / used["logic_cells"] - 1) <= stated + 1e-3
        families.add(known.family.name)
    assert families == {"ice40", "ecp5", "gowin"}


@pytest.mark.parametrize(("name", "part"), [("icebreaker", "up5k"), ("ecp5_evn", "ecp5_6")])
def test_options_add_what_was_measured(name: str, part: str) -> None:
    """Each alone, beside its own cells; all together, beside those of the board with them."""
    known, record = board(name), read()
    plain = cells(known.fabric, known, nominal_link(known))

    def added(**options: bool) -> float:
        fabric = dataclasses.replace(known.fabric, **options)
        return cells(fabric, known, nominal_link(known)) - plain

    def recorded(switch: str) -> float:
        without, _ = BESIDE.get(switch, ("plain", {}))
        return (
            record[f"switches.{part}.{switch}"]["value"]
            - record[f"switches.{part}.{without}"]["value"]
        )

    checked = 0
    for switch in MEASURED:
        if f"switches.{part}.{switch}" in record:
            built = {switch: type(getattr(known.fabric, switch))(256)}
            _, base = BESIDE.get(switch, ("plain", {}))
            more = added(**base, **built) - (added(**base) if base else 0)
            assert more == pytest.approx(recorded(switch), rel=0.1, abs=3), switch
            checked += 1
    assert checked >= 5
    everything = added(**dict.fromkeys(SWITCHES, True))
    assert plain + everything == pytest.approx(plain + recorded("all"), rel=0.1)


def test_what_was_never_synthesised_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = board("icebreaker")
    fabric = dataclasses.replace(known.fabric, refractory=True)
    assert unmeasured(fabric, known) == ()
    monkeypatch.delitem(table()["options"], "refractory")
    assert unmeasured(fabric, known) == ("refractory",)
    spikeloom.compile(network(30, 40, switches=(Refractory(2),))).save(tmp_path / "p.loom")
    result = CliRunner().invoke(cli, ["info", str(tmp_path / "p.loom"), "--estimate"])
    assert result.exit_code == 0, result.output
    assert "never synthesised: refractory" in " ".join(result.output.split())
    # What several boards need is said once, and what one needs with its name, to be typed.
    remedies = [line for line in result.output.splitlines() if "; compile --board " in line]
    shared, alone = sorted(remedies)
    assert "icebreaker, orangecrab, " in shared
    assert "compile --board NAME --set refractory=true, and build --board NAME with" in shared
    assert alone.startswith("hx8k_evn: ")
    assert "compile --board hx8k_evn --set" in alone


@pytest.mark.parametrize("name", boards())
def test_the_default_fabric_of_a_board_fits_its_part(name: str) -> None:
    known = board(name)
    available = table()["boards"][name]["available"]
    assert set(available) == set(known.family.sites)
    assert not overflow(resources(known.fabric, known), available)
    larger = dataclasses.replace(known.fabric, weight_words=known.fabric.weight_words * 16)
    assert overflow(resources(larger, known), available)


@pytest.mark.soak
def test_a_new_synthesis_is_as_estimated() -> None:
    """Of a fabric that is in no table."""
    known = board("icebreaker")
    fabric = dataclasses.replace(
        known.fabric, lanes=2, neurons=40, weight_words=300, state_bits=12, traces=False
    )
    design = elaborate(known, fabric)
    packed = utilization(design, synthesise(design, WHEELS), WHEELS)
    estimate = resources(fabric, known)
    for name in ("bram", "spram", "dsp"):
        assert estimate[name] == packed[known.family.sites[name]]["used"]
    assert estimate["logic_cells"] == pytest.approx(packed["ICESTORM_LC"]["used"], rel=0.1)


@pytest.mark.parametrize("sizes", [(20, 16), (100, 40), (784, 128), (784, 200)])
def test_it_fits_as_it_is_where_a_board_takes_it(sizes: tuple[int, int]) -> None:
    net = network(*sizes)
    program = spikeloom.compile(net)
    for name, result in results(program).items():
        try:
            on(program, board(name).fabric)
            taken = True
        except SpikeloomError:
            taken = False
        assert taken == (result.fits and not result.changes), (name, result)
        assert taken or result.short


@pytest.mark.parametrize(
    ("sizes", "changes"),
    [
        ((784, 200), {}),
        ((100, 128), {"synaptic_decay": 400}),
        ((30, 600), {"max_spikes": 3}),
        ((30, 40), {"switches": (Refractory(2),)}),
    ],
)
def test_a_remedy_makes_it_fit(sizes: tuple[int, int], changes: dict[str, Any]) -> None:
    program = spikeloom.compile(network(*sizes, **changes))
    remedied = 0
    for name, result in results(program).items():
        known = board(name)
        if not result.changes:
            continue
        # As the options say, with nothing left out.
        options = dict(option.split("=") for option in result.settings.split("--set ")[1:])
        typed = {key: json.loads(value) for key, value in options.items()}
        fabric = dataclasses.replace(known.fabric, **typed)
        mapped = on(program, fabric)
        assert mapped.fabric == fabric
        assert not overflow(resources(fabric, known), table()["boards"][name]["available"])
        remedied += 1
    assert remedied


def test_narrower_weights_are_a_remedy_too() -> None:
    """12,800 words of 64 bits are too many for the block RAM of a Tang Nano 9K."""
    net = network(784, 128)
    result = results(spikeloom.compile(net))["tang_nano_9k"]
    assert not result.fits
    assert result.narrower["weight_bits"] == 2
    assert "--set weight_bits=2" in result.settings
    narrow = dataclasses.replace(
        net,
        weight_bits=2,
        connections=tuple(
            dataclasses.replace(c, weights=np.clip(c.weights, -2, 1)) for c in net.connections
        ),
    )
    known = board("tang_nano_9k")
    fabric = dataclasses.replace(known.fabric, **result.narrower)
    spikeloom.compile(narrow, fabric)
    assert not overflow(resources(fabric, known), table()["boards"][known.name]["available"])


def test_what_no_change_helps() -> None:
    """1.2 million synapses are in no part, not even with weights of 2 bits."""
    program = spikeloom.compile(network(1200, 1000))
    for result in results(program).values():
        assert not result.fits
        assert not result.changes
        assert "block RAM" in result.short
        needed, there = result.short["block RAM"]
        assert needed > there


def test_clocks_are_those_of_the_cycle_model(tmp_path: Path) -> None:
    program = spikeloom.compile(network(40, 16), "icebreaker")
    events = (np.random.default_rng(3).random((2, 5, 40)) < 0.3).astype(np.uint8)
    program.save(tmp_path / "small.loom")
    np.save(tmp_path / "events.npy", events)
    out = tmp_path / "out.json"
    command = ["info", str(tmp_path / "small.loom"), "--estimate", "--json", str(out)]
    result = CliRunner().invoke(cli, [*command, "--events", str(tmp_path / "events.npy")])
    assert result.exit_code == 0, result.output
    values = {entry["board"]: entry for entry in json.loads(out.read_text())["boards"]}
    timing = values["icebreaker"]["timing"]
    clocks = predict_clocks(program.image, {"in": events})
    assert timing["clocks_per_step"] == clocks.mean()
    hidden, readout = timing["layers"]
    # 16 neurons are two groups of 8 lanes: two clocks for each event.
    assert hidden["integrate"] == pytest.approx(2 * events.sum() / 10)
    assert (hidden["fire"], readout["fire"]) == (16, 10)
    assert values["icebreaker"]["compiled"]
    for name in boards():
        assert name in result.output
    # Without events, some are assumed, and that is said.
    again = CliRunner().invoke(cli, command)
    assert "10% of the axons" in again.output


def test_errors_take_one_line(tmp_path: Path) -> None:
    program = spikeloom.compile(network(40, 16))
    program.save(tmp_path / "small.loom")
    np.save(tmp_path / "events.npy", np.zeros((2, 5, 41)))
    (tmp_path / "text").write_text("no program")
    for arguments, words in (
        (["small.loom", "--events", "events.npy"], "must have shape"),
        (["small.loom", "--events", "none.npy"], "none.npy"),
        (["text"], "no"),
    ):
        files = [str(tmp_path / item) if not item.startswith("--") else item for item in arguments]
        result = CliRunner().invoke(cli, ["info", *files, "--estimate"])
        assert isinstance(result.exception, SpikeloomError)
        assert words in str(result.exception)
        assert "\n" not in str(result.exception)


def test_a_network_that_learns_needs_what_learning_needs() -> None:
    """The options, the memories that they add, and a read port for what was learned."""
    known = board("ulx3s_12f")
    program = spikeloom.compile(plastic_network())
    least = needs(program, known.fabric)
    wanted = {"plasticity": 1, "rule_terms": 2, "rules": 2, "plastic_axons": 22, "readable": 1}
    assert {name: int(least[name]) for name in wanted} == wanted
    (result,) = estimates(program, [known], None)
    assert result.fits
    assert result.changes["plasticity"] is True
    assert "quadratic_bounds" not in result.changes
    fabric = suited(program, known.fabric)
    built = {memory.name: memory for memory in memories(fabric, nominal_link(known))}
    assert built["axon"].depth == fabric.plastic_axons >= 22
    assert built["curve"].copies == 2
    assert built["pre_decay"].depth == built["post_decay"].depth == 64 * fabric.rules
    assert not {"learn", "random", "rule"} & {
        memory.name for memory in memories(known.fabric, nominal_link(known))
    }
    two_ports = dataclasses.replace(fabric, two_ports=True)
    queues = {memory.name for memory in memories(two_ports, nominal_link(known))} ^ built.keys()
    assert queues == {"addresses", "words"}
    half = dataclasses.replace(fabric, learn_lanes=fabric.lanes // 2)
    for other, lanes in ((fabric, fabric.lanes), (half, fabric.lanes // 2)):
        more = multipliers(other, known) - multipliers(known.fabric, known)
        assert more == fabric.tiles * (2 + 2 * lanes)
    of_half, of_all = (cells(other, known, nominal_link(known)) for other in (half, fabric))
    assert of_half < of_all


def test_other_lanes_divide_those_that_are_tried() -> None:
    fabric = FabricConfig(neurons=1024, fire_lanes=8, plasticity=True, learn_lanes=4, lanes=8)
    tried = [*candidates(spikeloom.compile(network(30, 40)), fabric)]
    assert {1, 2, 4, 8, 16} == {config.lanes for config in tried}
    assert {0, 1, 2, 4} == {config.learn_lanes for config in tried}
