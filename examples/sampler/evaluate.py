"""How far the sampled distribution is from the exact one: `python -m examples.sampler.evaluate`."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

import spikeloom
from examples.sampler import Machine, divergence, states
from spikeloom.compare import compare
from spikeloom.golden.step.run import simulate

NEURONS, MACHINES = 5, 5
SAMPLES, STEPS, BURN_IN = 200, 1000, 100
"""Chains, their steps, and those that are left out because a chain begins with zeros."""
TAUS = 4, 8
"""Steps in which a neuron stands for 1, where all are updated at once."""
IN_RTL = 3, 300
"""Samples and steps that the RTL runs."""


def no_input(samples: int, steps: int) -> dict[str, NDArray[np.uint8]]:
    """So many steps without an event."""
    return {"steps": np.zeros((samples, steps, 1), np.uint8)}


def sampled(machine: Machine, together: bool = False) -> float:
    """The divergence of a machine, in the golden model."""
    run = simulate(machine.network(1, together), no_input(SAMPLES, STEPS))
    return divergence(states(run.spikes, machine.tau)[:, BURN_IN:], machine.exact())


def described(tau: int, together: bool) -> str:
    """How long neurons are refractory, and the divergences of all machines."""
    machines = (Machine.random(NEURONS, seed, tau) for seed in range(MACHINES))
    each = ", ".join(f"{sampled(machine, together):.4f}" for machine in machines)
    return f"refractory for {tau - 1} steps: KL to the exact distribution {each}"


def measure() -> Iterator[str]:
    """What this shows, line by line."""
    yield (
        f"{MACHINES} machines of {NEURONS} neurons, {SAMPLES * (STEPS - BURN_IN):,} states each, "
        f"{described(TAUS[0], together=False)}"
    )
    for tau in TAUS:
        yield f"all neurons at once, {described(tau, together=True)}"
    for tau, together in ((TAUS[0], False), (TAUS[1], True)):
        program = spikeloom.compile(Machine.random(NEURONS, 0, tau).network(1, together))
        result = compare(program, no_input(*IN_RTL))
        yield (
            f"RTL, {IN_RTL[0]} chains of {IN_RTL[1]} steps, {'all at once, ' * together}refractory "
            f"for {tau - 1}: {result.mismatches} differences"
        )


if __name__ == "__main__":
    for measured in measure():
        print(measured, flush=True)
