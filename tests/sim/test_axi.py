"""A fabric behind AXI: cocotbext-axi is the host, and the golden model says what it has to hear."""

import dataclasses
import json
import os
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cocotb_tools.runner import get_results
from locking import one_at_a_time
from random_networks import Counts, random_events
from soaked import all_but
from test_cosim import RECURRENT, network

from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.host import decode_packets, host_words
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.golden.step.run import simulate
from spikeloom.hdl.axi import axi_fabric, register_port, registers
from spikeloom.hdl.axi.registers import Register
from spikeloom.mapping.plan import map_network
from spikeloom.sim import cache
from spikeloom.sim.cosim import process
from spikeloom.sim.verilator import build_bench
from spikeloom.sim.verilog import AXI_TOP, emit_axi, generate_axi

PAGE = Path(__file__).resolve().parents[2] / "docs" / "integration.md"
TESTS = 6
SAMPLES, STEPS, SEED = 2, 5, 3

# One tile, and counters of two words; four tiles.
FABRICS = {
    "one tile": dataclasses.replace(RECURRENT, counter_bits=40),
    "mesh": dataclasses.replace(RECURRENT, columns=2, rows=2, routes=4),
}


def addresses(config: FabricConfig) -> Iterator[int]:
    """Of all registers, by the table of the page."""
    rows = re.findall(
        r"^\| `(0x[0-9A-F]{3})`(?: \+ (\d+) n)?(?: \+ (\d+) t)? \| `(\w+)` \| (\d+)",
        PAGE.read_text(encoding="utf-8"),
        re.M,
    )
    assert {(name, int(start, 16)) for start, _, _, name, _ in rows} == {
        (register.name, register.value) for register in Register
    }
    groups = {
        "LOAD_DATA": -(-config.load.fields[-1].width // 32),
        "SIZES": len(dataclasses.fields(config)),
        "COUNTERS": 4,
    }
    for start, step, tile_step, name, width in rows:
        for tile in range(config.tiles if tile_step else 1):
            for n in range(groups[name] if step else 1):
                first = int(start, 16) + int(step or 0) * n + int(tile_step or 0) * tile
                yield from range(first, first + int(width) // 8, 4)


def rows(config: FabricConfig) -> dict[int, int]:
    """Rows of each memory of the load port."""
    return {
        LoadTarget.WEIGHT: config.weight_words,
        LoadTarget.BIAS: config.neurons,
        LoadTarget.POPULATION: config.populations,
        LoadTarget.CONNECTION: config.connections,
        LoadTarget.TARGET: config.targets,
        LoadTarget.CONTROL: 1,
        LoadTarget.ROUTE: config.routes if config.tiles > 1 else 0,
        LoadTarget.COORDINATE: 0,
    }


@pytest.fixture
def bench_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


def play(
    image: MemoryImage, words: list[int], directory: Path, verilog: str
) -> tuple[int, int, str]:
    """How many tests of the bench ran and failed, and what it printed."""
    config = image.config
    model = CycleModel(config)
    setup = {
        "config": config.to_json(),
        "seed": SEED,
        "pauses": 0.3,
        "load": list(image.load_words()),
        "words": words,
        "accesses": 600,
        "addresses": sorted(addresses(config)),
        "rows": rows(config),
        "empty_step": model.run([config.host_in.pack({"step": 1, "first": 1})])[-1][0],
        "result": str(directory / "result.json"),
    }
    (directory / "setup.json").write_text(json.dumps(setup), encoding="utf-8")
    with one_at_a_time(cache.digest(verilog)):
        build = build_bench(verilog, AXI_TOP)
    output = process.simulate(build, directory, AXI_TOP, "axi_bench")
    print(output)
    (results,) = directory.glob("*.xml")  # its name tells of pytest
    return *get_results(results), output


def mapped(config: FabricConfig) -> tuple[MemoryImage, Counts, list[int]]:
    """A network, its input, and the words of that."""
    plain = network(config)
    image = map_network(plain, config, frozenset("ab"), frozenset("b"))
    counts = random_events(np.random.default_rng(SEED), plain, SAMPLES, STEPS, 0.5)
    return image, counts, np.concatenate(host_words(image, counts)).tolist()


@pytest.mark.usefixtures("bench_is_found")
@pytest.mark.parametrize("name", FABRICS)
def test_a_host_on_the_bus(name: str, tmp_path: Path) -> None:
    config = FABRICS[name]
    image, counts, words = mapped(config)
    tests, failed, output = play(image, words, tmp_path, emit_axi(config))
    assert (tests, failed) == (TESTS, 0), output
    assert f"seed {SEED}-run" in output

    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    packets = np.array(result["packets"], np.uint64)
    heard = decode_packets(image, np.zeros(len(packets), np.uint64), packets, SAMPLES, STEPS)
    expected = simulate(network(config), counts)
    for population, spikes in heard.spikes.items():
        assert spikes.any()
        assert np.array_equal(spikes, expected.spikes[population])
    assert np.array_equal(heard.states["b"], expected.states["b"])
    counters = result["counters"]

    def total(counter: str) -> int:
        return sum(n for key, n in counters.items() if key.partition(".")[0] == counter)

    assert total("errors") == 0
    assert total("synops") == expected.synops.sum()
    assert total("spikes") == sum(int(spikes.sum()) for spikes in expected.spikes.values())
    assert counters["cycles"] > len(words)


MODULES: tuple[Any, ...] = (register_port, registers, axi_fabric)

# Faults that the bench must detect. Each text occurs once in these modules.
FAULTS = {
    "an answer does not wait": ("m.Elif(bus.bready)", "m.Else()"),
    "an address too many": ("address & data & (~bus.bvalid", "address & (~bus.bvalid"),
    "what does not fit is cut": (
        "port.write_whole & ((port.write_data >> width) == 0)",
        "port.write_whole",
    ),
    "words are lost": ("packets.w_en.eq(fabric.host_out.valid)", "packets.w_en.eq(~reset)"),
    "the upper half is that of now": ("high.eq(counters[address][WORD_BITS:])", "high.eq(0x55)"),
    "steps stay open": ("with m.If(reset):", "with m.If(reset & 0):"),
}


@pytest.mark.usefixtures("bench_is_found")
@pytest.mark.parametrize("fault", all_but({"words are lost", "an answer does not wait"}, FAULTS))
def test_a_fault_is_seen(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right, wrong = FAULTS[fault]
    sources = {module: Path(module.__file__).read_text(encoding="utf-8") for module in MODULES}
    assert sum(source.count(right) for source in sources.values()) == 1
    (module,) = (module for module, source in sources.items() if right in source)
    broken = types.ModuleType(module.__name__)
    exec(sources[module].replace(right, wrong), broken.__dict__)
    for name, value in vars(broken).items():
        if getattr(value, "__module__", "") == module.__name__:
            for user in MODULES:
                if hasattr(user, name):
                    monkeypatch.setattr(user, name, value)
    config = FABRICS["one tile"]
    image, _, words = mapped(config)
    verilog = generate_axi("broken", config, axi_fabric.AxiFabric(config))
    tests, failed, _ = play(image, words, tmp_path, verilog)
    assert tests == TESTS
    assert failed
