"""The first clock in which the waveform of a faulty fabric leaves the golden model."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from command_line import Commands
from numpy.typing import NDArray

from spikeloom.devices.chunks import chunk_words
from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.spec import FabricConfig
from spikeloom.program import Program
from spikeloom.report.divergence import divergence
from spikeloom.sim import runner
from spikeloom.sim.verilog import emit

pytestmark = pytest.mark.usefixtures("rtl_built")


def test_it_is_the_first_packet_that_differs(
    small: Program, small_events: NDArray[np.uint8], tmp_path: Path
) -> None:
    """The hardware has another bias in one neuron; both are known from the golden model."""
    image = small.image
    (tile,) = image.tiles
    biases = list(tile.biases)
    biases[2] ^= 31
    wrong = dataclasses.replace(image, tiles=(dataclasses.replace(tile, biases=tuple(biases)),))
    counts = {"in": small_events}
    words = next(chunk_words(image, counts))

    def packets(of: object) -> list[tuple[int, int]]:
        model = CycleModel(image.config)
        model.load(of)  # type: ignore[arg-type]
        return model.run([int(word) for word in words])

    expected, got = packets(image), packets(wrong)
    clocks = [clock for clock, packet in expected if packet == 2]
    assert len(clocks) == 30
    start, stop = clocks[5] + 1, clocks[11] + 1  # sample 1
    first = min(clock for clock, _ in {*expected} ^ {*got} if clock >= start)
    assert first < stop
    path = tmp_path / "wrong.vcd"
    runner.waveform(image.config, wrong, words, start, stop, path)
    found = divergence(image, counts, 1, 2, path)
    assert found.clock == first
    assert found.start == max(start, first - 20)
    (packet,) = (packet for packet in found.packets if packet.clock == first)
    assert packet.golden != packet.rtl
    names = [signal.name for signal in found.signals]
    assert {"host_in.valid", "host_out.valid", "fire.valid"} <= set(names)
    values = found.signals[names.index("host_out.valid")].values
    assert [found.start + n for n, value in enumerate(values) if value] == [
        packet.clock for packet in found.packets if packet.rtl
    ]


def test_without_one_the_step_is_shown(
    small: Program, small_events: NDArray[np.uint8], tmp_path: Path
) -> None:
    counts = {"in": small_events}
    words = next(chunk_words(small.image, counts))
    path = tmp_path / "same.vcd"
    model = CycleModel(small.fabric)
    model.load(small.image)
    end, _ = model.run([int(word) for word in words], 6)[-1]
    runner.waveform(small.fabric, small.image, words, 0, end + 1, path)
    found = divergence(small.image, counts, 0, 1, path)
    assert found.clock is None
    assert all(packet.golden == packet.rtl for packet in found.packets)
    assert any(packet.golden == "STEP" for packet in found.packets)


@pytest.mark.parametrize("command", ["compare --clocked 0 --html report.html", "report"])
def test_the_page_draws_it_where_the_fault_is_in_the_verilog(
    command: str, run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fabric that the command line builds sends states with their lowest bit inverted."""

    def faulty(config: FabricConfig) -> str:
        text = emit(config)
        right = "? done__payload : emit_host__payload;"
        assert text.count(right) == 1
        bit = "emit_host__payload[1:0] == 2'd1 ? 26'h400 : 26'h0"
        return text.replace(right, f"? done__payload : emit_host__payload ^ ({bit});")

    monkeypatch.setattr("spikeloom.sim.runner.emit", faulty)
    verb, *options = command.split()
    assert run(verb, "small.loom", "events.npy", *options).status == 1
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    _, _, section = page.partition('<h2 id="divergence">')
    section = section.partition("</section>")[0]
    assert "The first packet to the host that differs is in clock " in section
    assert '<svg class="wave"' in section
    assert "the first difference is in clock " in section
    expected, got = map(int, re.findall(r">STATE first\[\d+\] = (-?\d+)<", section)[:2])
    assert expected ^ got == 1
