"""Faults planted in each side, and what the benches say about them.

RTL: the sources of `hdl` are copied and changed. A register, `FAULT`, says which of the faults is
there; it is set by a load word to a target that does not exist otherwise. So one build shows all
faults, and with `FAULT` 0 it is as good as the real one.

Golden model: the sources are copied with one fault, and the bench runs from the copy. The
step-level model is replaced in the process.

What is replaced must occur exactly once, so that no fault can silently cease to be one.
"""

import dataclasses
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from locking import one_at_a_time
from soaked import all_but

import spikeloom.golden.fixed
import spikeloom.golden.step.batch
import spikeloom.golden.step.neuron
import spikeloom.golden.step.run
from spikeloom.compare import Mismatch, compare
from spikeloom.devices import simulated
from spikeloom.golden.memory_image import MemoryImage, TileImage
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import DECAY_ONE, FabricConfig, LoadTarget, PacketKind
from spikeloom.program import Program
from spikeloom.sim.cosim import check as cosim
from spikeloom.sim.runner import FabricStuck

ROOT = Path(__file__).resolve().parents[2]

CONFIG = FabricConfig(
    lanes=2,
    weight_bits=4,
    state_bits=8,
    sum_bits=10,
    neurons=6,
    weight_words=16,
    slots=3,
    axons=4,
    populations=4,
    connections=4,
    targets=4,
    queue=2,
    counter_bits=16,
    sparse_words=4,
    coordinates=4,
    one_to_one=True,
)

# Who chooses the fault: the load port, with a target that no memory has.
FAULT_TARGET = LoadTarget.ROUTE
FAULT_REGISTER = (
    "hdl/fabric.py",
    "        m.submodules.sequencer = sequencer = Sequencer(config, self.contents.control)\n",
    "        m.submodules.sequencer = sequencer = Sequencer(config, self.contents.control)\n"
    f"        with m.If(self.load.valid & (self.load.p.target == {int(FAULT_TARGET)})):\n"
    "            m.d.sync += FAULT.eq(self.load.p.data)\n",
)


@dataclass(frozen=True)
class Edit:
    """A piece of a source file, and what it becomes."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Fault:
    """A fault, in the RTL and in the cycle-level model.

    Parameters
    ----------
    rtl
        File in `hdl`, a piece of it, and what it becomes; `BAD` is true while the fault is there.
    golden
        File in `golden`, a piece of it, and what it becomes.
    image, words
        The scenario.
    step, clock, signal
        Where the fault shows first, by the page; clock 0 is the first after loading.
    right, wrong
        The signal without and with the fault.
    """

    rtl: tuple[str, str, str]
    golden: tuple[str, str, str] | None
    image: MemoryImage
    words: Sequence[int]
    clock: int
    signal: str
    right: int
    wrong: int
    step: int = 0


def image(
    *,
    weights: Sequence[tuple[int, int]] = (),
    biases: Sequence[int] = (),
    connections: Sequence[Mapping[str, int]] = (),
    target: Mapping[str, int] | None = None,
    window: int = 0,
    **population: int,
) -> MemoryImage:
    """An image of one population, with at most one fan-out entry."""
    row = {"neurons": 1, "retain": DECAY_ONE, "threshold": 127, "fan_out": target is not None}
    tile = TileImage(
        tuple(CONFIG.weight_row.pack({"lane0": a, "lane1": b}) for a, b in weights),
        tuple(CONFIG.bias_row.pack({"bias": bias}) for bias in biases),
        (CONFIG.population_row.pack({**row, **population}),),
        tuple(CONFIG.connection_row.pack(row) for row in connections),
        () if target is None else (CONFIG.target_row.pack(target),),
        (),
    )
    return MemoryImage(CONFIG, (tile,), CONFIG.control_row.pack({"window": window}), (), ())


def mark(ahead: int = 0, first: int = 0) -> int:
    return CONFIG.host_in.pack({"step": 1, "first": first, "ahead": ahead})


def event(index: int = 0, ahead: int = 0) -> int:
    return CONFIG.host_in.pack({"index": index, "ahead": ahead})


def sums(lane0: int, lane1: int) -> int:
    return CONFIG.sum_row.pack({"lane0": lane0, "lane1": lane1})


def byte(value: int) -> int:
    """A potential as the probe shows it."""
    return value % 256


# Two axons into two neurons. Clocks of one event and a step mark:
# 0  the event is taken             10 DRAIN; neuron 1 enters
# 1  D; the mark is taken           11 0 is written
# 2  X: issued; lead is 1           15 neuron 0 in its last stage
# 3  nothing pending                16 neuron 1 in it; the spike is in the queue's memory
# 4  the sum is written             17 the spike is at the head: A
# 5  START                          18 B; fire is idle
# 6  LOOKUP                         19 C: the packet is transferred
# 7  SETUP                          20 all is idle
# 8  WALK: the group begins         21 the sequencer knows
# 9  fetch; neuron 0 enters         22 DONE
#
# Of a step mark alone, which is taken in clock 0:
# 1 and 2 WAIT, 3 START, 4 LOOKUP, 5 SETUP, 6 the group begins, 7 fetch, 13 last stage, 14 DRAIN
# ends, 15 idle.
WEIGHTS = [(1, 2), (5, -7), (3, 4)]
DENSE = [{"sources": 2, "groups": 1, "synapses": 2}]
PAIR = image(
    weights=WEIGHTS,
    biases=[1, 1],
    connections=DENSE,
    target={"host": 1},
    neurons=2,
    threshold=6,
    spiking=1,
)

SPARSE = MemoryImage(
    CONFIG,
    (
        TileImage(
            (0, CONFIG.weight_row.pack({"lane0": 5, "lane1": -7, "group0": 1})),
            (),
            (CONFIG.population_row.pack({"neurons": 4, "retain": DECAY_ONE, "threshold": 127}),),
            (
                CONFIG.connection_row.pack({"sparse": 1, "sources": 2, "groups": 1}),
                CONFIG.connection_row.pack(
                    {"one_to_one": 1, "sources": 2, "last": 1, "weight_base": 1, "groups": 1}
                ),
            ),
            (),
            (),
            (0, CONFIG.coordinate_row.pack({"weight": 1, "count": 1, "synapses": 2})),
        ),
    ),
    CONFIG.control_row.pack({"window": 1}),
    (),
    (),
)

FAULTS = {
    "weight address off by one": Fault(
        rtl=(
            "core/address_generation",
            "segment.weight.eq(row.weight_base + d_event.index)",
            "segment.weight.eq(row.weight_base + d_event.index + BAD)",
        ),
        golden=(
            "cycle/integrate",
            "row.weight_base + self.d_index",
            "row.weight_base + self.d_index + 1",
        ),
        image=PAIR,
        words=[event(1), mark()],
        clock=4,
        signal="0.sum.data",
        right=sums(5, -7),
        wrong=sums(3, 4),
    ),
    "an event is dropped": Fault(
        rtl=(
            "core/address_generation",
            "d_valid.eq(w_valid | self.event.valid)",
            "d_valid.eq(w_valid | (self.event.valid & ~(BAD & (self.event.p.index == 1))))",
        ),
        golden=(
            "cycle/integrate",
            "elif event is not None:\n            self.accept(event)",
            "elif event is not None and event >> self.event_shifts[1] & self.event_masks[1] != 1:\n"
            "            self.accept(event)",
        ),
        image=PAIR,
        words=[event(1), mark()],
        # Its group is issued in clock 2, and two synapses are counted.
        clock=3,
        signal="counters.synops.0",
        right=2,
        wrong=0,
    ),
    "a fetch does not clear the sums": Fault(
        rtl=(
            "core/accumulate",
            "row.as_value().eq(0), ",
            "row.as_value().eq(Mux(BAD, read.data.as_value(), 0)), ",
        ),
        golden=("cycle/integrate", "self.sums[address] = 0", "pass"),
        image=PAIR,
        words=[event(1), mark()],
        clock=11,
        signal="0.sum.data",
        right=0,
        wrong=sums(5, -7),
    ),
    "one to one is all to one": Fault(
        rtl=(
            "core/accumulate",
            "with m.If(r_single & (r_lane != lane)):",
            "with m.If(r_single & (r_lane != lane) & ~BAD):",
        ),
        golden=("cycle/sparse_integrate", "lane = self.x_lane if issues else None", "lane = None"),
        image=SPARSE,
        words=[CONFIG.host_in.pack({"connection": 1, "index": 1}), mark()],
        clock=4,
        signal="0.sum.data",
        right=sums(0, -7),
        wrong=sums(5, -7),
    ),
    "a sparse word is added to another slot": Fault(
        rtl=(
            "core/integrate",
            "self._row(group, x.event.slot)",
            "self._row(group, Mux(BAD, 0, x.event.slot))",
        ),
        golden=("cycle/sparse_integrate", "tuple(row + slot for row in", "tuple(row for row in"),
        image=SPARSE,
        words=[event(1, ahead=1), mark()],
        # In D in clocks 1 and 2, issued in 3. Lane 0 goes to group 1, row 3 + 1; lane 1 to row 1.
        clock=5,
        signal="0.sum.address",
        right=4 | 1 << 4,
        wrong=3,
    ),
    # The cycle-level model has nothing to forward.
    "a sum is read before it is written": Fault(
        rtl=("core/accumulate", "Mux(a_after_last, ", "Mux(a_after_last & ~BAD, "),
        golden=None,
        image=PAIR,
        words=[event(1), event(0), mark()],
        clock=5,
        signal="0.sum.data",
        right=sums(6, -5),
        wrong=sums(1, 2),
    ),
    "a stall is not counted": Fault(
        rtl=(
            "core/integrate",
            "self.stalled.eq(x_valid & self.fetch.valid)",
            "self.stalled.eq(x_valid & self.fetch.valid & ~BAD)",
        ),
        golden=(
            "cycle/integrate",
            "self.stalls = self.stalls + 1",
            "self.stalls = self.stalls + 0",
        ),
        image=dataclasses.replace(PAIR, control=CONFIG.control_row.pack({"window": 1})),
        # The fifth event is taken in clock 5 and in X in clock 7, that of the fetch.
        words=[mark(), event(), event(), event(), event(), event(), mark()],
        clock=8,
        signal="counters.stalls.0",
        right=1,
        wrong=0,
    ),
    ">= instead of >": Fault(
        rtl=(
            "core/neuron",
            "(~threshold).as_signed(), row.inclusive)",
            "(~threshold).as_signed(), row.inclusive | BAD)",
        ),
        golden=("cycle/fire", "else u > population.threshold", "else u >= population.threshold"),
        image=PAIR,
        words=[event(1), mark()],
        # 5 + 1 == 6
        clock=15,
        signal="0.spike.valid",
        right=0,
        wrong=1,
    ),
    "the potential wraps": Fault(
        rtl=(
            "core/neuron",
            "u = saturate(pipe.register(total), bits)",
            "summed = pipe.register(total)\n"
            "        u = Mux(BAD, summed[:bits].as_signed(), saturate(summed, bits))",
        ),
        golden=(
            "cycle/fire",
            "u = min(max((kept if v >= 0 else -kept) + x, low), high)",
            "u = ((kept if v >= 0 else -kept) + x - low) % (high - low + 1) + low",
        ),
        image=image(biases=[100], window=1),
        # 100 in step 0. Its DONE is in clock 17; 18 and 19 WAIT, 20 START: last stage in 30.
        words=[mark(1, first=1), mark()],
        step=1,
        clock=30,
        signal="0.state.data",
        right=127,
        wrong=200,
    ),
    "decay rounds down": Fault(
        rtl=(
            "core/product",
            "negative.replicate(DECAY_BITS)",
            "(negative & ~BAD).replicate(DECAY_BITS)",
        ),
        golden=(
            "cycle/fire",
            "(kept if v >= 0 else -kept) + x, low",
            "(v * population.retain >> DECAY_BITS) + x, low",
        ),
        image=image(v_init=-11, retain=2048),
        words=[mark(first=1)],
        clock=13,
        signal="0.state.data",
        right=byte(-5),
        wrong=byte(-6),
    ),
    "the initial potential is forgotten": Fault(
        rtl=(
            "core/fire",
            "Mux(first, v_init, state_read.data.value)",
            "Mux(first & ~BAD, v_init, state_read.data.value)",
        ),
        golden=(
            "cycle/fire",
            "population.v_init if self.first else self.states[address]\n        total",
            "self.states[address]\n        total",
        ),
        image=image(v_init=50),
        words=[mark(first=1)],
        clock=13,
        signal="0.state.data",
        right=50,
        wrong=0,
    ),
    "states are read out too early": Fault(
        rtl=(
            "core/fire",
            "population.readout & (self.ahead == 0)",
            "population.readout & ((self.ahead == 0) | BAD)",
        ),
        golden=(
            "cycle/fire",
            "u - population.v_reset, low), high)\n"
            "        readout = bool(population.readout) and self.ahead == 0",
            "u - population.v_reset, low), high)\n        readout = bool(population.readout)",
        ),
        image=image(readout=1),
        words=[mark(ahead=1), mark()],
        clock=13,
        signal="0.spike.valid",
        right=0,
        wrong=1,
    ),
    "credits are lost": Fault(
        rtl=(
            "core/fire",
            "returns = reduce(or_, list(done)) & ~self.spike_valid",
            "returns = reduce(or_, list(done)) & ~self.spike_valid & ~BAD",
        ),
        golden=(
            "cycle/fire",
            "if not entry:\n                self.returned = 1",
            "if not entry:\n                self.returned = 0",
        ),
        # The group of clock 6 takes both; the neurons give them back in clocks 13 and 14, both are
        # there in 16, and the next one begins in 17.
        image=image(neurons=4),
        words=[mark()],
        clock=18,
        signal="0.fetch.valid",
        right=1,
        wrong=0,
    ),
    "a late event is sent": Fault(
        rtl=("core/emit", "late.eq(~b_state &", "late.eq(~BAD & ~b_state &"),
        golden=(
            "cycle/emit",
            "late = target is not None and not target[0] and target[1] > ahead",
            "late = False",
        ),
        # Last stage in 13, 14 the queue's memory, 15 A, 16 B; from C it goes through the arbiter.
        image=image(biases=[1], threshold=0, spiking=1, target={"connection": 0, "delay": 1}),
        words=[mark()],
        clock=17,
        signal="0.event.valid",
        right=0,
        wrong=1,
    ),
    "a step starts before its events are added": Fault(
        rtl=("sequencer", "with m.Elif(quiet):", "with m.Elif(quiet | (BAD & (settle == 0))):"),
        golden=(
            "cycle/sequencer",
            "elif state == WAIT:\n            if not busy:",
            "elif state == WAIT:\n            if True:",
        ),
        image=PAIR,
        words=[event(1), mark()],
        clock=4,
        signal="fire.valid",
        right=0,
        wrong=1,
    ),
    "a step ends before its spikes are sent": Fault(
        rtl=("core/tile", "~fire.idle | ~emit.idle |", "~fire.idle | (~emit.idle & ~BAD) |"),
        golden=(
            "cycle/tile",
            "not self.fire.idle or not self.emit.idle or",
            "not self.fire.idle or",
        ),
        image=dataclasses.replace(
            PAIR,
            tiles=(
                dataclasses.replace(
                    PAIR.tiles[0],
                    biases=tuple(CONFIG.bias_row.pack({"bias": bias}) for bias in (2, 15)),
                ),
            ),
        ),
        words=[event(1), mark()],
        # 5 + 2 > 6, -7 + 15 > 6: DONE comes with the second spike, a clock after the first.
        clock=20,
        signal="host_out.payload",
        right=CONFIG.host_out.pack({"kind": PacketKind.SPIKE, "index": 1}),
        wrong=CONFIG.host_out.pack({"kind": PacketKind.STEP}),
    ),
    "slots do not wrap": Fault(
        rtl=(
            "sequencer",
            "add_modulo(in_slot, word.ahead, config.slots)",
            "Mux(BAD, in_slot + word.ahead, add_modulo(in_slot, word.ahead, config.slots))",
        ),
        golden=(
            "cycle/sequencer",
            "slot = (self.in_slot + ahead) % self.slots",
            "slot = self.in_slot + ahead",
        ),
        image=dataclasses.replace(PAIR, control=CONFIG.control_row.pack({"window": 2})),
        # The event goes into the third slot, and a step further.
        words=[mark(), mark(), event(0, ahead=1), mark()],
        clock=2,
        signal="0.event.payload",
        right=CONFIG.event.pack({"slot": 0}),
        wrong=CONFIG.event.pack({"slot": 3}),
    ),
}
NUMBERS = {name: number for number, name in enumerate(FAULTS, 1)}


def replace_once(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"occurs {text.count(old)} times: {old}"
    return text.replace(old, new)


def copy_sources(directory: Path, edits: Sequence[tuple[str, str, str]]) -> Path:
    """A copy of the packages with faults."""
    package = directory / "spikeloom"
    shutil.copytree(ROOT / "spikeloom", package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, old, new in edits:
        path = package / name
        path.write_text(replace_once(path.read_text(encoding="utf-8"), old, new), encoding="utf-8")
    return directory


def run_there(directory: Path, program: str, *arguments: str) -> str:
    """What `program` prints, run with the packages in `directory`."""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


class Faulty(MemoryImage):
    """An image whose loading also chooses the fault."""

    def load_words(self, held: MemoryImage | None = None) -> Iterator[int]:
        yield from super().load_words(held)
        yield CONFIG.load.pack({"target": FAULT_TARGET, "data": getattr(self, "fault", 0)})


def faulty(loaded: MemoryImage, fault: int) -> Faulty:
    fields = {field.name: getattr(loaded, field.name) for field in dataclasses.fields(loaded)}
    result = Faulty(**fields)
    object.__setattr__(result, "fault", fault)
    return result


def rtl_edits() -> list[tuple[str, str, str]]:
    edits = [FAULT_REGISTER]
    for name, fault in FAULTS.items():
        file, old, new = fault.rtl
        edits.append(
            (f"hdl/{file}.py", old, re.sub(r"\bBAD\b", f"(FAULT == {NUMBERS[name]})", new))
        )
    return edits


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, str]:
    """The Verilog with all faults, without and with the probe."""
    tree = copy_sources(tmp_path_factory.mktemp("rtl") / "tree", rtl_edits())
    (tree / "spikeloom" / "hdl" / "fault.py").write_text(
        "from amaranth import Signal\n\nFAULT = Signal(8)\n"
    )
    for file in sorted({"fabric.py", *(f"{fault.rtl[0]}.py" for fault in FAULTS.values())}):
        path = tree / "spikeloom" / "hdl" / file
        uses = "from amaranth import Mux\nfrom spikeloom.hdl.fault import FAULT\n"
        path.write_text(uses + path.read_text(encoding="utf-8"), encoding="utf-8")
    program = (
        "import sys; from spikeloom.golden.spec import FabricConfig;"
        "from spikeloom.sim.verilog import emit;"
        "sys.stdout.write(emit(FabricConfig.from_json(sys.argv[1]), probe=sys.argv[2] == 'True'))"
    )
    return {
        probe: run_there(tree, program, CONFIG.to_json(), str(probe)) for probe in (False, True)
    }


@pytest.fixture(scope="module")
def probed(emitted: dict[bool, str]) -> str:
    """The Verilog with all faults, for the cycle-by-cycle bench, which is built."""
    name, fault = next(iter(FAULTS.items()))
    scenario = cosim.Scenario(fault.words, seed=1)
    with one_at_a_time("faults"):
        loaded = faulty(fault.image, NUMBERS[name])
        assert cosim.check(loaded, scenario, emitted[True], waveform=False).difference
    return emitted[True]


def assert_found(report: cosim.Report, fault: Fault, loaded: int, expected: int, got: int) -> None:
    difference = report.difference
    assert difference is not None, "the bench did not see it"
    found = difference.step, difference.cycle - loaded, difference.signal
    assert found == (fault.step, fault.clock, fault.signal)
    assert (difference.expected, difference.got) == (expected, got)
    assert f"step {fault.step}, clock {difference.cycle}: {fault.signal}" in str(difference)


@pytest.mark.parametrize("name", FAULTS)
def test_fault_in_the_rtl(name: str, probed: str) -> None:
    fault = FAULTS[name]
    loaded = faulty(fault.image, NUMBERS[name])
    scenario = cosim.Scenario(fault.words, seed=1)
    report = cosim.check(loaded, scenario, probed, waveform=False)
    words = len(list(loaded.load_words()))
    assert_found(report, fault, words, fault.right, fault.wrong)


def test_a_difference_has_a_waveform(probed: str) -> None:
    name, fault = next(iter(FAULTS.items()))
    loaded = faulty(fault.image, NUMBERS[name])
    report = cosim.check(loaded, cosim.Scenario(fault.words, seed=1), probed)
    words = len(list(loaded.load_words()))
    assert_found(report, fault, words, fault.right, fault.wrong)
    assert report.difference is not None
    assert report.difference.waveform is not None
    assert Path(report.difference.waveform).stat().st_size > 0
    assert report.difference.waveform in str(report.difference)


SHORT = {"weight address off by one", "the potential wraps", "credits are lost"}


@pytest.mark.parametrize(
    "name", all_but(SHORT, [name for name, fault in FAULTS.items() if fault.golden])
)
def test_fault_in_the_cycle_level_model(name: str, probed: str, tmp_path: Path) -> None:
    fault = FAULTS[name]
    assert fault.golden
    file, old, new = fault.golden
    tree = copy_sources(tmp_path / "tree", [(f"golden/{file}.py", old, new)])
    scenario = cosim.Scenario(fault.words, seed=1)
    # MemoryImage and scenario are data; only what runs comes from the copy.
    played = tmp_path / "played"
    played.write_bytes(pickle.dumps((fault.image, scenario, probed)))
    program = (
        "import dataclasses, json, pickle, sys; from pathlib import Path;"
        "from spikeloom.sim.cosim import check as cosim;"
        "played = pickle.loads(Path(sys.argv[1]).read_bytes());"
        "report = cosim.check(*played, waveform=False);"
        "print(json.dumps(dataclasses.asdict(report)))"
    )
    values = json.loads(run_there(tree, program, str(played)))
    difference = values.pop("difference")
    report = cosim.Report(**values, difference=difference and cosim.Difference(**difference))
    words = len(list(fault.image.load_words()))
    assert_found(report, fault, words, fault.wrong, fault.right)


@pytest.mark.parametrize(
    "name", ["the potential wraps", "a stall is not counted", "a late event is sent"]
)
def test_no_fault_no_difference(name: str, probed: str) -> None:
    """The same scenarios agree while no fault is chosen."""
    fault = FAULTS[name]
    report = cosim.check(faulty(fault.image, 0), cosim.Scenario(fault.words, seed=1), probed)
    assert report.difference is None
    assert report.steps == sum(word & 1 for word in fault.words)
    assert report.events == len(fault.words)


def test_a_fault_shows_under_backpressure_and_gaps(probed: str) -> None:
    """Clocks are others then, but the signal and its values are the same."""
    name = "a fetch does not clear the sums"
    fault = FAULTS[name]
    cycles = set()
    for seed in (1, 2):
        scenario = cosim.Scenario(fault.words, seed, gap=0.5, backpressure=0.5, load_gap=0.3)
        loaded = faulty(fault.image, NUMBERS[name])
        difference = cosim.check(loaded, scenario, probed, waveform=False).difference
        assert difference is not None
        found = difference.signal, difference.expected, difference.got
        assert found == (fault.signal, fault.right, fault.wrong)
        cycles.add(difference.cycle)
    assert len(cycles) == 2


# The step-level comparison: two axons into three neurons, in two groups. Nothing happens in
# sample 0; in sample 1 axon 1 has an event in step 1, which brings 4, 5, 6.

STEPS = 5
EVENTS = np.zeros((2, STEPS, 2), np.uint8)
EVENTS[1, 1, 1] = 1


def program(fault: int = 0, **population: object) -> Program:
    options: dict[str, object] = {"bias": np.zeros(3, np.int64), "threshold": 4, "decay": DECAY_ONE}
    network = Network(
        (Input("in", 2),),
        (Population("p", 3, **{**options, **population}),),  # type: ignore[arg-type]
        (Connection("in", "p", np.array([[1, 2, 3], [4, 5, 6]])),),
        CONFIG.weight_bits,
        CONFIG.state_bits,
        CONFIG.sum_bits,
    )
    result = Program(network, CONFIG, frozenset({"p"}), frozenset({"p"}))
    # The plan is a cached property.
    result.__dict__["plan"] = dataclasses.replace(result.plan, image=faulty(result.image, fault))
    return result


LEAK = {"bias": np.array([0, 0, 60]), "threshold": 127, "decay": 0}
MISSING_SPIKE = Mismatch(1, 1, "spike", "p[1]", expected=1, got=0)
EXTRA_SPIKE = Mismatch(1, 1, "spike", "p[1]", expected=0, got=1)


@pytest.mark.parametrize(
    ("name", "population", "first"),
    [
        # Weights of neurons 0 and 1 are those of neuron 2 and padding.
        ("weight address off by one", {}, MISSING_SPIKE),
        ("an event is dropped", {}, MISSING_SPIKE),
        (">= instead of >", {"threshold": 5}, EXTRA_SPIKE),
        # Its slot comes again 3 steps later.
        (
            "a fetch does not clear the sums",
            {},
            Mismatch(1, 4, "spike", "p[1]", expected=0, got=1),
        ),
        # 60, 120, -76, -16, 44 instead of 60, 120, 127, 127, 127
        ("the potential wraps", LEAK, Mismatch(0, None, "state", "p[2]", expected=127, got=44)),
    ],
)
def test_step_level_comparison_finds_faults_in_the_rtl(
    name: str, population: dict[str, object], first: Mismatch, emitted: dict[bool, str]
) -> None:
    with one_at_a_time("faults-fast"):
        good = compare(program(**population), EVENTS, verilog=emitted[False])
    assert (good.mismatches, good.first) == (0, None)
    assert good.steps == 2 * STEPS
    bad = compare(program(NUMBERS[name], **population), EVENTS, verilog=emitted[False])
    assert bad.mismatches > 0
    assert bad.first == first
    place = "sample 0: state" if first.step is None else f"sample 1, step {first.step}: spike"
    assert str(first).startswith(place)


def test_step_level_comparison_finds_wrong_clocks(emitted: dict[bool, str]) -> None:
    """A step that starts too early, but whose sums are fetched late enough."""
    early = program(NUMBERS["a step starts before its events are added"])
    events = np.zeros_like(EVENTS)
    events[0, 0, 0] = 1
    with one_at_a_time("faults-fast"):
        found = compare(early, events, verilog=emitted[False])
    # The event has two groups, so it is in X in clocks 2 and 3: START is in clock 4, not in 6.
    right = int(found.golden.cycles[0])
    assert found.first == Mismatch(0, None, "clocks", "", expected=right, got=right - 2)
    assert found.mismatches == 1


def test_a_stuck_fabric_is_reported(emitted: dict[bool, str]) -> None:
    with one_at_a_time("faults-fast"), pytest.raises(FabricStuck, match="steps are not complete"):
        compare(program(NUMBERS["credits are lost"]), EVENTS, verilog=emitted[False])


def mutant(module: types.ModuleType, old: str, new: str) -> types.ModuleType:
    """The module with a fault, beside the real one."""
    assert module.__file__
    source = replace_once(Path(module.__file__).read_text(encoding="utf-8"), old, new)
    result = types.ModuleType(module.__name__)
    exec(compile(source, module.__file__, "exec"), result.__dict__)
    return result


@pytest.mark.parametrize(
    ("module", "old", "new", "population", "first"),
    [
        (
            spikeloom.golden.step.run,
            "WeightSums(connection.weights,",
            "WeightSums(np.roll(connection.weights, 1, axis=0),",
            {},
            EXTRA_SPIKE,
        ),
        (
            spikeloom.golden.step.batch,
            "delay = connection.delay",
            "delay = connection.delay + 1",
            {},
            EXTRA_SPIKE,
        ),
        (
            spikeloom.golden.step.neuron,
            "else u > threshold",
            "else u >= threshold",
            {"threshold": 5},
            MISSING_SPIKE,
        ),
        (
            spikeloom.golden.step.neuron,
            "u = v + drive\n        saturate(u, self._state_bits, out=u)",
            "u = v + drive",
            # 60, 120, 180: over the threshold, which is the upper rail.
            LEAK,
            Mismatch(0, 2, "spike", "p[2]", expected=1, got=0),
        ),
        (
            spikeloom.golden.fixed,
            "np.trunc(kept, out=kept)",
            "np.floor(kept, out=kept)",
            # -11 -> -5 -> -2 -> -1 -> 0 -> 0 instead of -11 -> -6 -> -3 -> -2 -> -1 -> -1
            {"v_init": -11, "decay": 2048},
            Mismatch(0, None, "state", "p[0]", expected=-1, got=0),
        ),
    ],
    ids=["weights", "a step late", ">= instead of >", "no saturation", "decay rounds down"],
)
def test_fault_in_the_step_level_model(
    module: types.ModuleType,
    old: str,
    new: str,
    population: dict[str, object],
    first: Mismatch,
    emitted: dict[bool, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad = mutant(module, old, new)
    if module is spikeloom.golden.step.run:
        monkeypatch.setattr(simulated.step, "simulate", bad.simulate)
    elif module is spikeloom.golden.step.batch:
        monkeypatch.setattr(spikeloom.golden.step.run, "Batch", bad.Batch)
    elif module is spikeloom.golden.step.neuron:
        monkeypatch.setattr(spikeloom.golden.step.run, "Neurons", bad.Neurons)
    else:
        monkeypatch.setattr(spikeloom.golden.step.neuron, "decay", bad.decay)
    with one_at_a_time("faults-fast"):
        found = compare(program(**population), EVENTS, verilog=emitted[False])
    assert found.mismatches > 0
    assert found.first == first
