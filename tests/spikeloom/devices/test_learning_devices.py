"""Devices that learn: weights, random numbers over runs, files, and what is refused."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plastic_network import STEPS, network_with_kernel, network_with_plane, plastic_network, spikes

import spikeloom
from spikeloom import Program, SpikeloomError
from spikeloom.compare import check_cycles, compare_device
from spikeloom.devices.backends import open_board
from spikeloom.devices.chunks import chunk_words
from spikeloom.devices.device import Device
from spikeloom.devices.distributed import DistributedDevice
from spikeloom.devices.serial_device import SerialDevice
from spikeloom.devices.simulated import GoldenDevice, VerilatorDevice
from spikeloom.devices.weights import memory_weights
from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.fixed import Integers
from spikeloom.golden.host import host_words
from spikeloom.golden.spec import ReadTarget
from spikeloom.golden.step import run as step
from spikeloom.golden.step.run import simulate
from spikeloom.importer.float_network import (
    FloatConnection,
    FloatInput,
    FloatNetwork,
    FloatPopulation,
)
from spikeloom.program import _digest
from spikeloom.quantise.quantise import quantise

KEYS = ["in->hidden", "hidden->out", "hidden->error"]


@pytest.fixture(scope="module")
def program() -> Program:
    return spikeloom.compile(plastic_network())


def weights_of(device: Device) -> dict[str, Integers]:
    return {key: np.array(device.weights[key]) for key in KEYS}


def assert_same(one: Mapping[str, Integers], other: Mapping[str, Integers]) -> None:
    for key in KEYS:
        np.testing.assert_array_equal(one[key], other[key], key)


def test_a_run_learns_only_if_told_to(program: Program) -> None:
    with spikeloom.open(program) as device:
        before = weights_of(device)
        run = device.run(spikes(4))
        assert_same(weights_of(device), before)
        assert run.weight_updates == 0
        learned = device.run(spikes(4), learn=True)
        expected = simulate(program.network, spikes(4), learn=True)
        for number, key in enumerate(KEYS[:2]):
            np.testing.assert_array_equal(device.weights[key], expected.weights[number])
            assert (device.weights[key] != before[key]).any()
        np.testing.assert_array_equal(device.weights[KEYS[2]], before[KEYS[2]])
        assert learned.weight_updates == expected.updates > 0
        assert "weight updates" in learned.summary().line
        # Without learning again: the network with the weights that it has now.
        after = device.run(spikes(2))
        plain = simulate(device.program.network, spikes(2))
        np.testing.assert_array_equal(after.spikes["out"], plain.spikes["out"])


def test_two_runs_of_five_are_one_of_ten(program: Program, tmp_path: Path) -> None:
    """Random numbers go on, also over a file."""
    events = spikes(10)
    with spikeloom.open(program) as device:
        whole = device.run(events, learn=True)
        together = weights_of(device)
        assert device.program.learned == 10
    with spikeloom.open(program) as device:
        first = device.run(events[:5], learn=True)
        device.program.save(tmp_path / "half.loom")
    half = Program.load(tmp_path / "half.loom")
    assert half.learned == 5
    with spikeloom.open(half) as device:
        second = device.run(events[5:], learn=True)
        assert_same(weights_of(device), together)
    np.testing.assert_array_equal(
        np.concatenate([first.spikes["out"], second.spikes["out"]]), whole.spikes["out"]
    )
    assert first.weight_updates + second.weight_updates == whole.weight_updates


def test_saved_rules_come_back(program: Program, tmp_path: Path) -> None:
    program.save(tmp_path / "a.loom")
    loaded = Program.load(tmp_path / "a.loom")
    rules = [c.plasticity for c in program.network.plastic]
    assert [c.plasticity for c in loaded.network.plastic] == rules
    assert loaded.digest == program.digest
    assert loaded.image.tiles == program.image.tiles


def _resigned(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the rule of the first connection in a file, so that its digest is right again."""
    with np.load(path) as archive:
        arrays = dict(archive)
    header = json.loads(arrays.pop("header").tobytes())
    about = header.pop("about")
    del header["digest"]
    change(header["connections"][0]["plasticity"])
    header |= {"digest": _digest(header, arrays), "about": about}
    np.savez(
        path.with_suffix(".npz"),
        header=np.frombuffer(json.dumps(header).encode(), np.uint8),
        **arrays,
    )
    path.with_suffix(".npz").rename(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rule: rule.update(shift=5), "shift must be 0, 4, 8 or 12, not 5"),
        (lambda rule: rule.update(bounds=[-129, 0]), "bounds must be -128..127, not -129"),
        (lambda rule: rule.update(terms=[]), "terms must be one or two, not 0"),
        (lambda rule: rule["terms"][0].update(left=99), "is not a complete Spikeloom program"),
        (lambda rule: rule["terms"][0]["pre"].update(gate=7), "is not a complete Spikeloom"),
        (lambda rule: rule["terms"][0].update(curve=[0] * 63), "curve"),
        (lambda rule: rule["pre"].update(decay={}), "decay must have 64 integers"),
        (lambda rule: rule.pop("post"), "is not a complete Spikeloom program"),
        (lambda rule: rule.update(more=1), "is not a complete Spikeloom program"),
        (lambda rule: rule.update(third="nobody"), "third"),
    ],
)
def test_a_file_with_a_wrong_rule_is_refused(
    program: Program, tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    path = tmp_path / "p.loom"
    program.save(path)
    _resigned(path, lambda rule: None)
    assert Program.load(path).digest == program.digest
    _resigned(path, change)
    with pytest.raises(SpikeloomError) as error:
        Program.load(path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_sample_that_fails_leaves_what_was_learned(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device has the weights of the samples before it, and the error says which these are."""
    monkeypatch.setattr("spikeloom.devices.chunks.CHUNK", 2)
    expected = simulate(program.network, spikes(4), learn=True).weights
    with spikeloom.open(program) as device:
        told: list[int] = []

        def progress(done: int) -> None:
            told.append(done)
            if done == 4:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            device.run(spikes(6), progress, learn=True)
        assert told == [2, 4]
        np.testing.assert_array_equal(device.weights[KEYS[0]], expected[0])
        assert device.program.learned == 4

    def cut(*_: object, first: int, **__: object) -> step.Run:
        if first == 4:
            raise SpikeloomError("the line is cut")
        return step.Run({}, {}, np.zeros(2, np.int64), {}, {}, {}, {0: expected[0]}, 7)

    monkeypatch.setattr(step, "simulate", cut)
    none = dataclasses.replace(program, record=frozenset(), readout=frozenset())
    with spikeloom.open(none) as device:
        with pytest.raises(SpikeloomError, match=r"^the line is cut; .* 4 of 6 samples$"):
            device.run(spikes(6), learn=True)
        np.testing.assert_array_equal(device.weights[KEYS[0]], expected[0])


def test_what_cannot_learn_is_refused(program: Program) -> None:
    still = dataclasses.replace(
        program.network,
        connections=tuple(
            dataclasses.replace(c, plasticity=None) for c in program.network.connections
        ),
    )
    with (
        spikeloom.open(spikeloom.compile(still)) as device,
        pytest.raises(SpikeloomError, match="no connection of this network is plastic; give"),
    ):
        device.run(spikes(1), learn=True)
    short = spikeloom.compile(program.network, {"stamp_bits": 8})
    long = np.zeros((1, 257, spikes(1).shape[2]), bool)
    with (
        spikeloom.open(short) as device,
        pytest.raises(SpikeloomError, match="257 steps, and this fabric .* at most 256; use"),
    ):
        device.run(long, learn=True)


def test_a_cluster_cannot_learn(program: Program) -> None:
    device = DistributedDevice(program, "tcp://nobody:1")
    with pytest.raises(SpikeloomError, match="learning goes from each sample to the next"):
        device.run(spikes(1), learn=True)


WRONG: Any = ["x", "", 0, 1, None, np.True_, []]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("kind", [GoldenDevice, VerilatorDevice, DistributedDevice, SerialDevice])
def test_learn_is_true_or_false(program: Program, kind: type[Device], wrong: Any) -> None:
    """What is neither is refused before anything else is looked at."""
    device = kind.__new__(kind)
    device.program = program  # type: ignore[attr-defined]
    with pytest.raises(SpikeloomError, match="^run: learn must be True or False, not "):
        device.run(spikes(1), learn=wrong)


@pytest.mark.parametrize("wrong", WRONG)
def test_every_other_choice_is_true_or_false(program: Program, wrong: Any) -> None:
    network, events = program.network, spikes(1)
    net = FloatNetwork(
        (FloatInput("in", 1),),
        (FloatPopulation("out", 1, bias=np.zeros(1), decay=0.0),),
        (FloatConnection("in", "out", np.ones((1, 1))),),
    )
    with spikeloom.open(program) as device:
        choices: dict[str, Callable[[], object]] = {
            "simulate: graded": lambda: simulate(network, events, graded=wrong),
            "run: learn": lambda: compare_device(program, events, device, learn=wrong),
            "compare_device: verify": lambda: compare_device(program, events, device, verify=wrong),
            "check_cycles: learn": lambda: check_cycles(program, events, seed=1, learn=wrong),
            "open_board: bake": lambda: open_board(program, "icebreaker", None, bake=wrong),
            "weight_pairs": lambda: quantise(net, weight_pairs=wrong),
            "neuron_parameters": lambda: quantise(net, neuron_parameters=wrong),
        }
        for name, choice in choices.items():
            with pytest.raises(SpikeloomError, match=f"^{name} must be True or False, not "):
                choice()


@pytest.mark.parametrize("wrong", ["2", 0, -1, 1.5, True])
def test_workers_are_a_number(program: Program, wrong: Any) -> None:
    for run in (
        lambda: simulate(program.network, spikes(1), workers=wrong),
        lambda: VerilatorDevice(program, workers=wrong),
    ):
        with pytest.raises(SpikeloomError, match="^workers must be "):
            run()


def test_traces_are_of_populations(program: Program) -> None:
    wrong: Any = "hidden"
    with pytest.raises(SpikeloomError, match="^simulate: traces must be a mapping from"):
        simulate(program.network, spikes(1), traces=wrong)


@pytest.mark.parametrize(
    ("weights", "learned", "message"),
    [
        ({99: np.zeros((1, 1), np.int64)}, 1, "^number of a connection must be 0..2, not 99$"),
        ({"in->hidden": None}, 1, "^number of a connection must be an integer, not 'in->hidden'$"),
        ({}, -1, "^learned must be 0.."),
        ({}, 1.5, "^learned must be an integer, not 1.5$"),
    ],
)
def test_other_weights_are_of_connections_that_there_are(
    program: Program, weights: Any, learned: Any, message: str
) -> None:
    with pytest.raises(SpikeloomError, match=message):
        program.with_weights(weights, learned)


def test_weights_of_another_program_are_refused(program: Program) -> None:
    """Those of the same network, learned elsewhere, are taken."""
    with spikeloom.open(program) as device:
        device.run(spikes(3), learn=True)
        learned = device.program
    with spikeloom.open(program) as device:
        device.hold(learned)
        np.testing.assert_array_equal(
            device.weights[KEYS[0]], learned.network.connections[0].weights
        )
    other = spikeloom.compile(dataclasses.replace(program.network, seed=9))
    with (
        spikeloom.open(program) as device,
        pytest.raises(SpikeloomError, match="^weights of another Program, which differs in seed: "),
    ):
        device.hold(other)
    path: Any = "learned.loom"
    with (
        spikeloom.open(program) as device,
        pytest.raises(SpikeloomError, match=r"such as Program.load\(.*, not 'learned.loom'"),
    ):
        device.hold(path)


def test_assigned_weights_stay_within_the_bounds_of_the_rule(program: Program) -> None:
    with spikeloom.open(program) as device:
        old = device.weights[KEYS[0]]
        with pytest.raises(SpikeloomError, match=r"outside bounds -60\.\.100; clip them"):
            device.weights[KEYS[0]] = old * 0 + 101
        np.testing.assert_array_equal(device.weights[KEYS[0]], old)
        device.weights[KEYS[0]] = old * 0 + 100
        assert device.run(spikes(1), learn=True).weight_updates
    assert spikes(1).shape[1] == STEPS


@pytest.mark.parametrize("fabric", [{}, {"columns": 2, "rows": 2}, {"lanes": 4}, {"lanes": 16}])
def test_weights_depend_on_no_fabric(program: Program, fabric: dict[str, int]) -> None:
    """On any tiles and lanes the cycle-level model learns what the step-level one does."""
    mapped = spikeloom.compile(program.network, fabric)
    image = mapped.image.learning()
    model = CycleModel(image.config)
    model.load(image)
    events = spikes(3)
    words = np.concatenate(host_words(image, {"in": events.astype(np.uint8)}))
    model.run(words.tolist())
    expected = simulate(program.network, events, learn=True)

    def read(tile: int, address: int, rows: int) -> list[int]:
        return [model.row(ReadTarget.WEIGHT, tile, address + row) for row in range(rows)]

    for number, weights in expected.weights.items():
        np.testing.assert_array_equal(memory_weights(mapped, number, read), weights)
    updates = (count for name, count in model.counters.items() if name.startswith("updates"))
    assert sum(updates) == expected.updates


def test_eligibilities_go_on_over_all_samples_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So they are not cut into chunks; the next run begins with 0 again, also from a file."""
    monkeypatch.setattr("spikeloom.devices.chunks.CHUNK", 2)
    network = network_with_plane()
    program = spikeloom.compile(network)
    assert program.fabric.eligibility
    program.save(tmp_path / "p.loom")
    with spikeloom.open(Program.load(tmp_path / "p.loom")) as device:
        told: list[int] = []
        device.run(spikes(5), told.append, learn=True)
        assert told == [5]
        expected = simulate(network, spikes(5), learn=True)
        assert_learned(device, expected)
        again = simulate(device.program.network, spikes(3), learn=True, first=5)
        device.run(spikes(3), learn=True)
        assert_learned(device, again)
    assert [len(each) for each in chunk_words(program.image, {"in": spikes(5).astype(np.uint8)})][
        1:
    ]


def test_kernels_are_learned_saved_and_assigned(tmp_path: Path) -> None:
    network = network_with_kernel()
    program = spikeloom.compile(network)
    events = {"in": spikes(6), "more": spikes(6, 2)[:, :, :6]}
    with spikeloom.open(program) as device:
        run = device.run({name: counts[:4] for name, counts in events.items()}, learn=True)
        device.program.save(tmp_path / "half.loom")
    half = Program.load(tmp_path / "half.loom")
    assert half.image.tiles == device.program.image.tiles
    with spikeloom.open(half) as device:
        more = device.run({name: counts[4:] for name, counts in events.items()}, learn=True)
        expected = simulate(network, events, learn=True)
        assert_learned(device, expected)
        assert run.weight_updates + more.weight_updates == expected.updates > 0
        kernel = device.weights["in->map"]
        np.testing.assert_array_equal(kernel, expected.weights[0])
        assert (kernel != network.connections[0].weights).any()
        with pytest.raises(SpikeloomError, match=r"outside bounds -60\.\.100; clip them"):
            device.weights["in->map"] = kernel * 0 - 61
        device.weights["in->map"] = kernel * 0 + 7
        assert (device.program.network.connections[0].weights == 7).all()


def assert_learned(device: Device, expected: step.Run) -> None:
    for number, weights in expected.weights.items():
        np.testing.assert_array_equal(device.program.network.connections[number].weights, weights)
