"""What a page shows of weights that were learned."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.image import imread
from plastic_network import network_with_kernel, network_with_plane, plastic_network, spikes

import spikeloom
from spikeloom.cli import cli
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.step.run import simulate
from spikeloom.report.gather import gather
from spikeloom.report.receptive_fields import FIELDS, drawn
from spikeloom.report.records import LearnedWeights


def test_the_targets_that_changed_most_are_shown() -> None:
    before = np.zeros((6, FIELDS + 3), np.int64)
    after = before.copy()
    after[:, [0, 5, -1]] = 50  # that is three of them; the rest are the first
    after[2, 5] = -100
    values = drawn(LearnedWeights("in->p", before, after, (-100, 100), (2, 3)))
    assert values["sentence"].startswith(f"18 of {before.size} weights changed; mean 0.0 before")
    assert [field["target"] for field in values["fields"]] == [*range(FIELDS - 1), FIELDS + 2]
    kind, _, data = values["fields"][5]["after"].partition(",")
    assert kind == "data:image/png;base64"
    red, _, blue = imread(io.BytesIO(base64.b64decode(data)))[..., :3].reshape(6, 3)[[0, 1, 2]]
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    assert values["shape"] == "2 x 3"


def test_a_histogram_counts_every_weight() -> None:
    before = np.array([[-2, -1], [0, 1]])
    values = drawn(LearnedWeights("in->p", before, before * 0 + 1, (-2, 1)))["histogram"]
    assert (values["low"], values["high"], values["most"]) == (-2, 1, "4")
    quarter = values["height"] * 0.75
    assert values["before"].count(f"V{quarter:.1f}") == 4  # one synapse of each weight
    assert values["after"].count("V0.0") == 1


def test_a_page_shows_what_a_run_learned(tmp_path: Path) -> None:
    program = spikeloom.compile(plastic_network())
    program.save(tmp_path / "p.loom")
    np.save(tmp_path / "e.npy", spikes(4))
    files = [str(tmp_path / name) for name in ("p.loom", "e.npy")]
    page = tmp_path / "page.html"
    options = ["--backend", "golden", "--learn", "-o", str(page)]
    result = CliRunner().invoke(cli, ["report", *files, *options])
    assert result.exit_code == 0, result.output
    text = page.read_text()
    assert text.count('<img src="data:image/png') == 2 * (10 + 9)
    learned = simulate(program.network, spikes(4), learn=True).weights[0]
    changed = (learned != program.network.connections[0].weights).sum()
    assert f"{changed} of 120 weights changed" in text
    options[3:] = [str(tmp_path / "plain.html")]
    result = CliRunner().invoke(cli, ["report", *files, "--backend", "golden", "-o", options[3]])
    assert result.exit_code == 0, result.output
    assert 'id="learning"' not in Path(options[3]).read_text()


def test_kernels_are_shown_as_they_lie() -> None:
    network = network_with_kernel()
    program = spikeloom.compile(network)
    events = {"in": spikes(3), "more": spikes(3, 2)[:, :, :6]}
    with spikeloom.open(program) as device:
        device.run(events, learn=True)
        kernel, dense = gather(program, events, learned=device.program).learning
        after = device.weights["in->map"]
    assert (kernel.name, kernel.shape, dense.shape) == ("in->map", (2, 3), None)
    np.testing.assert_array_equal(kernel.after[:, 4].reshape(2, 3), after[4, 0])
    values = drawn(kernel)
    assert (values["shape"], len(values["fields"])) == ("2 x 3", 5)


@pytest.mark.parametrize("samples", [3])
def test_potentials_are_those_of_the_run_that_learned(samples: int) -> None:
    program = spikeloom.compile(plastic_network())
    with spikeloom.open(program) as device:
        device.run(spikes(samples), learn=True)
        contents = gather(program, spikes(samples), learned=device.program)
    (out,) = (p for p in contents.potentials if p.name == "out")
    expected = simulate(program.network, spikes(samples), learn=True, traces={"out": out.neurons})
    np.testing.assert_array_equal(out.golden, expected.traces["out"])


def test_what_another_program_learned_is_refused() -> None:
    program = spikeloom.compile(plastic_network())
    with pytest.raises(SpikeloomError, match="^weights of another Program, which differs in "):
        gather(program, spikes(1), learned=spikeloom.compile(network_with_plane()))
    path: Any = "learned.loom"
    with pytest.raises(SpikeloomError, match=r"such as Program.load\('learned.loom'\), not 'lear"):
        gather(program, spikes(1), learned=path)
