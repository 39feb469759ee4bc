"""What events and spikes count, over the link: codes of the host and of the hardware."""

import numpy as np
import pytest
from test_link_codes import decoded, encoded

from spikeloom.devices.codes import ResultCodes, event_codes
from spikeloom.golden.host import host_words
from spikeloom.golden.memory_image import Entry, MemoryImage
from spikeloom.golden.spec import FabricConfig, PacketKind

BUILDS = {
    "signed": {"signed_spikes": True},
    "graded": {"graded_bits": 5},
    "both": {"signed_spikes": True, "graded_bits": 8},
}


def built(name: str, extent: int = 1) -> FabricConfig:
    return FabricConfig(slots=3, axons=700, state_bits=18, extent=extent, **BUILDS[name])


@pytest.mark.parametrize("extent", [1, 9])
@pytest.mark.parametrize("name", BUILDS)
def test_events_count_as_much_as_the_host_says(name: str, extent: int) -> None:
    config = built(name, extent)
    shape = (3, 4, 5) if config.images else None
    image = MemoryImage(
        config, (), 0, (Entry("in", 3, 5, 0, shape), Entry("in", 1, 2, 1, shape)), ()
    )
    rng = np.random.default_rng(3)
    most = (1 << config.graded_bits) - 1 if config.graded_bits else 3
    counts = rng.integers(-most if config.signed_spikes else 0, most + 1, (1, 4, 60))
    counts[rng.random(counts.shape) < 0.6] = 0
    events = {"in": counts.astype(np.int16 if config.signed_spikes else np.uint8)}
    words, _ = decoded(config, event_codes(image, events, 0))
    expected = host_words(image, events)[0].tolist()
    assert in_steps(config, words) == in_steps(config, expected)


def in_steps(config: FabricConfig, words: list[int]) -> list[list[int]]:
    """The words of each step in an order of their own, with the mark at its end."""
    steps: list[list[int]] = [[]]
    for word in words:
        fields = config.host_in.unpack(word)
        if fields["step"]:
            mark = {name: fields[name] for name in ("step", "first", "ahead")}
            steps[-1] = [*sorted(steps[-1]), config.host_in.pack(mark)]
            steps.append([])
        else:
            # Of an event, `first` says nothing.
            steps[-1].append(config.host_in.pack(fields | {"first": 0}))
    return steps


@pytest.mark.parametrize("name", BUILDS)
def test_spikes_count_as_much_as_their_packets(name: str) -> None:
    config = built(name)
    rng = np.random.default_rng(4)
    packets = []
    for population in (0, 3, 2):
        for index in np.flatnonzero(rng.random(300) < 0.2).tolist():
            value = int(rng.choice([1, 1, 1, 2, 31, -1, -31]))
            fields = {"population": population, "index": index, "value": value}
            kind = PacketKind.STATE if rng.random() < 0.2 else PacketKind.SPIKE
            packets.append(config.host_out.pack({"kind": kind, **fields}))
    packets.append(config.host_out.pack({"kind": PacketKind.STEP}))
    codes, _ = encoded(config, packets, 1.0)
    decoder = ResultCodes(config)
    decoder.feed(codes)
    assert decoder.take()[1].tolist() == packets
