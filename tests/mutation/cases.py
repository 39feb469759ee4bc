"""The designs that together have every module and option of `hdl/`, and what is played to them."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from types import ModuleType

import axi_recordings
import learn_bench
import link_recordings
import numpy as np
import recordings
import test_axi
import test_axi_busy
import test_axi_counters
import test_emit
import test_equality
import test_equality_learning
import test_learn
import test_learn_kernels
import test_learn_passes
import test_learn_planes
import test_link_board
import test_link_read
import test_mesh
import test_neuron_update
import test_occupied
import test_read
import test_traffic
import test_winners
from designs import Design
from link_parts import PARTS, Part, tests_of
from random_networks import Counts, noisy_image
from recordings import Recording

from spikeloom.golden.host import host_words
from spikeloom.golden.spec import FabricConfig
from spikeloom.golden.step.run import check_inputs
from spikeloom.hdl.core.emit import Emit
from spikeloom.hdl.core.learning.learn import Learn
from spikeloom.program import Program
from spikeloom.sim.cosim.check import Scenario

FABRICS = test_equality.EVERY
LONGEST = 1_500_000
"""Clocks of all recordings of a board together; the longest are left out."""


@dataclass(frozen=True)
class Case:
    """A design and what is played to it.

    Parameters
    ----------
    kind, config
        What is built, see `designs.KINDS`.
    record
        Its recordings.
    modules
        The modules whose mutants are played; the others have cases of their own.
    """

    kind: str
    config: FabricConfig
    record: Callable[[Design], list[Recording]]
    modules: tuple[str, ...] = ("",)


def _fabric(config: FabricConfig, networks: int, words: int, winners: int = 0) -> Case:
    def record(design: Design) -> list[Recording]:
        ports = design.inputs, design.outputs
        return [
            *recordings.of_fabric(config, *ports, networks),
            *recordings.of_random_words(config, *ports, words),
            *recordings.of_programs(_winners(config, winners), *ports),
            *([] if config.images else recordings.of_crowd(config, *ports)),
            *(recordings.of_silent_ends(config, *ports) if config.fire_lanes > 1 else ()),
            *(recordings.of_programs(_noisy(config), *ports) if config.images else ()),
        ]

    return Case("fabric", config, record)


def _winners(config: FabricConfig, count: int) -> Iterator[tuple[Program, Counts]]:
    """Those of the tests of selections."""
    yield from test_winners.cases(config, count)
    if config == test_winners.FLAT:
        yield test_winners.waits_for_the_second()
    if config == test_winners.IMAGES:
        yield from map(test_winners.around, (0, 1))
        yield test_winners.best_of_a_group()


def _noisy(config: FabricConfig) -> Iterator[tuple[Program, Counts]]:
    """That of the equality tests, where there is noise."""
    if config.noise:
        network, counts = noisy_image(config)
        yield Program(network, config, frozenset("b"), frozenset("b")), counts


def _noise_in_lanes() -> Case:
    """Neurons of an image in four fire lanes, whose numbers are two planes apart and more."""
    config = dataclasses.replace(FABRICS["images"], lanes=8, fire_lanes=4)

    def record(design: Design) -> list[Recording]:
        return [*recordings.of_programs(_noisy(config), design.inputs, design.outputs)]

    return Case("fabric", config, record, ("core.noise",))


def _learning(config: FabricConfig, networks: int) -> Case:
    def record(design: Design) -> list[Recording]:
        ports = design.inputs, design.outputs
        return [
            *recordings.of_learning(config, *ports, networks),
            *recordings.of_ages(config, *ports),
        ]

    return Case("fabric", config, record)


def _mesh_of_tiles(fire_lanes: int = 1) -> Case:
    config = dataclasses.replace(
        test_mesh.fabric(2, 2, 4), readable=True, routes=20, fire_lanes=fire_lanes
    )

    def record(design: Design) -> list[Recording]:
        made = []
        for schedule in ("layered", "pipelined"):
            net = test_mesh.network(schedule)
            image = test_mesh.mapped(net, config)
            given = check_inputs(net, test_mesh.events()[:1])
            words = [int(word) for word in np.concatenate(host_words(image, given))]
            for seed, gap, backpressure in ((1, 0.0, 0.0), (2, 0.4, 0.5)):
                scenario = Scenario(words, seed, gap, backpressure, 0.1, reads=300)
                made.append(recordings.record(image, scenario, design.inputs, design.outputs))
        made += recordings.of_random_words(config, design.inputs, design.outputs, 3)
        return made

    return Case("fabric", config, record)


def _mesh(size: str) -> Case:
    config = test_traffic.mesh(size)

    def record(design: Design) -> list[Recording]:
        return [
            recordings.of_mesh(
                test_traffic.stimuli(size, pattern, 300, 1), design.inputs, design.outputs
            )
            for pattern in test_traffic.PATTERNS
        ]

    return Case("mesh", config, record)


def _link(config: FabricConfig, *tests: Callable[[], object]) -> Case:
    def record(design: Design) -> list[Recording]:
        sessions = sorted(link_recordings.of_boards(tests)[config], key=_clocks)
        totals = itertools.accumulate(map(_clocks, sessions))
        return [s for s, total in zip(sessions, totals, strict=True) if total < LONGEST]

    return Case("link", config, record, ("link", "fabric_with_link", "common"))


def _part(part: Part, modules: tuple[str, ...] = ("link", "common")) -> Case:
    return Case(
        part.kind,
        part.sizes.get("config", test_link_board.SMALL),
        lambda design: part.record(design.inputs, design.outputs),
        modules,
    )


def _clocks(recording: Recording) -> int:
    return len(recording.inputs)


def _axi(name: str) -> Case:
    config = test_axi.FABRICS[name]
    return Case(
        "axi",
        config,
        lambda design: axi_recordings.of_axi(config, design.inputs, design.outputs),
        ("axi", "common"),
    )


def _busy(config: FabricConfig) -> Case:
    return Case(
        "axi",
        config,
        lambda design: axi_recordings.of_busy(config, design.inputs, design.outputs),
    )


def _neuron(config: FabricConfig) -> Case:
    test = test_neuron_update

    def record(design: Design) -> list[Recording]:
        ports = design.inputs, design.outputs
        rows = axi_recordings.simulated(test, lambda: test.check(config), *ports)
        # The clocks that the test compares with the golden model.
        latency = config.fire_clocks - 1
        clocks = test.NEURONS + latency + 1
        compared = [
            (driven, seen if latency <= clock % clocks < clocks - 1 else {})
            for clock, (driven, seen) in enumerate(rows)
        ]
        return [Recording.of(*ports, compared)]

    return Case("neuron", config, record)


def _watched(
    config: FabricConfig, module: ModuleType, test: Callable[[], None], output: str
) -> Case:
    """A test of a module with a fabric, which looks at one output."""

    def record(design: Design) -> list[Recording]:
        ports = design.inputs, design.outputs
        rows = axi_recordings.simulated(module, test, *ports)
        return [Recording.of(*ports, [(driven, {output: seen[output]}) for driven, seen in rows])]

    return Case("status", config, record)


def _learn(module: ModuleType, config: FabricConfig) -> Case:
    """The tests of learn alone. What its outputs say about memories counts in accesses."""
    part = Part("learn", Learn, learn_bench, tests_of(module), {"config": config})

    def compared(seen: dict[str, int]) -> dict[str, int]:
        accesses = {
            "axon_write__": seen["axon_write__valid"],
            "trace_write__": seen["trace_write__valid"],
            "weights__address": seen["weight_read"] | seen["weights__write"],
            "weights__data": seen["weights__write"],
            "states__address": seen["states__active"],
        }
        return {
            name: value
            for name, value in seen.items()
            if name.endswith("valid")
            or all(accesses[start] for start in accesses if name.startswith(start))
        }

    def record(design: Design) -> list[Recording]:
        ports = design.inputs, design.outputs
        return [
            Recording.of(*ports, [(driven, compared(seen)) for driven, seen in rows])
            for rows in part.played(*ports)
        ]

    return Case("learn", config, record, ("core.learning", "common"))


def _registers() -> Case:
    return Case(
        "registers",
        test_axi_counters.CONFIG,
        lambda design: axi_recordings.of_registers(design.inputs, design.outputs),
        ("axi",),
    )


def _link_tests() -> Iterator[Callable[[], object]]:
    board = test_link_board
    yield from (
        board.test_nothing_is_said_unasked,
        board.test_a_session,
        board.test_a_reset_discards_what_is_not_sent,
        board.test_refused_once_and_repeated,
        board.test_bodies_may_be_longer_and_loads_empty,
        board.test_what_has_no_room_is_refused,
        board.test_frames_are_numbered_with_two_bytes,
        board.test_lines_cut_while_loading,
        board.test_noise_then_a_session,
        partial(board.test_networks_run, "small"),
    )
    (marker,) = board.test_faults.pytestmark
    yield from (partial(board.test_faults, *arguments) for arguments in marker.args[1])


def _read_tests(name: str) -> Iterator[Callable[[], object]]:
    yield partial(test_link_read.test_all_that_was_loaded_is_read, name)
    yield partial(test_link_read.test_what_a_run_left_is_read, name)
    if name == "one tile":
        yield test_link_read.test_any_number_of_bytes


CASES: dict[str, Case] = {
    "all options": _fabric(FABRICS["all options"], 20, 10),
    "no options": _fabric(FABRICS["one lane, no power of two"], 30, 10),
    "eight lanes": _fabric(FABRICS["eight lanes"], 30, 10),
    "delayed reset": _fabric(FABRICS["delayed reset, lower clamp, traces"], 40, 5),
    "images": _fabric(FABRICS["images, all options"], 20, 10, 40),
    "images, groups of channels": _fabric(FABRICS["images"], 20, 20),
    "schedules": _fabric(FABRICS["schedules"], 40, 5),
    "one to one": _fabric(FABRICS["one to one"], 30, 10),
    "selection": _fabric(FABRICS["switches"], 20, 5, 60),
    "fire lanes": _fabric(FABRICS["one to one, sparse matrices"], 30, 10),
    "two fire lanes": _fabric(FABRICS["traces, synaptic current"], 30, 5),
    "images, noise in four fire lanes": _noise_in_lanes(),
    "images, graded": _fabric(FABRICS["images, one lane"], 20, 5),
    **{
        f"learning, {name}": _learning(config, 12)
        for name, config in test_equality_learning.FABRICS.items()
    },
    "mesh of tiles": _mesh_of_tiles(),
    "mesh of tiles, fire lanes": _mesh_of_tiles(2),
    "mesh": _mesh("3x2"),
    **{name: _part(part) for name, part in PARTS.items()},
    "link": _link(test_link_board.SMALL, *_link_tests()),
    "link, images": _link(
        test_link_board.FABRICS["images"], partial(test_link_board.test_networks_run, "images")
    ),
    "link, read": _link(test_link_read.ONE, *chain(_read_tests("one tile"))),
    "neuron, delayed reset": _neuron(test_neuron_update.config(False, True, True, 1)),
    "neuron, several spikes": _neuron(test_neuron_update.config(False, False, True, 3)),
    "neuron, switches": _neuron(
        test_neuron_update.config(
            False, True, True, 1, doubling=True, **dict.fromkeys(test_neuron_update.SWITCHES, True)
        )
    ),
    "neuron, signed": _neuron(test_neuron_update.config(False, True, False, 7, signed_spikes=True)),
    "emit, amounts": _part(
        Part(
            "emit",
            Emit,
            test_emit,
            (test_emit.test_every_packet_of_every_spike,),
            {"config": test_emit.AMOUNTS},
        ),
        ("core.emit",),
    ),
    "occupied": _watched(
        test_occupied.FABRICS["two tiles"][0],
        test_occupied,
        partial(test_occupied.test_it_is_that_of_the_model_in_every_clock, "two tiles"),
        "occupied",
    ),
    "read": _watched(
        test_read.SPARSE,
        test_read,
        test_read.test_words_behind_the_sparse_ones_lead_to_no_group,
        "read__data",
    ),
    "read, sums": _watched(
        test_read.SPARSE,
        test_read,
        test_read.test_a_sum_is_shown_while_it_is_asked_for,
        "read__data",
    ),
    "learn": _learn(test_learn, learn_bench.CONFIG),
    "learn, planes": _learn(test_learn_planes, test_learn_planes.PLANES),
    "learn, kernels": _learn(test_learn_kernels, test_learn_kernels.KERNELS),
    "learn, two passes": _learn(test_learn_passes, test_learn_passes.TWO),
    "learn, four passes": _learn(test_learn_passes, test_learn_passes.ONE),
    "learn, passes, planes": _learn(test_learn_passes, test_learn_passes.PLANES),
    "registers": _registers(),
    "AXI, busy": _busy(test_axi_busy.mesh(1)),
    "AXI, busy with images": _busy(test_axi_busy.with_images(test_axi_busy.mesh(1))),
    "AXI": _axi("one tile"),
    "AXI, mesh": _axi("mesh"),
}
