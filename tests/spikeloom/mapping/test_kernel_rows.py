"""Convolutions that learn on fabrics: rows of their rules, and what they need."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from plastic_network import network_with_kernel

import spikeloom
from spikeloom import SpikeloomError
from spikeloom.golden.convolution import Convolution
from spikeloom.golden.learning import SPIKED, Rule, Term
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Factor
from spikeloom.mapping.kernels import axon_rows, axon_shifts

UP = Rule((Term(Factor.CONSTANT, pre=SPIKED, post=SPIKED, constant=1),), (-128, 127), shift=0)


def convolution(
    image: tuple[int, int, int], kernel: tuple[int, ...], rule: Rule | None = UP, **geometry: Any
) -> Network:
    """One convolution that learns."""
    joined = Convolution("in", "map", np.ones(kernel, np.int64), plasticity=rule, **geometry)
    target = joined.output(image)
    size = int(np.prod(target))
    return Network(
        (Input("in", int(np.prod(image)), image=image),),
        (Population("map", size, np.zeros(size, np.int64), image=target),),
        (joined,),
    )


def test_rows_of_a_kernel() -> None:
    """3 channels of 5x6 under a kernel of 4x3, to 10 channels of 2x4."""
    network = convolution((3, 5, 6), (10, 3, 4, 3), stride=(2, 2), padding=((1, 0), (2, 1)))
    program = spikeloom.compile(network)
    fabric, (tile,) = program.fabric, program.image.tiles
    assert (fabric.plasticity, fabric.plastic_kernels, fabric.readable) == (True, True, True)
    asked = spikeloom.compile(network, {"plastic_kernels": True, "extent": 8})
    assert asked.fabric == fabric
    rule = fabric.rule_row.unpack(tile.rules[0])
    named = {
        "kernel": 1,
        "channels": 3,
        "kernel_columns": 3,
        "row_stride": 2,
        "column_stride": 2,
        "row_padding": 1,
        "column_padding": 2,
        "source_height": 5,
        "source_width": 6,
        "target_height": 2,
        "target_width": 4,
        "axon_row": 5,
        "axon_column": 2,
        "sources": 4 * 3 * 3,
        "groups": 2 * 2 * 4,
        "neurons": 10,
        "weight_base": 0,
    }
    assert {name: rule[name] for name in named} == named
    connection = fabric.connection_row.unpack(tile.connections[0])
    noted = {"plastic": 1, "rule": 0, "axon_base": 0, "axon_row": 5, "axon_column": 2, "groups": 2}
    assert {name: connection[name] for name in noted} == noted
    (used,) = program.plan.report.used
    last = (4 << 5) + (5 << 2) + 2
    assert (used["plastic_axons"], used["rules"]) == (last + 1, 1)
    assert fabric.plastic_axons == 256


@pytest.mark.parametrize(
    ("image", "shifts", "rows"),
    [
        ((1, 28, 28), (5, 0), 27 * 32 + 28),
        ((4, 1, 7), (0, 2), 28),
        ((5, 3, 1), (3, 0), 21),
        ((300, 1, 1), (0, 0), 300),
        ((65535, 1, 1), (0, 0), 65535),
    ],
)
def test_axons_of_an_image(image: tuple[int, int, int], shifts: tuple[int, int], rows: int) -> None:
    """No two have one number; where there is one row or column nothing is shifted."""
    channels, height, width = image
    row, column = axon_shifts(image).values()
    assert (row, column) == shifts
    y, x, channel = np.indices((height, width, channels))
    numbers = np.unique((y << row) + (x << column) + channel)
    assert len(numbers) == np.prod(image)
    assert axon_rows(image) == numbers[-1] + 1 == rows


def test_axons_of_several_sources_follow_each_other() -> None:
    program = spikeloom.compile(network_with_kernel())
    fabric, (tile,) = program.fabric, program.image.tiles
    rules = [fabric.rule_row.unpack(row) for row in tile.rules]
    assert [rule["axon_base"] for rule in rules] == [0, 2 * 4 + 4]
    assert [rule["kernel"] for rule in rules] == [1, 0]
    assert [rule["sources"] for rule in rules] == [6, 6]
    assert rules[1]["weight_base"] == 6


def test_a_kernel_of_one_position_is_a_matrix() -> None:
    network = convolution((7, 1, 1), (9, 7, 1, 1))
    program = spikeloom.compile(network)
    assert not program.fabric.plastic_kernels
    rule = program.fabric.rule_row.unpack(program.image.tiles[0].rules[0])
    assert (rule["sources"], rule["groups"], rule["neurons"]) == (7, 2, 9)
    events = np.ones((2, 3, 7), np.bool_)
    with spikeloom.open(program) as device:
        run = device.run(events, learn=True)
        assert run.weight_updates
        assert device.weights["in->map"].shape == (9, 7, 1, 1)


def test_kernels_are_an_option_of_the_fabric() -> None:
    network = convolution((1, 4, 4), (2, 1, 3, 3))
    with pytest.raises(SpikeloomError) as error:
        spikeloom.compile(network, {"plastic_kernels": False})
    assert "connection 'in' -> 'map': a kernel that learns needs plastic_kernels=True" in str(
        error.value
    )
    plain = spikeloom.compile(convolution((1, 4, 4), (2, 1, 3, 3), None))
    assert not plain.fabric.plastic_kernels


def test_strides_and_paddings_fit_the_fields_of_a_rule() -> None:
    """They are as wide as an extent."""
    network = convolution((1, 2, 2), (1, 1, 2, 2), stride=(9, 9), padding=((0, 9), (4, 4)))
    assert spikeloom.compile(network).fabric.extent == 16
    with pytest.raises(SpikeloomError, match="a kernel that learns needs extent=9"):
        spikeloom.compile(network, {"extent": 4})


def test_of_matrices_those_between_plain_populations_learn() -> None:
    """An image that a convolution joins can learn by a convolution, also of all of it."""
    network = convolution((1, 3, 3), (1, 1, 1, 1))
    more = Population("p", 4, np.zeros(4, np.int64), phase=1, image=(4, 1, 1))
    network = dataclasses.replace(network, populations=(*network.populations, more))
    dense = Connection("map", "p", np.ones((9, 4), np.int64), plasticity=UP)
    with pytest.raises(SpikeloomError, match="use a Convolution, or give"):
        spikeloom.compile(dataclasses.replace(network, connections=(*network.connections, dense)))
    whole = Convolution("map", "p", np.ones((4, 1, 3, 3), np.int64), plasticity=UP)
    program = spikeloom.compile(
        dataclasses.replace(network, connections=(*network.connections, whole))
    )
    assert program.fabric.plastic_kernels


def test_parts_of_a_target_learn_their_own_channels() -> None:
    network = convolution((2, 3, 3), (20, 2, 2, 2))
    program = spikeloom.compile(network, {"columns": 2, "lanes": 4, "neurons": 64})
    rows = [
        [program.fabric.rule_row.unpack(row) for row in tile.rules] for tile in program.image.tiles
    ]
    parts = [(rule["index_base"], rule["neurons"]) for rules in rows for rule in rules[:1]]
    assert sorted(parts) == [(0, 12), (12, 8)] or sorted(parts) == [(0, 8), (8, 12)]
    assert all(rules[0]["groups"] == rules[0]["neurons"] // 4 * 4 for rules in rows)
