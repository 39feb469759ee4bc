"""Signed spikes of an imported node: the float reference, its integers, and the room for sums."""

import nir
import numpy as np

import spikeloom
from spikeloom.golden.step.run import simulate
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.importer.load import load_nir
from spikeloom.quantise.ranges import step_sums


def test_the_option_signed() -> None:
    one = np.ones(2)
    graph = nir.NIRGraph.from_list(
        nir.Linear(np.array([[7.0, -4.0], [-5.0, 6.0]])),
        nir.IF(r=one, v_threshold=4 * one, v_reset=0 * one),
        nir.Linear(np.array([[3.0, 2.0]])),
        nir.IF(r=one[:1], v_threshold=5 * one[:1], v_reset=0 * one[:1]),
    )
    net = load_nir(
        graph,
        dt=1.0,
        reset="subtract",
        max_spikes={"if": 7, "if_1": 1},
        signed={"if": True, "if_1": False},
        compare=">=",
    )
    first, second = net.populations
    assert (first.signed, second.signed) == (True, False)
    low, high, _ = step_sums(net, second, 1)
    assert (low.tolist(), high.tolist()) == ([-35.0], [35.0])
    events = np.random.default_rng(1).random((3, 20, 2)) < 0.5
    floats = simulate_float(net, events)
    program = spikeloom.compile(net)
    assert program.fabric.signed_spikes
    integers = simulate(program.network, events)
    for name in (first.name, second.name):
        assert np.array_equal(floats.spikes[name], integers.spikes[name])
    assert floats.spikes[first.name].dtype == np.int8
    assert floats.spikes[first.name].min() < -1 < 1 < floats.spikes[first.name].max()
