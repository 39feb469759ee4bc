"""Brian2: networks of its equations spike as `NetworkBuilder` has them, table of docs/build.md.

`pip install brian2`; its release 2.9, the last one for Python 3.11, needs numpy below 2.4.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from nir_frameworks import need, quiet
from numpy.typing import NDArray

from spikeloom.importer.builder import NetworkBuilder
from spikeloom.importer.float_simulation import simulate_float

DT, STEPS, INPUTS, SIZE, REFRACTORY = 0.5, 600, 12, 20, 2.0
PARAMETERS = """
v_rest : volt
v_thresh : volt
v_reset : volt
tau : second
"""
CURRENT = """
dv/dt = (v_rest - v + R * I) / tau : volt (unless refractory)
dI/dt = -I / tau_syn : amp
R : ohm
tau_syn : second
"""
DELTA = "dv/dt = (v_rest - v) / tau : volt (unless refractory)"


@pytest.fixture
def brian() -> Iterator[Any]:
    module = need("brian2", "Brian2")
    module.start_scope()
    module.prefs.codegen.target = "numpy"
    module.defaultclock.dt = DT * module.ms
    with quiet():
        yield module
    module.defaultclock.dt = 0.1 * module.ms


class Both:
    """Random events, neurons and synapses in Brian2, for a network of the same here."""

    def __init__(self, brian: Any, equations: str, own: dict[str, Any]) -> None:
        self.brian, self.own = brian, own
        self.rng = np.random.default_rng(5)
        self.events = self.rng.random((STEPS, INPUTS)) < 0.06
        when, which = self.events.nonzero()
        self.source = brian.SpikeGeneratorGroup(INPUTS, which, when * DT * brian.ms)
        self.neurons = brian.NeuronGroup(
            SIZE,
            equations + PARAMETERS,
            threshold="v > v_thresh",
            reset="v = v_reset",
            refractory=REFRACTORY * brian.ms,
            method="exact",
        )
        for name in ("v_rest", "v_thresh", "v_reset"):
            setattr(self.neurons, name, own[name] * brian.mV)
        self.neurons.tau = own["tau_m"] * brian.ms
        self.neurons.v = self.neurons.v_rest
        self.synapses: dict[str, Any] = {}

    def connect(self, unit: Any, effect: str, inputs: float, loop: float) -> None:
        brian, rng = self.brian, self.rng
        model = f"w : {'amp' if unit is brian.nA else 'volt'}"
        for name, group, low, high in (
            ("in", self.source, 0.1 * inputs, inputs),
            ("p", self.neurons, -loop, loop),
        ):
            synapses = brian.Synapses(group, self.neurons, model, on_pre=effect)
            i, j = (rng.random((len(group), SIZE)) < 0.3).nonzero()
            synapses.connect(i=i, j=j)
            synapses.w = rng.uniform(low, high, len(i)) * unit
            synapses.delay = rng.integers(0, 4, len(i)) * DT * brian.ms
            self.synapses[name] = synapses

    def theirs(self) -> NDArray[np.bool_]:
        brian = self.brian
        monitor = brian.SpikeMonitor(self.neurons)
        network = brian.Network(self.source, self.neurons, *self.synapses.values(), monitor)
        network.run(STEPS * DT * brian.ms)
        raster = np.zeros((STEPS, SIZE), np.bool_)
        raster[np.rint(monitor.t / (DT * brian.ms)).astype(int), np.asarray(monitor.i)] = True
        return raster

    def ours(self, model: str, scale: Any, **values: Any) -> NDArray[np.bool_]:
        """`scale`: of the weights into each neuron."""
        build = NetworkBuilder(DT)
        build.source("in", INPUTS)
        build.population("p", SIZE, model, **self.own, **values)
        for name, synapses in self.synapses.items():
            i, j = synapses.i[:], synapses.j[:]
            delay = synapses.delay[:] / self.brian.ms + DT
            build.projection(name, "p", np.asarray(synapses.w) * scale[j], delay, i=i, j=j)
        spikes: NDArray[np.bool_] = (
            simulate_float(build.network(), self.events[None]).spikes["p"][0] > 0
        )
        return spikes


def levels() -> dict[str, Any]:
    rng = np.random.default_rng(6)
    ranges = {"v_rest": (-70, -60), "v_thresh": (-55, -50), "v_reset": (-75, -65), "tau_m": (8, 25)}
    return {name: rng.uniform(low, high, SIZE) for name, (low, high) in ranges.items()}


def test_currents(brian: Any) -> None:
    rng = np.random.default_rng(7)
    cm, tau_syn = rng.uniform(0.3, 1.5, SIZE), rng.uniform(3, 7, SIZE)
    both = Both(brian, CURRENT, levels())
    both.neurons.R = both.own["tau_m"] / cm * brian.Mohm
    both.neurons.tau_syn = tau_syn * brian.ms
    both.connect(brian.nA, "I += w", 5.0, 1.5)
    theirs = both.theirs()
    ours = both.ours(
        "IF_curr_exp",
        np.full(SIZE, 1e9),
        cm=cm,
        tau_syn_E=tau_syn,
        tau_refrac=REFRACTORY - DT,
    )
    assert 300 < theirs.sum() < STEPS * SIZE / 5
    np.testing.assert_array_equal(ours, theirs)


def test_weights_that_are_added_to_the_potential(brian: Any) -> None:
    own = levels()
    own["v_reset"] = own["v_rest"]
    both = Both(brian, DELTA, own)
    both.connect(brian.mV, "v += w", 8.0, 2.0)
    theirs = both.theirs()
    scale = 1e3 * np.exp(-DT / own["tau_m"])
    ours = both.ours("IF_curr_delta", scale, tau_refrac=REFRACTORY)
    assert 300 < theirs.sum() < STEPS * SIZE / 5
    np.testing.assert_array_equal(ours, theirs)
