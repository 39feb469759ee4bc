"""The netlist after synthesis learns what the golden model learns: a kernel and a matrix."""

import numpy as np
import pytest
from locking import one_at_a_time

import spikeloom
from spikeloom.golden.convolution import Convolution
from spikeloom.golden.learning import SPIKED, Rule, Term, Trace
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Factor
from spikeloom.golden.step.run import simulate
from spikeloom.sim.netlist import netlist

FIELDS = {"lanes": 2, "neurons": 16, "weight_words": 32, "slots": 2, "populations": 2}
FIELDS |= {"connections": 2, "targets": 4, "queue": 8, "plastic_axons": 16, "stamp_bits": 8}
STDP = Rule(
    (
        Term(Factor.PRE_TRACE, Factor.ABOVE, post=SPIKED),
        Term(Factor.CONSTANT, Factor.BELOW, pre=SPIKED, constant=25, negative=True),
    ),
    (-8, 7),
    shift=8,
    rounding="stochastic",
    pre=Trace.exponential(3.0, 200),
)


@pytest.mark.soak
def test_a_netlist_learns() -> None:
    rng = np.random.default_rng(4)
    network = Network(
        (Input("in", 4, image=(1, 2, 2)), Input("more", 4)),
        (
            Population("map", 6, np.full(6, 4), threshold=5, image=(3, 2, 1)),
            Population("flat", 4, np.full(4, 5), threshold=9, decay=400),
        ),
        (
            Convolution("in", "map", rng.integers(-3, 7, (3, 1, 1, 2)), plasticity=STDP),
            Connection("more", "flat", rng.integers(-3, 7, (4, 4)), plasticity=STDP),
        ),
        weight_bits=4,
        sum_bits=16,
        seed=2,
    )
    program = spikeloom.compile(network, FIELDS)
    with one_at_a_time("netlist"):
        cells = netlist(program.fabric)
    assert "SB_LUT4" in cells
    events = {name: rng.random((5, 8, 4)) < 0.5 for name in ("in", "more")}
    expected = simulate(network, events, learn=True)
    with spikeloom.open(program, "netlist") as device:
        run = device.run(events, learn=True)
        assert run.weight_updates == expected.updates > 50
        for number, key in enumerate(("in->map", "more->flat")):
            np.testing.assert_array_equal(device.weights[key], expected.weights[number])
            assert (device.weights[key] != network.connections[number].weights).any()
        for name in ("map", "flat"):
            np.testing.assert_array_equal(run.spikes[name], expected.spikes[name])
