"""Thousands of broken graphs: each is imported as it stands or refused in one line, in no time."""

import graphlib
import random
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from nir_graphs import conv1d, conv2d, graph, make, pool
from nir_interpreter import NEURONS, Interpreter

from spikeloom.golden.errors import SpikeloomError
from spikeloom.importer.dialects import DIALECTS
from spikeloom.importer.float_network import FloatNetwork
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.importer.graph import Wiring, wiring
from spikeloom.importer.load import load_nir

GRAPHS, PARTS = 2000, 20


def parts(count: int, quick: int) -> list[Any]:
    """Numbers of parts, those from `quick` on for `make soak` alone."""
    return [pytest.param(n, marks=() if n < quick else pytest.mark.soak) for n in range(count)]


VALUES = [
    np.nan, np.inf, -np.inf, 0.0, -1.0, 1e308, 5e-324, None, "x", b"x", [], {}, object(), 1j,
    True, np.zeros(0), np.ones(2), np.ones((2, 2)), np.ones((1, 1, 1)), np.array("x"),
    np.array([None]), [[1], [1, 2]], {"input": 3}, {"output": None}, np.array([-1]),
    np.array([2.5]), {"input": np.array([10**12])}, 2, 3, 10**12, (1, 2), (2, 2, 2), "same",
    "valid", np.array([3, 1]),
]  # fmt: skip


def whole_graph() -> nir.NIRGraph:
    """Every kind of node, nested, with a loop."""
    rng = np.random.default_rng(1)
    recurrent = graph(
        {
            "input": nir.Input(np.array([5])),
            "cuba": make(nir.CubaLIF, 5, v_leak=0.1, v_threshold=0.6),
            "w_rec": nir.Linear(rng.normal(size=(5, 5))),
            "output": nir.Output(np.array([5])),
        },
        [("input", "cuba"), ("cuba", "w_rec"), ("w_rec", "cuba"), ("cuba", "output")],
    )
    return graph(
        {
            "image": nir.Input(np.array([2, 6, 7])),
            "conv": conv2d(
                rng.normal(size=(3, 2, 2, 3)),
                rng.normal(size=3),
                padding="same",
                input_shape=(6, 7),
            ),
            "gain": nir.Scale(np.broadcast_to(rng.normal(size=(3, 1, 1)), (3, 6, 7)).copy()),
            "first": make(nir.LIF, (3, 6, 7), v_reset=-0.5),
            "sum": pool(nir.SumPool2d, (2, 2)),
            "second conv": conv2d(
                rng.normal(size=(4, 3, 2, 2)), stride=(1, 2), padding=1, input_shape=(3, 3)
            ),
            "average": pool(nir.AvgPool2d, (2, 2)),
            "second": make(nir.IF, (4, 2, 1), v_threshold=0.3),
            "flat": nir.Flatten(np.array([4, 2, 1]), 0, -1),
            "dense": nir.Affine(rng.normal(size=(5, 8)), rng.normal(size=5)),
            "rec": recurrent,
            "late": make(nir.Delay, 5),
            "read": make(nir.LI, 5, v_leak=0.5),
            "sequence": nir.Input(np.array([2, 8])),
            "conv1": conv1d(
                rng.normal(size=(4, 1, 3)),
                rng.normal(size=4),
                groups=2,
                padding=1,
                input_shape=8,
            ),
            "above": make(nir.Threshold, (4, 8), threshold=rng.normal(size=(4, 8))),
            "flat1": nir.Flatten(np.array([4, 8]), 0, -1),
            "dense1": nir.Linear(rng.normal(size=(5, 32))),
            "total": make(nir.I, 5),
            "synapse": make(nir.CubaLI, 5),
            "out": nir.Output(np.array([5])),
            "out1": nir.Output(np.array([5])),
            "out2": nir.Output(np.array([5])),
        },
        [
            ("image", "conv"), ("conv", "gain"), ("gain", "first"), ("first", "sum"),
            ("sum", "second conv"), ("second conv", "average"), ("average", "second"),
            ("second", "flat"), ("flat", "dense"), ("dense", "rec"), ("rec", "late"),
            ("late", "read"), ("read", "out"), ("sequence", "conv1"), ("conv1", "above"),
            ("above", "flat1"), ("flat1", "dense1"), ("dense1", "rec"), ("dense1", "total"),
            ("total", "out1"), ("rec", "synapse"), ("synapse", "out2"),
        ],
    )  # fmt: skip


OTHERS = [
    lambda: make(nir.LIF, 5), lambda: make(nir.LI, 3), lambda: make(nir.Threshold, 5), whole_graph,
    lambda: make(nir.Delay, 5), lambda: make(nir.LIF), lambda: nir.Scale(np.array(2.0)),
    lambda: None, lambda: "node", lambda: 3,
]  # fmt: skip


def mutate(network: nir.NIRGraph, rng: random.Random) -> None:
    """Break one thing, most of the time."""
    names = sorted(network.nodes, key=str)
    name = rng.choice(names)
    node = network.nodes[name]
    if isinstance(node, nir.NIRGraph) and isinstance(node.nodes, dict) and rng.random() < 0.8:
        mutate(node, rng)
        return
    kind = rng.randrange(20)
    if kind == 0:
        del network.nodes[name]
    elif kind == 1 and network.edges:
        network.edges.remove(rng.choice(network.edges))
    elif kind == 2:
        network.edges.append((rng.choice(names), rng.choice(names)))
    elif kind == 3 and network.edges:
        network.edges[rng.randrange(len(network.edges))] = rng.choice(
            [(name, "lost"), (name,), None, (name, 3), (name, "")]
        )
    elif kind == 4:
        network.nodes[name] = rng.choice(OTHERS)()
    elif kind == 5:
        network.nodes[rng.choice([3, None, ("a",), "again", ""])] = node
    else:
        attributes = [a for a in getattr(node, "__dict__", ()) if a != "metadata"]
        if not attributes:
            return
        attribute = rng.choice(attributes)
        old = getattr(node, attribute)
        value = rng.choice(VALUES)
        if rng.random() < 0.6 and isinstance(old, np.ndarray) and old.size:
            changed = np.array(old, np.float64)
            if isinstance(value, float):
                changed.flat[rng.randrange(changed.size)] = value
            elif rng.random() < 0.5:
                changed *= rng.choice([0.5, 2.0, -1.0, 0.0])
            else:
                changed = changed[..., :-1]
            value = changed
        setattr(node, attribute, value)


def check_meaning(flat: Wiring, loaded: FloatNetwork) -> bool:
    """Whether the import was compared with the graph, which has other loops than it can run."""
    before: dict[str, set[str]] = {population.name: set() for population in loaded.populations}
    for connection in loaded.connections:
        if connection.source in before and connection.source != connection.target:
            before[connection.target].add(connection.source)
    try:
        order = list(graphlib.TopologicalSorter(before).static_order())
    except graphlib.CycleError:
        return False
    rng = np.random.default_rng(3)
    events = {
        name: (rng.random((8, *flat.nodes[name].input_type["input"])) < 0.5).astype(float)
        for name in (node.name for node in loaded.inputs)
    }
    expected = Interpreter(flat.nodes, flat.sources, order).run(events)
    run = simulate_float(loaded, {name: x.reshape(8, -1) for name, x in events.items()})
    for name, spikes in run.spikes.items():
        assert np.array_equal(spikes[0], expected[name]), name
    return True


def import_or_refuse(source: Any, **options: Any) -> FloatNetwork | str:
    try:
        return load_nir(source, **options)
    except SpikeloomError as error:
        message = str(error)
    assert "\n" not in message
    named = "graph", "node ", "nodes ", "edge ", "file ", "population ", "connection "
    assert message.startswith((*named, str(source)))
    with pytest.raises(SpikeloomError) as again:
        load_nir(source, **options)
    assert str(again.value) == message
    return message


@pytest.mark.parametrize("part", parts(PARTS, quick=3))
@pytest.mark.filterwarnings("error", "ignore::spikeloom.SpikeloomWarning")
def test_mutated_graphs_are_imported_or_refused(part: int) -> None:
    outcomes = {"refused": 0, "imported": 0, "compared": 0}
    for seed in range(part * GRAPHS // PARTS, (part + 1) * GRAPHS // PARTS):
        rng = random.Random(seed)
        network = whole_graph()
        for _ in range(rng.choice([1, 1, 2])):
            mutate(network, rng)
        dialect = rng.choice(["nir", "nir", *DIALECTS])
        loaded = import_or_refuse(network, dialect=dialect, dt=1.0, fixed=())
        if isinstance(loaded, str):
            outcomes["refused"] += 1
            continue
        outcomes["imported"] += 1
        if dialect == "nir":
            outcomes["compared"] += check_meaning(wiring(network), loaded)
    assert min(outcomes.values()) >= 3, outcomes


def test_the_graph_that_is_mutated_is_a_good_one() -> None:
    network = whole_graph()
    loaded = load_nir(network, dt=1.0)
    kinds = {type(node) for node in wiring(network).nodes.values()}
    assert kinds >= set(NEURONS)
    assert len(loaded.populations) == 7
    assert check_meaning(wiring(network), loaded)
    events = {node.name: np.ones((20, node.size)) for node in loaded.inputs}
    assert all(spikes.any() for spikes in simulate_float(loaded, events).spikes.values())


@pytest.mark.parametrize("part", parts(10, quick=2))
def test_mutated_files_are_imported_or_refused(part: int, tmp_path: Path) -> None:
    good, path = tmp_path / "good.nir", tmp_path / "mutated.nir"
    nir.write(good, whole_graph())
    content = good.read_bytes()
    for seed in range(10 * part, 10 * (part + 1)):
        rng = random.Random(seed)
        path.write_bytes(content)
        with h5py.File(path, "a") as file:
            places: list[str] = []
            file.visit(places.append)
            place = rng.choice(places)
            del file[place]
            value = rng.choice([None, np.nan, "Affine", "NIRGraph", b"\xff", np.ones(3)])
            if value is not None:
                file[place] = value
        import_or_refuse(path, dt=1.0)
        path.write_bytes(content[: rng.randrange(len(content))])
        assert "mutated.nir" in str(import_or_refuse(path, dt=1.0))
        flipped = bytearray(content)
        flipped[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        import_or_refuse(path, dt=1.0)
