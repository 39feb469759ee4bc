"""Rules with filtered eligibilities do what their equations say, on average over many synapses."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.learning import Rule, e_prop, super_spike
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.step.run import simulate

STEPS, COPIES = 60, 500
PRE = (3, 5, 20)
"""When the source spikes."""


def mean_change(rule: Rule, error: NDArray[np.int64], steps: int = STEPS, bits: int = 8) -> float:
    """The mean change of weights of 0 from one source, with this error in each step.

    The target's potential is a hundred times the number of the step, but for the source's spikes.
    """
    zeros = np.zeros(COPIES, np.int64)
    units = np.ones((1, COPIES), np.int64)
    network = Network(
        (Input("pre", 1), Input("step", 1), Input("up", 1, max_count=255)),
        (
            Population("p", COPIES, zeros, spiking=False),
            Population("e", COPIES, zeros, decay=4096, spiking=False),
        ),
        (
            Connection("pre", "p", 0 * units, plasticity=rule),
            Connection("step", "p", 100 % (1 << (bits - 1)) * units),
            Connection("up", "e", units),
        ),
        weight_bits=bits,
        seed=4,
    )
    events = {name: np.zeros((1, steps, 1), np.int64) for name in ("pre", "step", "up")}
    events["pre"][0, PRE] = 1
    events["step"][0, 1:] = 1
    events["up"][0, :, 0] = error
    return float(simulate(network, events, learn=True).weights[0].mean())


def expected(
    error: NDArray[np.int64], tau: float, tau_filter: float, window: tuple[int, int] | None
) -> float:
    """The sum of error * e, by the equation."""
    x = e = total = 0.0
    for step in range(STEPS):
        x = x * np.exp(-1 / tau) + (step in PRE)
        inside = window is None or window[0] <= 100 * step <= window[1]
        e += (1 - np.exp(-1 / tau_filter)) * (x * inside - e)
        total += float(error[step]) * e
    return total


ERRORS = {
    "always": np.full(STEPS, 100),
    "late": np.where(np.arange(STEPS) > 35, 200, 0),
    "once": np.where(np.arange(STEPS) == 30, 255, 0),
}


@pytest.mark.parametrize("window", [None, (-50, 1250), (1950, 2550)])
@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("taus", [(5, 10), (8, 4), (10, 40)])
def test_each_synapse_learns_by_the_filtered_product(
    name: str, window: tuple[int, int] | None, taus: tuple[float, float]
) -> None:
    error = ERRORS[name]
    rate = 0.0078
    total = expected(error, *taus, window)
    for rule in (
        super_spike("e", window, (-128, 127), rate, *taus),
        e_prop("e", window, (-128, 127), rate, taus[0], tau_readout=taus[1]),
    ):
        change = mean_change(rule, error)
        assert change == pytest.approx(-rate * total, rel=0.1, abs=0.15)


def test_an_error_that_comes_late_finds_what_was_in_the_window() -> None:
    """The factored form has forgotten the window; the eligibility has it."""
    late, window = ERRORS["late"], (-50, 1250)
    factored = mean_change(e_prop("e", window, (-128, 127), 0.0078, 10), late)
    filtered = mean_change(e_prop("e", window, (-128, 127), 0.0078, 10, tau_readout=20), late)
    assert factored == 0
    assert filtered < -0.5


@pytest.mark.parametrize(("bits", "most"), [(8, 127), (4, 7)])
def test_an_eligibility_decays_to_nothing(bits: int, most: int) -> None:
    """So an error long after the spikes changes nothing: stochastic rounding has no rest."""
    bounds = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    rule = super_spike("e", None, bounds, 0.0078, 5, 6, most=most)
    at_the_end = np.where(np.arange(150) > 140, 255, 0)
    assert mean_change(rule, at_the_end, 150, bits) == 0
    soon = np.where(np.arange(150) == 22, 255, 0)
    assert mean_change(rule, soon, 150, bits) < 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rate": 40}, r"^super_spike: rate must be 0\.\.32, not 40$"),
        ({"rate": 1e-6}, "rate must be 0 or at least .*, not 1e-06"),
        ({"tau_filter": 1e5}, r"^super_spike: tau of the filter must be 0\.\.8191, not 100000"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any], message: str) -> None:
    fields = {"rate": 0.1, "tau": 5.0, "tau_filter": 10.0} | given
    with pytest.raises(SpikeloomError, match=message):
        super_spike("e", None, (-99, 99), **fields)


def test_the_eligibility_has_a_rule_of_its_own() -> None:
    rule = super_spike("e", (3, 9), (-99, 99), 0.01, 5, 10)
    assert rule.eligibility is not None
    assert rule.eligibility.bounds == (0, 127)
    assert rule == e_prop("e", (3, 9), (-99, 99), 0.01, 5, tau_readout=10)
    assert dataclasses.replace(rule, eligibility=None).in_order[0].pre is None
