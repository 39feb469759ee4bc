"""A fabric with AXI learns: the host loads it, learns with it, and sees every weight."""

import dataclasses
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from cocotb_tools.runner import get_results
from locking import one_at_a_time
from random_networks import Counts
from soaked import all_but

import spikeloom
from spikeloom.golden.convolution import Convolution
from spikeloom.golden.fixed import Integers
from spikeloom.golden.host import decode_packets, host_words
from spikeloom.golden.learning import SPIKED, Rule, Term
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Factor, LoadTarget
from spikeloom.golden.step.run import Run, simulate
from spikeloom.sim import cache
from spikeloom.sim.cosim import process
from spikeloom.sim.verilator import build_bench
from spikeloom.sim.verilog import AXI_TOP, emit_axi

RULE = Rule(
    (
        Term(Factor.CONSTANT, Factor.ABOVE, pre=SPIKED, constant=90, window=(-200, 60)),
        Term(Factor.CONSTANT, Factor.WEIGHT, negative=True, constant=50),
    ),
    (-100, 100),
    shift=8,
    rounding="stochastic",
)
"""What it does depends on the potential of the target, on the weight, and on random numbers."""

SIZES = {"in": 18, "more": 5}


def network() -> Network:
    """A kernel and a matrix that learn, whose targets keep the sum of one step."""
    rng = np.random.default_rng(11)
    kernel, matrix = rng.integers(-50, 50, (3, 2, 2, 2)), rng.integers(-50, 50, (5, 6))
    forgets = {"spiking": False, "decay": 4096}
    return Network(
        (Input("in", 18, image=(2, 3, 3)), Input("more", 5)),
        (
            Population("map", 12, np.zeros(12, np.int64), image=(3, 2, 2), **forgets),
            Population("flat", 6, np.zeros(6, np.int64), **forgets),
        ),
        (
            Convolution("in", "map", kernel, plasticity=RULE),
            Connection("more", "flat", matrix, plasticity=RULE),
        ),
        seed=5,
    )


def each_alone() -> Counts:
    """A sample of one step for each axon: potentials are then its weights."""
    whole = np.eye(sum(SIZES.values()), dtype=np.uint8)[:, np.newaxis]
    return {"in": whole[:, :, : SIZES["in"]], "more": whole[:, :, SIZES["in"] :]}


def shown(image: MemoryImage, packets: list[int], counts: Counts) -> dict[str, Integers]:
    """The final potentials that a host heard."""
    heard = decode_packets(
        image,
        np.zeros(len(packets), np.uint64),
        np.array(packets, np.uint64),
        *counts["in"].shape[:2],
    )
    return heard.states


def same(states: dict[str, Integers], expected: Run) -> None:
    for name in ("map", "flat"):
        np.testing.assert_array_equal(states[name], expected.states[name])


@pytest.mark.parametrize("tiles", all_but({1}, (1, 2)))
def test_it_learns_over_axi(tiles: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    program = spikeloom.compile(network(), {"lanes": 2, "neurons": 64, "columns": tiles})
    config, still = program.fabric, program.image
    rng = np.random.default_rng(2)
    events = {n: (rng.random((3, 6, size)) < 0.4).astype(np.uint8) for n, size in SIZES.items()}
    probe = each_alone()
    registers = {LoadTarget.CONTROL, LoadTarget.LEARN}
    setup = {
        "config": config.to_json(),
        "seed": 3,
        "pauses": 0.3,
        "load": list(still.learning().load_words()),
        "words": np.concatenate(host_words(still.learning(), events)).tolist(),
        "still": [w for w in still.load_words() if config.load.unpack(w)["target"] in registers],
        "probe": np.concatenate(host_words(still, probe)).tolist(),
        "result": str(tmp_path / "result.json"),
    }
    (tmp_path / "setup.json").write_text(json.dumps(setup), encoding="utf-8")
    verilog = emit_axi(config)
    with one_at_a_time(cache.digest(verilog)):
        build = build_bench(verilog, AXI_TOP)
    output = process.simulate(build, tmp_path, AXI_TOP, "axi_learning_bench")
    (results,) = tmp_path.glob("*.xml")
    assert get_results(results) == (1, 0), output

    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    learned = simulate(program.network, events, learn=True)
    same(shown(still, result["learning"], events), learned)
    connections = tuple(
        dataclasses.replace(c, weights=learned.weights[n])
        for n, c in enumerate(program.network.connections)
    )
    expected = simulate(dataclasses.replace(program.network, connections=connections), probe)
    states = shown(still, result["probing"], probe)
    same(states, expected)
    before = simulate(program.network, probe)
    assert (states["map"] != before.states["map"]).any()
    assert (states["flat"] != before.states["flat"]).any()

    def total(counters: dict[str, int], name: str) -> int:
        return sum(counters[f"{name}.{tile}"] for tile in range(tiles))

    assert total(result["counters"], "updates") == learned.updates > 0
    assert total(result["after"], "updates") == learned.updates
    assert total(result["after"], "errors") == 0
