import dataclasses
import hashlib

import pytest

from spikeloom.golden.contents import NOTHING, Contents
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.link import Identity, LinkConfig, identity, parse_identity
from spikeloom.golden.spec import FabricConfig, LoadTarget

LINK = LinkConfig("icebreaker", 36_000_000, 12, 512, "0123456789abcdef" * 2)
FABRIC = FabricConfig(columns=2, rows=3, weight_words=1 << 24, synaptic_current=True, max_spikes=7)


def test_identity_is_said_and_understood() -> None:
    body = identity(LINK, FABRIC)
    assert parse_identity(body) == Identity(6, LINK, FABRIC)
    assert body[:18] == b"\x06icebreaker\0\0\0\0\0\0\0"
    assert body[17:25] == bytes.fromhex("00 51 25 02 0c 00 00 02")
    assert body[41:58] == bytes(17)
    sizes = dataclasses.asdict(FABRIC).values()
    assert len(body) == 58 + sum(1 if isinstance(size, bool) else 4 for size in sizes)
    assert len(body) <= 254 - 4 - 5


def test_a_baud_rate_is_rounded() -> None:
    assert dataclasses.replace(LINK, clock_hz=25_000_000, clocks_per_bit=217).baud == 115_207


def test_another_version_of_the_protocol_is_refused() -> None:
    with pytest.raises(SpikeloomError, match="version 7 of the link, this Spikeloom version 6"):
        parse_identity(b"\x07" + identity(LINK, FABRIC)[1:])


@pytest.mark.parametrize("length", [1, 58, -1])
def test_an_identity_of_another_length_is_refused(length: int) -> None:
    whole = identity(LINK, FABRIC)
    cut = whole[:length]
    with pytest.raises(SpikeloomError, match=f"has {len(cut)} bytes, not {len(whole)}"):
        parse_identity(cut)


def test_contents_are_named_with_the_digest_of_their_load_words() -> None:
    config = FabricConfig(columns=2)
    tiles = (
        {LoadTarget.WEIGHT: (1, 2), LoadTarget.ROUTE: ()},
        {LoadTarget.WEIGHT: (3,), LoadTarget.ROUTE: (4,)},
    )
    size = {target: -(-memory.row.width // 8) for target, memory in config.memories.items()}

    def rows(target: LoadTarget, *values: int) -> bytes:
        return b"".join(value.to_bytes(size[target], "little") for value in values)

    said = hashlib.sha256(
        b"\0\0\2\0\0"
        + rows(LoadTarget.WEIGHT, 1, 2)
        + b"\0\6\0\0\0"
        + b"\1\0\1\0\0"
        + rows(LoadTarget.WEIGHT, 3)
        + b"\1\6\1\0\0"
        + rows(LoadTarget.ROUTE, 4)
        + rows(LoadTarget.CONTROL, 9)
    )
    link = LINK.with_contents(Contents(tiles, 9), config)
    body = identity(link, config)
    assert body[41:58] == bytes([0b0110_0001]) + said.digest()[:16]
    assert parse_identity(body).link == link
    assert link.with_contents(NOTHING, config) == LINK


def test_every_memory_can_be_loaded_in_one_frame() -> None:
    memories = dataclasses.replace(FABRIC, noise=True, plasticity=True).memories
    assert set(memories) == set(LoadTarget)
    widths = [memory.row.width for memory in memories.values()]
    assert max(widths) <= 8 * (254 - 4 - 3 - 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"board": ""}, "board must be 1..16 ASCII"),
        ({"board": "b" * 17}, "board must be 1..16 ASCII"),
        ({"clocks_per_bit": 3}, "take another baud rate or clock"),
        ({"clocks_per_bit": 1 << 16}, "clocks_per_bit must be 4..65535"),
        ({"buffer": 600}, "power of two"),
        ({"buffer": 1 << 16}, "power of two"),
    ],
)
def test_unusable_links_are_refused(change: dict, message: str) -> None:
    with pytest.raises(SpikeloomError, match=message):
        dataclasses.replace(LINK, **change)
