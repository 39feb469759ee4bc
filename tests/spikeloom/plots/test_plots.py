"""Plots show the numbers that they are given, in the Axes that they are given."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from mesh_program import mesh_program
from small_program import SMALL, small_network

import spikeloom
from spikeloom.demo import mnist_program
from spikeloom.devices.simulated import GoldenDevice
from spikeloom.golden.errors import SpikeloomError
from spikeloom.plots.activity import raster
from spikeloom.program import Program

matplotlib = importlib.import_module("matplotlib")
matplotlib.use("agg")
pyplot = importlib.import_module("matplotlib.pyplot")

EVENTS = (np.random.default_rng(3).random((3, 8, 8)) < 0.5).astype(np.uint8)


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def run() -> spikeloom.Run:
    return GoldenDevice(mesh_program()).run(EVENTS, traces={"hidden": [3, 17]})


def drawn(axes: Any) -> None:
    """Drawing it raises no error and no warning."""
    axes.figure.canvas.draw()


def test_a_raster_has_a_mark_for_each_spike(run: spikeloom.Run) -> None:
    axes = run.plot_raster(sample=2)
    drawn(axes)
    step, neuron = np.nonzero(run.spikes["hidden"][2])
    (line, second) = axes.lines
    assert line.get_xdata().tolist() == step.tolist()
    assert line.get_ydata().tolist() == neuron.tolist()
    assert second.get_ydata().min() > 23
    _, axes = pyplot.subplots()
    assert run.plot_raster("out", ax=axes) is axes
    assert len(axes.lines) == 1


def test_a_trace_has_the_potentials_of_the_neuron(run: spikeloom.Run) -> None:
    axes = run.plot_trace("hidden", neurons=[17], sample=1)
    drawn(axes)
    (line,) = axes.lines
    assert line.get_ydata().tolist() == run.traces["hidden"][1, :, 1].tolist()
    assert line.get_markevery() == np.flatnonzero(run.spikes["hidden"][1, :, 17]).tolist()
    assert len(line.get_markevery()) > 0
    assert len(run.plot_trace("hidden").lines) == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda run: run.plot_raster("input"), "no spikes of 'input', but of hidden, out"),
        (lambda run: run.plot_raster(sample=3), "samples 0..2"),
        (lambda run: run.plot_trace("out"), r"traces=\['out'\]"),
        (lambda run: run.plot_trace("hidden", neurons=[5]), r"traces=\{'hidden': \[5\]\}"),
        (lambda _: raster({}), "record="),
    ],
)
def test_what_cannot_be_drawn_is_said(run: spikeloom.Run, call: Any, message: str) -> None:
    with pytest.raises(SpikeloomError, match=message):
        call(run)
    assert pyplot.get_fignums() == []


def test_a_mapping_shows_the_rows_used() -> None:
    program = mesh_program()
    axes = program.plot_mapping()
    drawn(axes)
    assert len(axes.child_axes) == 4
    assert len(axes.texts) == sum(link.packets > 0 for link in program.plan.report.links)
    single = Program(small_network(), SMALL, frozenset(), frozenset())
    axes = single.plot_mapping()
    drawn(axes)
    (used,), available = single.plan.report.used, single.plan.report.available
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == [used[name] / available[name] for name in used]


def test_floats_against_integers() -> None:
    program = mnist_program()
    net = spikeloom.load_nir("examples/mnist/mnist.nir", dt=1e-3)
    events = (np.random.default_rng(1).random((4, 4, 784)) < 0.1).astype(np.uint8)
    axes = spikeloom.plot_rounding(program, net, events)
    drawn(axes)
    _, dots = axes.lines
    assert len(dots.get_xdata()) == 40
    error = np.abs(dots.get_xdata() - dots.get_ydata()).max()
    assert 0 < error < 0.05 * np.abs(dots.get_xdata()).max()


def test_matplotlib_is_imported_when_something_is_drawn() -> None:
    code = "import spikeloom, sys; print(*{'matplotlib', 'bokeh', 'jinja2'} & set(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert printed.stdout.strip() == b""


def test_what_notebooks_show_is_short_and_escaped(run: spikeloom.Run) -> None:
    program = mnist_program()
    net = spikeloom.load_nir("examples/mnist/mnist.nir", dt=1e-3)
    assert repr(run).startswith("Run(3 samples, 8 steps, ")
    for shown in (run, program, program.network, net):
        assert len(repr(shown)) < 300
        assert "\n" not in repr(shown)
        html = shown._repr_html_()
        assert html.count("<tr>") >= 2
        assert len(html) < 5000
    hostile = spikeloom.Input("<script>alert(1)</script>", 1)
    network = spikeloom.Network((hostile,), mesh_program().network.populations[:1], ())
    assert "<script>" not in network._repr_html_()
    assert "&lt;script&gt;" in network._repr_html_()


def test_the_report_of_a_quantisation_is_a_table() -> None:
    net = spikeloom.load_nir("examples/mnist/mnist.nir", dt=1e-3)
    from spikeloom.quantise import quantise  # noqa: PLC0415 - a function and a package

    _, report = quantise(net)
    assert repr(report).startswith("QuantisationReport(8-bit weights")
    assert report._repr_html_().count("<tr>") == 3
