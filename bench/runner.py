"""Clocks per second of the fast runner, beside empty C++ loops around the same model.

The reference is a minimal loop around a model in C++: a loop that feeds it words as it
takes them and looks at no output. It is in the same library as the runner's own loop, evaluates
with the same code, plays the same words, and runs the same number of clocks: both do the same
work but for what the runner adds, which is Python, storing packets with their clocks, and
knowing when to stop. A model in which nothing happens evaluates faster than a busy one, so such an
idle loop would be another model in effect; it is given for comparison, and so is the busy loop
through Verilator's own `eval`, which takes locks that the runner does without.

Runner and loops take turns, on the processor time of one thread; a figure is the median of its
turns, a ratio the median of the ratios within a turn.
"""

import ctypes
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bench.figure import Figure
from spikeloom.golden.host import host_words
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig
from spikeloom.golden.step.run import check_inputs
from spikeloom.mapping.plan import map_network
from spikeloom.sim.runner import Simulation

GOAL = 0.70
_SIZES = 784, 128, 10
_ACTIVE = 124 / 784
"""Input events of an axon and step: about 124 in all, as with MNIST."""
_SAMPLES = 500
_TURNS = 15


def measure(_data: Path) -> Iterator[Figure]:
    """Measure; needs no data."""
    config = FabricConfig()
    network = _network(config)
    image = map_network(network, config, frozenset({"out"}), frozenset({"out"}))
    rng = np.random.default_rng(1)
    inputs = check_inputs(network, rng.random((_SAMPLES, 1, _SIZES[0])) < _ACTIVE)
    words = np.concatenate(host_words(image, inputs))
    padded = np.append(words, np.uint64(0))
    extra = Path(__file__).with_name("empty_loop.cpp").read_text(encoding="utf-8")
    with Simulation(config, extra=extra) as simulation:
        simulation.load(image)
        clocks = int(simulation.run(words)[0][-1]) + 1
        feed = simulation.handle, padded.ctypes.data, len(words), clocks
        compiled = simulation.compiled
        for loop in (compiled.empty_busy, compiled.empty_eval):
            loop.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64]
        compiled.empty_idle.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
        loops: dict[str, Callable[[], object]] = {
            "runner": lambda: simulation.run(words),
            "busy": lambda: compiled.empty_busy(*feed),
            "eval": lambda: compiled.empty_eval(*feed),
            "idle": lambda: compiled.empty_idle(simulation.handle, clocks),
        }
        turns: list[dict[str, float]] = []
        for _ in range(_TURNS):
            turns.append({name: clocks / _seconds(loop) for name, loop in loops.items()})
    speed = {name: statistics.median(turn[name] for turn in turns) for name in loops}

    def ratio(name: str) -> float:
        return statistics.median(turn["runner"] / turn[name] for turn in turns)

    def against(loop: str, name: str, reference: str, goal: float | None) -> Figure:
        return Figure(name, ratio(loop), "of clocks/s", goal, False, reference, speed[loop])

    yield Figure("runner.clocks_per_second", speed["runner"], "clocks/s")
    yield against(
        "busy", "runner.over_empty_loop", "same model and work in an empty C++ loop", GOAL
    )
    yield against("eval", "runner.over_empty_eval_loop", "same, with Verilator's own eval()", None)
    yield against("idle", "runner.over_idle_loop", "idle model in an empty C++ loop", None)


def _network(config: FabricConfig) -> Network:
    rng = np.random.default_rng(0)
    inputs, hidden, outputs = _SIZES
    return Network(
        (Input("in", inputs),),
        (
            Population("hidden", hidden, np.zeros(hidden, np.int64), 0, threshold=300),
            Population("out", outputs, np.zeros(outputs, np.int64), 1, threshold=100),
        ),
        (
            Connection("in", "hidden", rng.integers(-32, 33, (inputs, hidden))),
            Connection("hidden", "out", rng.integers(-32, 33, (hidden, outputs))),
        ),
        config.weight_bits,
        config.state_bits,
        config.sum_bits,
    )


def _seconds(loop: Callable[[], object]) -> float:
    before = time.thread_time()
    loop()
    return time.thread_time() - before
