"""From a float network to a Program: options, defaults and refusals."""

import dataclasses
from typing import Any

import numpy as np
import pytest

import spikeloom
from spikeloom.golden.convolution import Convolution
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Network
from spikeloom.golden.spec import FabricConfig
from spikeloom.importer.float_network import (
    FloatConnection,
    FloatInput,
    FloatNetwork,
    FloatPopulation,
)
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


def test_defaults() -> None:
    program = spikeloom.compile(net())
    assert program.fabric == FabricConfig()
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


NEEDED: dict[str, Any] = {"extent": 5, "synaptic_current": True, "lower_clamp": True}


@pytest.mark.usefixtures("options")
def test_without_a_fabric_it_is_built_for_what_the_network_needs() -> None:
    assert spikeloom.compile(net()).fabric == FabricConfig(**NEEDED)
    fabric = spikeloom.compile(net(), {"lanes": 3, "extent": 9}, state_bits=20).fabric
    assert fabric == FabricConfig(**NEEDED | {"lanes": 3, "extent": 9, "state_bits": 20})


@pytest.mark.usefixtures("options")
def test_sizes_are_not_added() -> None:
    with pytest.raises(SpikeloomError, match=r"fabric: neurons 7 of 4 \(short by 3\); use"):
        spikeloom.compile(net(), {"lanes": 1, "neurons": 4})


@pytest.mark.usefixtures("options")
@pytest.mark.parametrize(
    ("fabric", "message"),
    [
        (
            FabricConfig(),
            "population 'a': a synaptic current needs FabricConfig(synaptic_current=True)",
        ),
        (
            FabricConfig(synaptic_current=True, lower_clamp=True),
            "input 'in': an image of 1 x 5 needs FabricConfig(extent=5)",
        ),
        ({"extent": 4}, "input 'in': an image of 1 x 5 needs FabricConfig(extent=5)"),
        ({"lower_clamp": False}, "population 'b': a least potential needs FabricConfig("),
    ],
)
def test_what_is_given_stays_as_it_is(fabric: Any, message: str) -> None:
    with pytest.raises(SpikeloomError) as error:
        spikeloom.compile(net(), fabric)
    assert message in str(error.value)


@pytest.mark.parametrize(("weight_bits", "state_bits"), [(2, 8), (4, 12), (8, 24)])
def test_widths_without_a_fabric_choose_one(weight_bits: int, state_bits: int) -> None:
    program = spikeloom.compile(net(0.01), weight_bits=weight_bits, state_bits=state_bits)
    expected = FabricConfig(weight_bits=weight_bits, state_bits=state_bits)
    assert program.fabric == expected
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
        ({"max_count": 0}, "input 'in': max_count must be 1..255, not 0"),
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
        ({"weight_bits": 3}, "FabricConfig.weight_bits must be 2, 4 or 8, not 3"),
        ({"state_bits": 7}, "FabricConfig.state_bits must be 8..24, not 7"),
        ({"fabric": 3}, "fabric must be a FabricConfig, not 3"),
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


def test_a_name_that_is_no_board_is_refused() -> None:
    with pytest.raises(SpikeloomError, match="^there is no board 'icebraker', did you mean iceb"):
        spikeloom.compile(net(), "icebraker")


def test_unknown_fields_of_a_fabric_are_named() -> None:
    with pytest.raises(
        SpikeloomError, match=r"^fabric: FabricConfig has no colour; it has axons, "
    ):
        spikeloom.compile(net(), {"colour": 1})


def test_a_network_that_does_not_fit_says_what_is_short() -> None:
    fabric = FabricConfig(lanes=4, neurons=6, weight_words=8, queue=4)
    with pytest.raises(SpikeloomError) as error:
        spikeloom.compile(net(), fabric)
    assert str(error.value) == (
        "the network does not fit the fabric: neurons 7 of 6 (short by 1), "
        "weight_words 9 of 8 (short by 1); use a larger FabricConfig"
    )
