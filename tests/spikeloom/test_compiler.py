"""From a float network to a Program: options, defaults and refusals."""

import ast
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import spikeloom
from spikeloom.boards.flow.design import elaborate
from spikeloom.boards.registry import board
from spikeloom.cli.fitting import check_memory
from spikeloom.golden.convolution import Convolution
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig, Reset
from spikeloom.golden.step.run import simulate
from spikeloom.importer.float_network import (
    FloatConnection,
    FloatInput,
    FloatNetwork,
    FloatPopulation,
)
from spikeloom.mapping.sizes import CHOICES, OF_LEARNING
from spikeloom.quantise.quantise import quantise
from spikeloom.quantise.records import QuantisationReport


def net(scale: float = 1.0) -> FloatNetwork:
    rng = np.random.default_rng(1)
    return FloatNetwork(
        (FloatInput("in", 5),),
        (
            FloatPopulation("a", 4, np.zeros(4), decay=0.25, threshold=1.0),
            FloatPopulation("b", 3, np.zeros(3), decay=0.5, spiking=False),
        ),
        (
            FloatConnection("in", "a", scale * rng.normal(size=(5, 4))),
            FloatConnection("a", "b", rng.normal(size=(4, 3))),
        ),
        (("out", "b"),),
    )


SMALLEST = FabricConfig(
    sum_bits=9,
    neurons=16,
    weight_words=64,
    axons=8,
    populations=4,
    connections=8,
    targets=16,
    coordinates=64,
    fraction_bits=4,
)
"""The smallest fabric for `net`."""


def test_defaults() -> None:
    program = spikeloom.compile(net())
    assert program.fabric == SMALLEST
    assert program.record == program.readout == {"a", "b"}
    assert [p.phase for p in program.network.populations] == [0, 1]
    assert program.network.input("in").max_count == 1
    assert program.about["schedule"] == "layered"
    assert program.about["outputs"] == [["out", "b"]]
    assert program.about["dialect"]["dt"] is None
    names = [row["population"] for row in program.about["quantisation"]["populations"]]
    assert names == ["a", "b"]


def test_options() -> None:
    program = spikeloom.compile(
        net(), schedule="pipelined", max_count=2, record=["a"], readout=("b",)
    )
    assert [p.phase for p in program.network.populations] == [0, 0]
    assert [c.delay for c in program.network.connections] == [1, 1]
    assert program.network.input("in").max_count == 2
    assert (program.record, program.readout) == ({"a"}, {"b"})
    assert program.about["schedule"] == "pipelined"


def test_nothing_recorded() -> None:
    program = spikeloom.compile(net(), record=(), readout=())
    assert program.record == program.readout == frozenset()


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is quantised has images, a synaptic current and a lower clamp."""

    def with_options(*args: Any, **options: Any) -> tuple[Network, QuantisationReport]:
        network, report = quantise(*args, **options)
        a, b = network.populations
        changed = dataclasses.replace(
            network,
            inputs=(dataclasses.replace(network.inputs[0], image=(1, 1, 5)),),
            populations=(
                dataclasses.replace(a, image=(1, 1, 4), synaptic_decay=100),
                dataclasses.replace(b, v_min=-5),
            ),
            connections=(
                Convolution("in", "a", np.array([[[[5, 6]]]])),
                *network.connections[1:],
            ),
        )
        return changed, report

    monkeypatch.setattr("spikeloom.compiler.quantise", with_options)


NEEDED: dict[str, Any] = {"extent": 8, "synaptic_current": True, "lower_clamp": True}


@pytest.mark.usefixtures("options")
def test_without_a_fabric_it_is_built_for_what_the_network_needs() -> None:
    smallest = dataclasses.replace(SMALLEST, neurons=64, **NEEDED)
    assert spikeloom.compile(net()).fabric == smallest
    assert spikeloom.compile(net(), "auto").fabric == smallest
    fabric = spikeloom.compile(net(), {"lanes": 3, "extent": 9}, state_bits=20).fabric
    assert fabric == dataclasses.replace(smallest, neurons=16, lanes=3, extent=9, state_bits=20)


@pytest.mark.usefixtures("options")
def test_pinned_sizes_stay() -> None:
    with pytest.raises(SpikeloomError, match=r"fabric: neurons 7 of 4 \(short by 3\); use"):
        spikeloom.compile(net(), {"lanes": 1, "neurons": 4})


@pytest.mark.usefixtures("options")
@pytest.mark.parametrize(
    ("fabric", "message"),
    [
        (
            FabricConfig(),
            "population 'a': a synaptic current needs synaptic_current=True",
        ),
        (
            FabricConfig(synaptic_current=True, lower_clamp=True),
            "input 'in': an image of 1 x 5 needs extent=5",
        ),
        ({"extent": 4}, "input 'in': an image of 1 x 5 needs extent=5"),
        ({"lower_clamp": False}, "population 'b': a minimum potential needs lower_clamp=True"),
    ],
)
def test_what_is_given_stays_as_it_is(fabric: Any, message: str) -> None:
    with pytest.raises(SpikeloomError) as error:
        spikeloom.compile(net(), fabric)
    assert message in str(error.value)


@pytest.mark.parametrize(("weight_bits", "state_bits"), [(2, 8), (4, 12), (8, 24)])
def test_widths_without_a_fabric_choose_one(weight_bits: int, state_bits: int) -> None:
    program = spikeloom.compile(net(0.01), weight_bits=weight_bits, state_bits=state_bits)
    assert (program.fabric.weight_bits, program.fabric.state_bits) == (weight_bits, state_bits)
    assert program.network.weight_bits == weight_bits
    assert program.network.state_bits == state_bits


def test_widths_of_a_given_fabric_are_taken_from_it() -> None:
    fabric = FabricConfig(weight_bits=4, state_bits=20, sum_bits=12, lanes=3)
    for widths in ({}, {"weight_bits": 4}, {"weight_bits": 4, "state_bits": 20}):
        program = spikeloom.compile(net(), fabric, **widths)  # type: ignore[arg-type]
        network = program.network
        assert program.fabric == fabric
        assert (network.weight_bits, network.state_bits, network.sum_bits) == (4, 20, 12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight_bits": 4}, "weight_bits: 4 was asked for, the fabric has 8; leave it out, or "),
        ({"state_bits": 20}, "state_bits: 20 was asked for, the fabric has 16; leave it out, or "),
        ({"schedule": "eager"}, "schedule must be 'layered' or 'pipelined', not 'eager'"),
        ({"max_count": 0}, "max_count must be 1..255, not 0"),
        ({"record": ["c"]}, "record: no population is called c"),
        ({"readout": ["c"]}, "readout: no population is called c"),
        ({"record": 5}, "record must be names of populations, such as ['output'], not 5"),
        ({"record": "a"}, "record must be names of populations, such as ['output'], not 'a'"),
        ({"readout": [["a"]]}, "readout must be names of populations, such as ['output'], not [["),
        ({"readout": [5]}, "readout must be names of populations, such as ['output'], not [5]"),
        ({"max_count": 200}, "can sum to "),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpikeloomError) as error:
        spikeloom.compile(net(), FabricConfig(), **options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight_bits": 3}, "weight_bits must be 2, 4 or 8 (or 16: pairs), not 3"),
        ({"state_bits": 7}, "FabricConfig.state_bits must be 8..24, not 7"),
        (
            {"fabric": 3},
            'fabric must be a FabricConfig, some of its fields, a board or "auto", not 3',
        ),
        ({"fabric": {"lanes": 0}}, "FabricConfig.lanes must be 1..16, not 0"),
        (
            {"fabric": {"weight_bits": 8}, "weight_bits": 4},
            "weight_bits: 4 was asked for, the fabric has 8; leave it out, or use a fabric that "
            "has it",
        ),
    ],
)
def test_bad_fabrics_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpikeloomError) as error:
        spikeloom.compile(net(), **options)
    assert str(error.value) == message


def test_numpy_integers_are_integers() -> None:
    """Of every width, and in every argument that takes a Python integer."""
    given = spikeloom.compile(
        net(),
        {"lanes": np.int64(4), "traces": np.True_},
        weight_bits=np.int8(8),
        state_bits=np.uint16(18),
        sum_bits=np.int64(16),
        max_count=np.int32(2),
    )
    plain = spikeloom.compile(
        net(),
        {"lanes": 4, "traces": True},
        weight_bits=8,
        state_bits=18,
        sum_bits=16,
        max_count=2,
    )
    assert given.digest == plain.digest
    assert given.fabric.to_json() == plain.fabric.to_json()
    assert FabricConfig(neurons=np.int16(100)) == FabricConfig(neurons=100)
    assert spikeloom.compile(net(), weight_bits=np.int64(16)).fabric.weight_pairs


def test_sums_are_as_narrow_as_they_can_be() -> None:
    program = spikeloom.compile(net())
    width = program.network.sum_bits
    assert program.fabric.sum_bits == width
    with pytest.raises(SpikeloomError, match=f"; use sum_bits={width}$"):
        spikeloom.compile(net(), sum_bits=width - 1)
    assert spikeloom.compile(net(), sum_bits=20).fabric.sum_bits == 20
    with pytest.raises(SpikeloomError, match="sum_bits: 20 was asked for, the fabric has 16"):
        spikeloom.compile(net(), FabricConfig(), sum_bits=20)


def test_scales_of_populations() -> None:
    program = spikeloom.compile(net(), scales={"a": 20})
    rows = program.about["quantisation"]["populations"]
    assert [row["scale_origin"] for row in rows] == ["given", "range"]
    assert program.network.population("a").threshold == 20 << 4


def test_everything_that_is_short_is_named_at_once() -> None:
    fabric = {"neurons": 6, "axons": 4, "slots": 1, "delayed_reset": False, "lanes": 4}
    network = dataclasses.replace(
        net(),
        populations=(
            dataclasses.replace(net().populations[0], delayed_reset=True),
            net().populations[1],
        ),
    )
    with pytest.raises(SpikeloomError) as error:
        spikeloom.compile(network, fabric, schedule="pipelined")
    assert str(error.value) == (
        "the network does not fit the fabric: population 'a': a delayed reset needs "
        "delayed_reset=True, neurons 7 of 6 (short by 1), axons 5 of 4 (short by 1), slots 2 of 1 "
        "(short by 1); use fabric={'neurons': 7, 'axons': 5, 'slots': 2, 'delayed_reset': True, "
        "'lanes': 4}"
    )
    fits = {"neurons": 7, "axons": 5, "slots": 2, "delayed_reset": True, "lanes": 4}
    assert spikeloom.compile(network, fits, schedule="pipelined").fabric.neurons == 7


@pytest.mark.parametrize("seed", range(5))
def test_the_chosen_sizes_are_the_smallest_choices(seed: int) -> None:
    """One choice less of any size that can be short does not fit."""
    rng = np.random.default_rng(seed)
    inputs, hidden, outputs = (int(n) for n in rng.integers(1, 200, 3))
    network = FloatNetwork(
        (FloatInput("in", inputs),),
        (
            FloatPopulation("a", hidden, np.zeros(hidden), threshold=1.0),
            FloatPopulation("b", outputs, np.zeros(outputs), threshold=1.0),
        ),
        (
            FloatConnection("in", "a", rng.normal(size=(inputs, hidden))),
            FloatConnection("a", "b", rng.normal(size=(hidden, outputs))),
            FloatConnection("b", "a", rng.normal(size=(outputs, hidden)), delay=5),
        ),
    )
    fabric = spikeloom.compile(network).fabric
    assert fabric.tiles == 1
    for name, choices in CHOICES.items():
        smaller = [choice for choice in choices if choice < getattr(fabric, name)]
        unused = ("queue", "routes", "coordinates", "extent", "max_spikes", *OF_LEARNING)
        if smaller and name not in unused:
            with pytest.raises(SpikeloomError, match=f"does not fit the fabric: {name} "):
                spikeloom.compile(network, {name: smaller[-1]})


def test_a_mesh_gets_sizes_of_its_tiles() -> None:
    rng = np.random.default_rng(1)
    network = FloatNetwork(
        (FloatInput("in", 100),),
        (FloatPopulation("a", 300, np.zeros(300), threshold=1.0),),
        (FloatConnection("in", "a", rng.normal(size=(100, 300))),),
    )
    fabric = spikeloom.compile(network, {"columns": 2, "rows": 2}).fabric
    assert (fabric.tiles, fabric.neurons, fabric.weight_words) == (4, 128, 1024)


def test_no_hardware_is_large_enough() -> None:
    names = [f"p{n}" for n in range(257)]
    network = FloatNetwork(
        (FloatInput("in", 1),),
        tuple(FloatPopulation(name, 1, np.zeros(1), threshold=1.0) for name in names),
        tuple(FloatConnection("in", name, np.ones((1, 1))) for name in names),
    )
    with pytest.raises(SpikeloomError) as error:
        spikeloom.compile(network)
    assert "populations 257 of 256 (short by 1)" in str(error.value)
    assert str(error.value).endswith(
        "; no hardware has populations above 256: use more tiles (columns, rows) or a smaller "
        "network"
    )


# Integer networks.


def integer_network(weights: NDArray[np.int64], weight_bits: int, **more: Any) -> Network:
    sources, targets = weights.shape
    return Network(
        (Input("in", sources),),
        (Population("out", targets, np.zeros(targets, np.int64), decay=100, threshold=9000),),
        (Connection("in", "out", weights),),
        weight_bits=weight_bits,
        **{"state_bits": 24, "sum_bits": 32} | more,
    )


@pytest.mark.parametrize("bits", range(2, 17))
def test_integer_weights_of_any_width(bits: int) -> None:
    """Both ends of the range are among them."""
    rng = np.random.default_rng(bits)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    weights = rng.integers(low, high, (12, 5), endpoint=True)
    weights[0, :2] = low, high
    network = integer_network(weights, bits)
    program = spikeloom.compile(network)
    expected = 8 if bits > 4 else 4 if bits > 2 else 2
    assert program.fabric.weight_bits == expected
    assert len(program.network.connections) == (1 if bits <= 8 else 3 if bits == 16 else 2)
    whole = sum(c.weights << (8 * c.high) for c in program.network.connections)
    assert np.array_equal(whole, weights)
    events = rng.random((3, 20, 12)) < 0.3
    with spikeloom.open(program, backend="golden") as device:
        run = device.run(events)
    reference = simulate(network, events)
    assert np.array_equal(run.spikes["out"], reference.spikes["out"])
    assert np.array_equal(run.states["out"], reference.states["out"])


def test_convolutions_of_wide_weights_are_split() -> None:
    rng = np.random.default_rng(2)
    kernel = rng.integers(-2048, 2047, (2, 1, 3, 3))
    network = Network(
        (Input("in", 36, image=(1, 6, 6)),),
        (Population("out", 32, np.zeros(32, np.int64), threshold=900, image=(2, 4, 4)),),
        (Convolution("in", "out", kernel),),
        weight_bits=12,
        state_bits=20,
        sum_bits=20,
    )
    program = spikeloom.compile(network)
    assert [c.high for c in program.network.connections] == [False, True]
    assert program.fabric.weight_pairs
    events = rng.random((3, 20, 36)) < 0.3
    with spikeloom.open(program, backend="golden") as device:
        run = device.run(events)
    assert np.array_equal(run.spikes["out"], simulate(network, events).spikes["out"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fabric": {"weight_bits": 4}}, "the network has weights of 12 bits, and pairs of 4 bits"),
        ({"schedule": "pipelined"}, "schedule: an integer network is mapped as it is"),
        ({"scales": {}, "max_count": 2}, "max_count, scales: an integer network is mapped as it"),
        ({"state_bits": 16}, "state_bits: the network has 24, the fabric 16; use state_bits=24"),
        ({"sum_bits": 12}, "; use sum_bits="),
        ({"fabric": FabricConfig(state_bits=24, sum_bits=20)}, "needs weight_pairs=True"),
    ],
)
def test_integer_networks_that_are_refused(options: dict[str, Any], message: str) -> None:
    weights = np.random.default_rng(1).integers(-2048, 2047, (12, 5))
    weights[0, 0] = 2047
    with pytest.raises(SpikeloomError) as error:
        spikeloom.compile(integer_network(weights, 12), **options)
    assert message in str(error.value)


def test_a_name_that_is_no_board_is_refused() -> None:
    with pytest.raises(SpikeloomError, match="^there is no board 'icebraker', did you mean iceb"):
        spikeloom.compile(net(), "icebraker")


def test_unknown_fields_of_a_fabric_are_named() -> None:
    with pytest.raises(SpikeloomError, match="no lnaes, did you mean lanes[?]; it has "):
        spikeloom.compile(net(), {"lnaes": 4})
    with pytest.raises(SpikeloomError, match=r"^fabric: FabricConfig has no colour; it has "):
        spikeloom.compile(net(), {"colour": 1})


def test_a_network_that_does_not_fit_says_what_is_short() -> None:
    fabric = FabricConfig(lanes=4, neurons=6, weight_words=8, queue=4)
    with pytest.raises(SpikeloomError) as error:
        spikeloom.compile(net(), fabric)
    assert str(error.value) == (
        "the network does not fit the fabric: neurons 7 of 6 (short by 1), "
        "weight_words 9 of 8 (short by 1); use dataclasses.replace(fabric, neurons=7, "
        "weight_words=9)"
    )
    spikeloom.compile(net(), dataclasses.replace(fabric, neurons=7, weight_words=9))


def test_a_board_with_changed_fields() -> None:
    """A board's fabric that is too small: the remedy is a mapping to type."""
    big = FloatNetwork(
        (FloatInput("in", 3000),),
        net().populations[:1],
        (FloatConnection("in", "a", np.full((3000, 4), 0.3)),),
    )
    with pytest.raises(SpikeloomError) as error:
        spikeloom.compile(big, "icebreaker")
    remedy = str(error.value).rpartition("; use fabric=")[2]
    program = spikeloom.compile(big, ast.literal_eval(remedy))
    small = spikeloom.compile(net(), "icebreaker").fabric
    assert program.fabric == dataclasses.replace(
        small, axons=program.fabric.axons, sum_bits=program.fabric.sum_bits
    )
    wider = spikeloom.compile(net(), "icebreaker", state_bits=20).fabric
    assert wider == dataclasses.replace(small, state_bits=20)


def test_a_board_whose_weights_have_one_port() -> None:
    """Also where a fabric was compiled for another board."""
    fabric = FabricConfig(plasticity=True, two_ports=True)
    remedy = "large RAM, which has one port: leave it out, on the command line --set two_ports=fal"
    two_ports = {"plasticity": True, "two_ports": True}
    with pytest.raises(SpikeloomError, match=f"icebreaker: two_ports: .*{remedy}"):
        spikeloom.compile(net(), {"board": "icebreaker", **two_ports})
    with pytest.raises(SpikeloomError, match=f"icebreaker: two_ports: .*{remedy}"):
        elaborate(board("icebreaker"), fabric)
    with pytest.raises(SpikeloomError, match=f"icebreaker: two_ports: .*{remedy}"):
        check_memory(board("icebreaker"), fabric)
    assert spikeloom.compile(net(), {"board": "ulx3s_12f", **two_ports}).fabric.two_ports


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        ({"two_ports": True}, "plasticity"),
        ({"learn_lanes": 2}, "plasticity"),
        ({"eligibility": True}, "plasticity"),
        ({"initial_potentials": True}, "neuron_parameters"),
    ],
)
@pytest.mark.parametrize("given", [{}, {"board": "ulx3s_12f"}])
def test_a_part_of_an_option_brings_it_along(
    part: dict[str, Any], whole: str, given: dict[str, Any]
) -> None:
    assert spikeloom.compile(net(), given | part).fabric == (
        spikeloom.compile(net(), given | part | {whole: True}).fabric
    )
    with pytest.raises(SpikeloomError, match=f"needs {whole}=True"):
        spikeloom.compile(net(), given | part | {whole: False})


def test_signed_spikes_and_graded_events_that_a_fabric_lacks() -> None:
    several = {"max_spikes": 7, "threshold": 5, "reset": Reset.SUBTRACT}
    neurons = Population("p", 1, np.zeros(1, np.int64), signed=True, **several)
    network = Network(
        (Input("in", 1, 9, signed=True),), (neurons,), (Connection("in", "p", np.array([[3]])),)
    )
    made = spikeloom.compile(network)
    assert (made.fabric.signed_spikes, made.fabric.graded_bits) == (True, 0)
    assert spikeloom.compile(network, {"graded_bits": 4}).fabric.graded_bits == 4
    with pytest.raises(SpikeloomError, match="input 'in': 9 events in one needs graded_bits=4"):
        spikeloom.compile(network, {"graded_bits": 3})
    with pytest.raises(SpikeloomError, match="population 'p': signed spikes needs signed_spikes"):
        spikeloom.compile(network, {"signed_spikes": False})


def test_a_program_of_signed_spikes_is_saved(tmp_path: Path) -> None:
    neurons = Population("p", 1, np.zeros(1, np.int64), signed=True, threshold=5)
    network = Network(
        (Input("in", 1, 2, signed=True),), (neurons,), (Connection("in", "p", np.array([[3]])),)
    )
    made = spikeloom.compile(network, {"graded_bits": 2})
    made.save(tmp_path / "signed.loom")
    again = spikeloom.Program.load(tmp_path / "signed.loom")
    assert again.fabric == made.fabric
    assert again.network.input("in").signed
    assert again.network.population("p").signed
