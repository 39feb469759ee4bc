"""Trained networks in golden and in RTL: those of the examples, and one that snnTorch ran."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from locking import one_at_a_time

import spikeloom
from examples import braille, nmnist
from spikeloom.compare import compare
from spikeloom.demo import DT
from spikeloom.program import Program

SIZES = {
    "mnist": {},
    # Trained with the integers of a fabric without fraction bits, truncation included.
    "nmnist": {"neurons": 4096, "weight_words": 2048, "fraction_bits": 0},
    "braille": {},
}
RECORDINGS = 5
"""Run in RTL; the benchmark runs all that were held out."""


def program(name: str) -> Program:
    folder = Path(__file__).parents[1] / "examples" / name
    return spikeloom.compile(spikeloom.load_nir(folder / f"{name}.nir", dt=DT), SIZES[name])


@pytest.mark.parametrize("name", SIZES)
def test_examples_in_rtl(name: str) -> None:
    made = program(name)
    (node,) = made.network.inputs
    events = np.random.default_rng(1).random((3, 5, node.size)) < 0.1
    with one_at_a_time(f"example-{name}"):
        result = compare(made, events)
    assert result.mismatches == 0, str(result.first)
    assert result.clocked == 3
    assert sum(spikes.sum() for spikes in result.rtl.spikes.values()) > 20


@pytest.mark.parametrize(("name", "example"), [("nmnist", nmnist), ("braille", braille)])
def test_recordings_held_out(name: str, example: ModuleType, shared_data: Path) -> None:
    """At least 95 % of them are told by the integer network, which the RTL equals."""
    made = program(name)
    events, labels = example.held_out(shared_data)
    with spikeloom.open(made, backend="golden") as golden:
        run = golden.run(events)
    answers = run.states[made.network.populations[-1].name].argmax(axis=1)
    assert (answers == labels).mean() >= 0.95
    with one_at_a_time(f"example-{name}"):
        result = compare(made, events[:RECORDINGS])
    assert result.mismatches == 0, str(result.first)


@pytest.mark.parametrize("backend", ["golden", "verilator"])
def test_the_recurrent_network_that_snntorch_ran(backend: str, shared_data: Path) -> None:
    """The hidden raster of the NIR paper's Braille network, with 16-bit weights in pairs."""
    net = spikeloom.load_nir(
        shared_data / "nir" / "braille_zero.nir", "snntorch", reset="zero", reset_delay=False
    )
    made = spikeloom.compile(net, {"sum_bits": 24}, weight_bits=16, state_bits=20)
    events = np.load(shared_data / "nir" / "braille_input.npy", allow_pickle=False)
    raster = np.load(shared_data / "nir" / "braille_zero_hidden_snntorch.npy", allow_pickle=False)
    with one_at_a_time("braille"), spikeloom.open(made, backend=backend) as device:
        run = device.run(events)
    hidden = run.spikes["lif1.lif"]
    assert hidden.shape == (1, *raster.shape) == (1, 256, 38)
    assert (hidden[0] != raster.astype(bool)).sum() == 0
    assert run.errors == 0
    assert run.spikes["lif2"].sum(axis=(0, 1)).argmax() == 1
