"""The step-level model against one synapse and one neuron at a time, in plain integers.

Random networks with every option of the update and of a connection: convolutions, loops, delays,
several spikes in a step, potentials at both rails.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_convolution import convolutions, naive_matrix, naive_shape
from numpy.typing import NDArray

from spikeloom.golden.convolution import Convolution, ImageShape
from spikeloom.golden.network import AnyConnection, Connection, Input, Network, Population
from spikeloom.golden.sparse import OneToOne, SparseConnection
from spikeloom.golden.spec import SPIKES_PER_STEP, Reset
from spikeloom.golden.step import batch, run
from spikeloom.golden.step.batch import firing_groups
from spikeloom.golden.step.run import Run, simulate

Values = NDArray[np.int64]


def truncated(x: int, k: int) -> int:
    kept = abs(x) * (4096 - k) // 4096
    return kept if x >= 0 else -kept


def clipped(x: int, bits: int) -> int:
    return max(-(1 << (bits - 1)), min((1 << (bits - 1)) - 1, x))


def plain_update(p: Population, n: int, v: int, i: int, x: int, bits: int) -> tuple[int, int, int]:
    """Spikes, potential and synaptic current of neuron `n`."""

    def reaches(u: int, count: int) -> bool:
        return u > count * p.threshold or (p.inclusive and u == count * p.threshold)

    subtrahend = p.threshold if p.subtrahend is None else p.subtrahend
    drive = x
    if p.synaptic_decay is not None:
        i = clipped(truncated(i, p.synaptic_decay) + x, bits)
        drive = i + (0 if p.leak is None else int(p.leak[n]))
    late = p.spiking and p.delayed_reset and reaches(v, 1)
    if late and p.reset is Reset.SUBTRACT:
        drive -= subtrahend
    u = clipped(truncated(v, p.decay) + drive, bits)
    if late and p.reset is Reset.VALUE:
        u = p.v_reset
    if p.v_min is not None:
        u = max(u, p.v_min)
    spikes = 0
    while p.spiking and spikes < p.max_spikes and reaches(u, spikes + 1):
        spikes += 1
    if spikes and not p.delayed_reset and p.reset is Reset.VALUE:
        u = p.v_reset
    if spikes and not p.delayed_reset and p.reset is Reset.SUBTRACT:
        u = clipped(u - spikes * subtrahend, bits)
    return spikes, u, i


def plain_run(
    net: Network, counts: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Spikes, potentials and synaptic operations of one sample."""
    steps = len(next(iter(counts.values())))
    sent = {node.name: counts[node.name].astype(np.int64) for node in net.inputs}
    sent |= {p.name: np.zeros((steps, p.size), np.int64) for p in net.populations}
    v = {p.name: [p.shared("v_init")] * p.size for p in net.populations}
    i = {p.name: [0] * p.size for p in net.populations}
    matrices: list[tuple[Values, Values]] = []
    for c in net.connections:
        if isinstance(c, Convolution):
            image = net.image(c.source)
            assert image is not None
            matrices.append(naive_matrix(c, image))
        elif isinstance(c, SparseConnection):
            sparse = np.zeros((net.size(c.source), net.size(c.target)), np.int64)
            exists = np.zeros_like(sparse)
            for n, (start, stop) in enumerate(itertools.pairwise(c.starts)):
                sparse[n, c.targets[start:stop]] = c.weights[start:stop]
                exists[n, c.targets[start:stop]] = 1
            matrices.append((sparse, exists.sum(axis=1)))
        elif isinstance(c, OneToOne):
            matrices.append((np.diag(c.weights), np.ones(len(c.weights), np.int64)))
        else:
            matrices.append((c.weights, np.full(len(c.weights), c.weights.shape[1])))
    operations = 0
    for t in range(steps):
        for p in sorted(net.populations, key=lambda p: p.phase):
            x = p.bias.copy()
            for c, (matrix, synapses) in zip(net.connections, matrices, strict=True):
                if c.target == p.name and t >= c.delay:
                    arriving = sent[c.source][t - c.delay]
                    x += (arriving @ matrix) << (net.weight_bits * c.high)
                    operations += int(arriving @ synapses)
            for n in range(p.size):
                sent[p.name][t, n], v[p.name][n], i[p.name][n] = plain_update(
                    p, n, v[p.name][n], i[p.name][n], int(x[n]), net.state_bits
                )
    return {p.name: sent[p.name] for p in net.populations if p.spiking}, v, operations


def options(rng: np.random.Generator, size: int, top: int) -> dict[str, Any]:
    """Of a population: any that go together."""

    def potential() -> int:
        rails = (-top, 1 - top, top - 2, top - 1)
        return int(rng.choice(rails) if rng.random() < 0.2 else rng.integers(-40, 41))

    several = int(rng.choice(SPIKES_PER_STEP)) if rng.random() < 0.3 else 1
    synaptic = rng.random() < 0.4
    return {
        "bias": rng.integers(-20, 30, size),
        "decay": int(rng.choice([0, 1, 205, 2048, 4095, 4096])),
        "threshold": int(rng.integers(1, 40)) if several > 1 else potential(),
        "inclusive": bool(rng.integers(2)),
        "spiking": rng.random() < 0.9,
        "reset": Reset(int(rng.integers(3))),
        "v_reset": potential(),
        "v_init": potential(),
        "synaptic_decay": int(rng.choice([0, 1000, 4096])) if synaptic else None,
        "leak": rng.integers(-top, top, size) if synaptic and rng.random() < 0.5 else None,
        "subtrahend": potential() if several == 1 and rng.random() < 0.3 else None,
        "delayed_reset": several == 1 and rng.random() < 0.3,
        "v_min": potential() if rng.random() < 0.3 else None,
        "max_spikes": several,
    }


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """An input, a convolution of it, and populations that drive each other in loops."""
    convolution, image = draw(convolutions())
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    state_bits = int(rng.choice([8, 16, 19, 20, 24]))
    maps: ImageShape = naive_shape(convolution, image)
    sizes = {"a": int(np.prod(maps))} | {name: int(rng.integers(1, 5)) for name in "bcd"}
    phases = dict(zip("abcd", rng.permutation(4), strict=True))
    if rng.random() < 0.3:
        phases = dict.fromkeys("abcd", 0)
    populations = [
        Population(
            name,
            size,
            phase=int(phases[name]),
            image=maps if name == "a" else None,
            **options(rng, size, 1 << (state_bits - 1)),
        )
        for name, size in sizes.items()
    ]
    several = int(rng.choice([1, 3]))
    inputs = (Input("in", int(np.prod(image)), several, image),)
    connections: list[AnyConnection] = [
        Convolution(
            **{
                **{f: getattr(convolution, f) for f in Convolution.__dataclass_fields__},
                "delay": int(rng.integers(0, 3)),
                "high": bool(rng.integers(2)),
            }
        )
    ]
    for _ in range(int(rng.integers(2, 7))):
        source, target = rng.choice(["in", *"abcd"]), rng.choice([*"abcd"])
        before = source == "in" or phases[source] < phases[target]
        rows = inputs[0].size if source == "in" else sizes[source]
        weights = rng.integers(-8, 8, (rows, sizes[target]))
        delay = int(rng.integers(0 if before else 1, 5))
        high = bool(rng.random() < 0.2)
        joined: AnyConnection = Connection(str(source), str(target), weights, delay, high)
        if rng.random() < 0.4:
            weights[rng.random(weights.shape) < rng.choice([0.2, 0.8, 1])] = 0
            joined = SparseConnection.from_matrix(str(source), str(target), weights, delay, high)
        elif rows == sizes[target]:
            joined = OneToOne(str(source), str(target), weights[0], delay, high)
        connections.append(joined)
    order = rng.permutation(4)
    return Network(
        inputs, tuple(populations[n] for n in order), tuple(connections), 4, state_bits, 28
    )


def equal(one: Run, other: Run) -> bool:
    return (
        one.spikes.keys() == other.spikes.keys()
        and all((one.spikes[name] == spikes).all() for name, spikes in other.spikes.items())
        and all((one.states[name] == states).all() for name, states in other.states.items())
        and bool((one.synops == other.synops).all())
    )


@settings(deadline=None, max_examples=150)
@given(networks(), st.integers(0, 1 << 30), st.sampled_from([0.1, 0.5, 1]))
def test_every_option_is_that_of_plain_integers(net: Network, seed: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    shape = 3, 6, net.inputs[0].size
    counts = (rng.random(shape) < rate) * rng.integers(1, net.inputs[0].max_count + 1, shape)
    result = simulate(net, counts)
    for sample in range(3):
        spikes, v, operations = plain_run(net, {"in": counts[sample]})
        assert {n: s[sample].astype(int).tolist() for n, s in result.spikes.items()} == {
            name: s.tolist() for name, s in spikes.items()
        }
        assert {name: state[sample].tolist() for name, state in result.states.items()} == v
        assert result.synops[sample] == operations


@pytest.mark.parametrize("samples", [1, 2, 3, 7])
@pytest.mark.parametrize("workers", [2, 3, 8])
def test_threads_and_batches_change_nothing(
    monkeypatch: pytest.MonkeyPatch, samples: int, workers: int
) -> None:
    """Threads share batches, or the steps of a batch where there are fewer batches than threads."""
    rng = np.random.default_rng(samples)
    image, maps = (2, 7, 7), (4, 3, 3)
    kernel = rng.integers(-8, 8, (4, 2, 3, 3))
    populations = (
        Population("a", 36, np.zeros(36, np.int64), threshold=9, decay=300, image=maps),
        Population("b", 5, np.zeros(5, np.int64), phase=1, threshold=5, reset=Reset.SUBTRACT),
        Population("c", 3, np.zeros(3, np.int64), phase=2, spiking=False),
    )
    net = Network(
        (Input("in", 98, 1, image),),
        populations,
        (
            Convolution("in", "a", kernel, stride=(2, 2)),
            Connection("a", "b", rng.integers(-8, 8, (36, 5)), 2),
            Connection("b", "b", rng.integers(-8, 8, (5, 5)), 1),
            Connection("b", "c", rng.integers(-8, 8, (5, 3))),
        ),
    )
    events = rng.random((samples, 23, 98)) < 0.3
    expected = simulate(net, events, workers=1)
    assert expected.spikes["b"].any()
    monkeypatch.setattr(run, "THREADED", 0)
    monkeypatch.setattr(run, "SHARED", (0, 0))
    assert equal(simulate(net, events, workers=workers), expected)
    for elements in (1, 300, 2000):
        monkeypatch.setattr(batch, "ELEMENTS", elements)
        monkeypatch.setattr(run, "NEURONS", (1, elements))
        assert equal(simulate(net, events, workers=workers), expected)


def test_a_firing_group_is_a_loop_and_comes_after_those_that_drive_it() -> None:
    one = np.ones((1, 1), np.int64)
    populations = tuple(
        Population(name, 1, np.zeros(1, np.int64), phase=phase)
        for name, phase in [("d", 0), ("b", 1), ("c", 2), ("a", 0), ("e", 0)]
    )
    pairs = [("a", "b", 1), ("b", "c", 0), ("c", "b", 1), ("c", "d", 1), ("e", "e", 3)]
    net = Network(
        (Input("in", 1),), populations, tuple(Connection(s, t, one, d) for s, t, d in pairs)
    )
    groups = [[population.name for population in group] for group in firing_groups(net)]
    assert sorted(groups) == [["a"], ["b", "c"], ["d"], ["e"]]
    assert groups.index(["a"]) < groups.index(["b", "c"]) < groups.index(["d"])
