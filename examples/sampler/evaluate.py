"""How far the sampled distribution is from the exact one: `python -m examples.sampler.evaluate`."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

import spikeloom
from examples.sampler import TAU, Machine, divergence, states
from spikeloom.compare import compare
from spikeloom.golden.step.run import simulate

NEURONS, MACHINES = 5, 5
SAMPLES, STEPS, BURN_IN = 200, 1000, 100
"""Chains, their steps, and those that are left out because a chain begins with zeros."""
IN_RTL = 3, 300
"""Samples and steps that the RTL runs."""


def no_input(samples: int, steps: int) -> dict[str, NDArray[np.uint8]]:
    """So many steps without an event."""
    return {"steps": np.zeros((samples, steps, 1), np.uint8)}


def sampled(machine: Machine, together: bool = False) -> float:
    """The divergence of a machine, in the golden model."""
    run = simulate(machine.network(1, together), no_input(SAMPLES, STEPS))
    return divergence(states(run.spikes)[:, BURN_IN:], machine.exact())


def measure() -> Iterator[str]:
    """What this shows, line by line."""
    machines = [Machine.random(NEURONS, seed) for seed in range(MACHINES)]
    each = [sampled(machine) for machine in machines]
    yield (
        f"{MACHINES} machines of {NEURONS} neurons, {SAMPLES * (STEPS - BURN_IN):,} states each, "
        f"refractory for {TAU - 1} steps: KL to the exact distribution "
        f"{', '.join(f'{value:.4f}' for value in each)}"
    )
    together = [sampled(machine, together=True) for machine in machines]
    yield f"all neurons at once: KL {', '.join(f'{value:.4f}' for value in together)}"
    program = spikeloom.compile(machines[0].network(1))
    result = compare(program, no_input(*IN_RTL))
    yield f"RTL, {IN_RTL[0]} chains of {IN_RTL[1]} steps: {result.mismatches} differences"


if __name__ == "__main__":
    for measured in measure():
        print(measured, flush=True)
