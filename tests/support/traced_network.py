"""A small network with synaptic currents, and its state after every step in plain integers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Reset

THRESHOLD, DECAY, SYNAPTIC_DECAY = 40, 300, 900
SUM_DECAY = 100


def traced_network() -> Network:
    """Two populations: "hidden" has synaptic currents and a loop, "sum" neither spikes nor has
    currents."""
    rng = np.random.default_rng(11)
    return Network(
        (Input("in", 6, max_count=2),),
        (
            Population(
                "hidden",
                9,
                rng.integers(-3, 4, 9),
                decay=DECAY,
                threshold=THRESHOLD,
                reset=Reset.SUBTRACT,
                synaptic_decay=SYNAPTIC_DECAY,
            ),
            Population("sum", 3, rng.integers(-5, 6, 3), phase=1, decay=SUM_DECAY, spiking=False),
        ),
        (
            Connection("in", "hidden", rng.integers(-20, 40, (6, 9))),
            Connection("hidden", "hidden", rng.integers(-30, 20, (9, 9)), 1),
            Connection("hidden", "sum", rng.integers(-50, 50, (9, 3))),
        ),
    )


def traced_events(samples: int = 3, steps: int = 7) -> NDArray[np.uint8]:
    """Events of its input."""
    return np.random.default_rng(12).integers(0, 3, (samples, steps, 6)).astype(np.uint8)


def plain_states(network: Network, events: NDArray[np.uint8]) -> dict[str, NDArray[np.int64]]:
    """The "hidden", "current" and "sum" of every sample and step, (samples, steps, size)."""
    into, loop, out = (connection.weights for connection in network.connections)
    hidden, total = network.populations

    def kept(x: Any, decay: int) -> Any:
        return np.sign(x) * (abs(x) * (4096 - decay) // 4096)

    def saturated(x: Any) -> Any:
        return np.clip(x, -(1 << 15), (1 << 15) - 1)

    states: dict[str, list[Any]] = {"hidden": [], "current": [], "sum": []}
    for sample in events.astype(np.int64):
        v, i, spiked = (np.zeros(9, np.int64) for _ in range(3))
        w = np.zeros(3, np.int64)
        for arriving in sample:
            i = saturated(kept(i, SYNAPTIC_DECAY) + arriving @ into + spiked @ loop + hidden.bias)
            v = saturated(kept(v, DECAY) + i)
            spiked = (v > THRESHOLD).astype(np.int64)
            v = saturated(v - THRESHOLD * spiked)
            w = saturated(kept(w, SUM_DECAY) + spiked @ out + total.bias)
            for name, value in (("hidden", v), ("current", i), ("sum", w)):
                states[name].append(value)
    shape = events.shape[:2]
    return {name: np.array(rows).reshape(*shape, -1) for name, rows in states.items()}
