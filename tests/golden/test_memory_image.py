"""Memory images with trace bits."""

import dataclasses

import pytest
from by_hand import SMALL, fabric_image, tile_image

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.memory_image import MemoryImage, Sender
from spikeloom.golden.spec import FabricConfig

TRACES = dataclasses.replace(SMALL, columns=2, traces=True)


def two_tiles(config: FabricConfig) -> MemoryImage:
    """Population 1 on both tiles, population 0 on the second, which also has an empty row."""
    first = tile_image(config, populations=[{"number": 1, "neurons": 4, "readout": 1}])
    second = tile_image(
        config,
        populations=[{}, {"number": 0, "neurons": 3}, {"number": 1, "neurons": 2, "index_base": 4}],
    )
    senders = Sender("a", 3, False, False), Sender("b", 6, False, True)
    return dataclasses.replace(fabric_image(config, first, second), senders=senders)


@pytest.mark.parametrize(
    ("names", "bits"),
    [({"b"}, [[1], [0, 0, 1]]), ({"a"}, [[0], [0, 1, 0]]), ({"a", "b"}, [[1], [0, 1, 1]])],
)
def test_trace_bits_of_rows_and_senders(names: set[str], bits: list[list[int]]) -> None:
    image = two_tiles(TRACES)
    traced = image.with_traces(names)
    layout = TRACES.population_row
    for old, new, expected in zip(image.tiles, traced.tiles, bits, strict=True):
        before, after = ([layout.unpack(row) for row in t.populations] for t in (old, new))
        assert [row["trace"] for row in before] == [0] * len(expected)
        assert after == [row | {"trace": bit} for row, bit in zip(before, expected, strict=True)]
    assert [(node.name, node.trace) for node in traced.senders] == [
        ("a", "a" in names),
        ("b", "b" in names),
    ]
    assert dataclasses.replace(traced, tiles=image.tiles, senders=image.senders) == image


def test_a_fabric_without_traces_is_refused_with_the_remedy() -> None:
    image = two_tiles(dataclasses.replace(TRACES, traces=False))
    assert image.with_traces(()) is image
    with pytest.raises(SpikeloomError) as error:
        image.with_traces({"b", "a"})
    assert str(error.value) == (
        'traces of a, b: the fabric was built without traces; compile with fabric={"traces": '
        "True}, on the command line --set traces=true"
    )
