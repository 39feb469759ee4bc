"""Dialects: explicit records, and neurons that do what each framework's code does."""

import dataclasses
import math
from typing import Any

import nir
import numpy as np
import pytest
from nir_graphs import chain, graph, make
from numpy.typing import NDArray

from spikeloom.golden.errors import SpikeloomError
from spikeloom.importer.dialect import Dialect
from spikeloom.importer.dialects import DIALECTS, resolve
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.importer.load import load_nir

STEPS = 300
WEIGHT = np.array([[0.9, -0.4, 0.6], [0.3, 0.8, -0.7]])
EVENTS = np.random.default_rng(11).random((STEPS, 3)) < 0.5
DRIVE = EVENTS @ WEIGHT.T
"""What arrives at two neurons in each step."""

Raster = NDArray[Any]


def spikes_of(node: Any, dialect: str, **options: Any) -> Raster:
    network = load_nir(chain(nir.Linear(WEIGHT), node, size=3, out=2), dialect, **options)
    return simulate_float(network, EVENTS).spikes["n1"][0]


def test_snntorch_delayed_subtract() -> None:
    v, expected = np.zeros(2), []
    for x in DRIVE:
        v = 0.75 * v + x - 0.6 * (v > 0.6)
        expected.append(v > 0.6)
    node = make(nir.LIF, 2, v_threshold=0.6)
    found = spikes_of(node, "snntorch", dt=1.0, reset="subtract", reset_delay=True)
    assert np.array_equal(found, expected)
    assert found.any(axis=0).all()


def test_sinabs_lif_spikes_several_times() -> None:
    alpha, v, expected = math.exp(-1 / 4), np.zeros(2), []
    for x in DRIVE:
        v = alpha * v + x
        n = np.where(v > 0, np.trunc(v / 0.25), 0)
        v = v - n * 0.25
        expected.append(n)
    # r and v_reset are not read.
    node = make(nir.LIF, 2, v_threshold=0.25, r=7.0, v_reset=0.1)
    found = spikes_of(node, "sinabs", gain="one")
    assert np.array_equal(found, expected)
    assert found.max() > 2


def test_sinabs_if_is_clamped() -> None:
    v, expected = np.zeros(2), []
    for x in DRIVE - 0.1:
        v = v + x
        n = np.where(v > 0, np.trunc(v / 0.5), 0)
        v = np.maximum(v - n * 0.5, -0.5)
        expected.append(n)
    affine = nir.Affine(WEIGHT, np.array([-0.1, -0.1]))
    net = chain(affine, make(nir.IF, 2, v_threshold=0.5), size=3, out=2)
    for clamp in (True, ("IF",), -0.5, ("LIF", ("IF", -0.5))):
        network = load_nir(net, "sinabs", clamp=clamp)
        assert np.array_equal(simulate_float(network, EVENTS).spikes["n1"][0], expected)
    for clamp in (None, ("LIF",), -0.25, (("IF", -0.75),)):
        network = load_nir(net, "sinabs", clamp=clamp)
        assert not np.array_equal(simulate_float(network, EVENTS).spikes["n1"][0], expected)


def test_rockpool_lif_with_synapse() -> None:
    dt, tau_syn, tau_mem = 1e-3, 5e-3, 2e-2
    i, v, expected = np.zeros(2), np.zeros(2), []
    for x in DRIVE:
        i = (i + x) * math.exp(-dt / tau_syn)
        v = v * math.exp(-dt / tau_mem) + i
        n = (v >= 0.4) * np.floor(v / 0.4)
        v = v - n * 0.4
        expected.append(n)
    r = tau_mem * math.exp(-dt / tau_mem) / dt
    node = make(nir.CubaLIF, 2, tau_syn=tau_syn, tau_mem=tau_mem, r=r, v_threshold=0.4, w_in=9.0)
    found = spikes_of(node, "rockpool", dt=dt)
    assert np.array_equal(found, expected)
    assert found.max() > 1


def test_rockpool_needs_a_dt() -> None:
    with pytest.raises(SpikeloomError, match="pass dt="):
        spikes_of(make(nir.LIF, 2), "rockpool")


def test_rockpool_readout_decays_its_input() -> None:
    network = load_nir(chain(make(nir.LI)), "rockpool", dt=1.0)
    run = simulate_float(network, np.array([[1], [0]]))
    assert run.states["n0"].item() == pytest.approx(math.exp(-1 / 4) ** 2)


@pytest.mark.parametrize("kind", [nir.LIF, nir.IF, nir.CubaLIF])
def test_spyx_spikes_a_step_late(kind: type) -> None:
    """Two layers, each of which compares the potential from before the step."""

    def layer(drive: Raster) -> Raster:
        i, v, spikes = np.zeros(2), np.zeros(2), []
        for x in drive:
            z = v > 0.7
            if kind is nir.CubaLIF:
                v = v - z * 0.7
                i = 0.5 * i + x
                v = 0.75 * v + i
            else:
                v = (0.75 if kind is nir.LIF else 1.0) * v + x - z * 0.7
            spikes.append(z)
        return np.array(spikes)

    weight = np.array([[0.8, 0.3], [-0.2, 0.9]])
    first = layer(DRIVE)
    second = layer(first @ weight.T)
    nodes = [make(kind, 2, v_threshold=0.7, r=3.0) for _ in range(2)]
    network = load_nir(
        chain(nir.Linear(WEIGHT), nodes[0], nir.Linear(weight), nodes[1], size=3, out=2), "spyx"
    )
    spikes = simulate_float(network, EVENTS).spikes
    assert np.array_equal(spikes["n1"][0, :-1], first[1:])
    assert np.array_equal(spikes["n3"][0, :-1], second[1:])
    assert second.any()


def test_lava_passes_on_a_step_late() -> None:
    """Each Dense puts out what it computed in the step before."""
    weight = np.array([[0.8, 0.3], [-0.2, 0.9]])
    v = np.zeros((2, 2))
    buffers = [np.zeros(2), np.zeros(2)]
    expected: list[list[Raster]] = [[], []]
    for events in EVENTS:
        arriving, spikes = list(buffers), []
        for n in range(2):
            v[n] = v[n] * 0.75 + 0.25 * arriving[n]
            z = v[n] > 0.1
            v[n] = np.where(z, 0, v[n])
            spikes.append(z)
            expected[n].append(z)
        buffers = [WEIGHT @ events, weight @ spikes[0]]
    nodes = [make(nir.LIF, 2, r=1.0, v_threshold=0.1) for _ in range(2)]
    network = load_nir(
        chain(nir.Linear(WEIGHT), nodes[0], nir.Linear(weight), nodes[1], size=3, out=2),
        "lava",
        dt=1.0,
    )
    spikes = simulate_float(network, EVENTS).spikes
    for name, raster in zip(("n1", "n3"), expected, strict=True):
        assert np.array_equal(spikes[name][0], raster)
        assert np.any(raster)


@pytest.mark.parametrize(("dialect", "delay"), [("nir", 1), ("lava", 1), ("spyx", 1)])
def test_delay_of_a_loop(dialect: str, delay: int) -> None:
    nodes = {
        "in": nir.Input(np.array([1])),
        "n": make(nir.LIF, r=1.0),
        "w": nir.Linear(np.ones((1, 1))),
        "out": nir.Output(np.array([1])),
    }
    edges = [("in", "n"), ("n", "w"), ("w", "n"), ("n", "out")]
    network = load_nir(graph(nodes, edges), dialect, dt=1.0)
    assert {c.delay for c in network.connections if c.source == "n"} == {delay}


@pytest.mark.parametrize("dialect", ["sinabs", "rockpool", "lava", "spyx", "snntorch"])
def test_what_a_framework_has_no_leak_potential_for_is_refused(dialect: str) -> None:
    with pytest.raises(SpikeloomError, match=f"v_leak must be 0, the only value {dialect}"):
        spikes_of(make(nir.LIF, 2, v_leak=0.5, r=1.0), dialect, dt=1.0)


# The records.


def test_every_dialect_says_what_it_is() -> None:
    assert set(DIALECTS) == {"nir", "snntorch", "norse", "sinabs", "lava", "rockpool", "spyx"}
    for name, dialect in DIALECTS.items():
        assert dialect.name == name
        assert all("\n" not in line for line in dialect.differences)
        assert (name == "nir") == (not dialect.differences)


def test_options_override() -> None:
    every = {
        "dt": 2.0, "decay": "exponential", "gain": "one", "synaptic_gain": "decayed",
        "integrator": "step", "reset": "subtract", "reset_delay": ("LIF",), "reset_first": True,
        "restore": True, "compare": ">=", "start": "leak", "synaptic_leak": True, "clamp": True,
        "max_spikes": 1, "clip": True, "input_delay": 1, "forward_delay": 2, "recurrent_delay": 3,
        "recurrent_bias_from": 1, "repeat": True, "flatten": "channels_last", "padding": "same",
        "loop_entry": "neuron", "threshold": 2.0, "v_reset": (0.0, 1.0), "v_leak": 0.5,
        "v_init": ((0.0, 1.0),), "tau": 5.0, "tau_syn": 4.0, "fixed": (("r", 1.0),), "seed": 7,
        "signed": False,
    }  # fmt: skip
    described = {"name", "nodes", "switches", "differences", "unstated"}
    assert set(every) == {f.name for f in dataclasses.fields(Dialect)} - described
    assert resolve("nir", **every) == Dialect("nir", **every)
    assert resolve("nir", **dict.fromkeys(every)) == DIALECTS["nir"]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"decay": "half"}, "decay must be 'euler' or"),
        ({"gain": 1}, "gain must be"),
        ({"reset": ["subtract"]}, "reset must be"),
        ({"reset": np.array(["zero", "none"])}, "reset must be"),
        ({"restore": 0}, "restore must be False or True"),
        ({"max_spikes": 3.0}, "max_spikes must be 1 or 3"),
        ({"max_spikes": True}, "max_spikes must be 1 or 3"),
        ({"dt": [1e-3]}, "dt must be"),
        ({"dt": "1e-3"}, "dt must be"),
        ({"dt": np.array([1e-3, 1e-3])}, "dt must be"),
        ({"dt": {"n0": 1.0}}, "dt: all nodes share it"),
        ({"input_delay": 1.0}, "input_delay must be a number of steps"),
        ({"forward_delay": (("LIF", 0.5),)}, "forward_delay must be a number of steps"),
        ({"forward_delay": ("LIF",)}, "forward_delay must be a number of steps"),
        ({"reset": {1: "zero"}}, "names of nodes must be strings"),
        ({"reset": {"n0": None}}, "node 'n0': reset must be"),
        ({"reset": {"*": "half"}}, "reset must be"),
        ({"max_spikes": {"n0": 3}}, "node 'n0': max_spikes above 1 needs"),
        ({"clamp": {"n0": 1.0}}, "node 'n0': clamp must be"),
        ({"reset_delay": "LIF"}, "reset_delay must be True, False or a tuple"),
        ({"clamp": ("LI",)}, "clamp must be True, False, a number"),
        ({"clamp": 0.5}, "clamp must be True, False, a number <= 0"),
        ({"clamp": (("IF", 0.5),)}, "clamp must be True, False, a number <= 0"),
        ({"clamp": "IF"}, "clamp must be True, False, a number <= 0"),
        ({"max_spikes": 2}, "max_spikes must be 1 or 3"),
        ({"max_spikes": 3}, 'max_spikes above 1 needs reset="subtract"'),
        ({"signed": 1}, "signed must be False or True"),
        ({"signed": True, "restore": True}, "signed=True needs a reset that acts at once"),
        ({"input_delay": -1}, "input_delay must be 0..15"),
        ({"forward_delay": 1.5}, "forward_delay must be a number of steps"),
        ({"recurrent_delay": 0}, "recurrent_delay must be 1..15"),
        ({"leak": 1}, "leak: no such option of a dialect"),
        ({"name": "x"}, "name: no such option"),
        ({"gain": ["one"]}, "gain must be"),
        ({"reset_delay": (("LIF",),)}, "reset_delay must be True, False or a tuple"),
        ({"clamp": (["LIF"],)}, "clamp must be True, False, a number"),
        ({"fixed": 1}, "fixed must be a tuple of pairs"),
        ({"fixed": ("a",)}, "fixed must be a tuple of pairs"),
        ({"fixed": (("r", "1"),)}, "fixed must be a tuple of pairs"),
        ({"fixed": (("r", math.nan),)}, "fixed must be a tuple of pairs"),
        ({"fixed": ((1, 1.0),)}, "fixed must be a tuple of pairs"),
        ({"dt": 10**400}, "dt must be a positive number"),
        ({"dt": "1"}, "dt must be a positive number"),
    ],
)
def test_impossible_options(options: dict[str, Any], part: str) -> None:
    with pytest.raises(SpikeloomError, match=part.replace("(", r"\(")):
        resolve("nir", **options)


ANYTHING: list[Any] = [
    [], ["x"], {}, {"a": None}, {"n0": "zero"}, {"*": 1}, 1.5, -1, True, "x", b"x",
    np.int64(1), np.float32(1e-4), np.float64("nan"), np.inf, 10**400, np.array([1.0, 2.0]),
    np.array(1), np.array("zero"), np.array(None), object(), len, (1,), ((1,),), ("LIF",),
    (("LIF", 1),), (("LIF", -1.0),), set(), 1j, range(3), float,
]  # fmt: skip


@pytest.mark.parametrize("option", [field.name for field in dataclasses.fields(Dialect)])
@pytest.mark.filterwarnings("ignore::spikeloom.SpikeloomWarning")
def test_any_value_is_taken_or_refused_in_one_line(option: str) -> None:
    source = chain(make(nir.LIF))
    refusals = []
    for value in ANYTHING:
        options = {"dt": 1.0, option: value}
        try:
            load_nir(source, "snntorch", **options)
        except SpikeloomError as error:
            refusals.append(str(error))
        try:
            load_nir(source, Dialect(**{"name": "x"} | options))
        except SpikeloomError as error:
            refusals.append(str(error))
    assert len(refusals) > len(ANYTHING) // 2
    assert not [message for message in refusals if "\n" in message]
