"""Parameters that change from step to step: values by hand, sets of rows, and what is refused."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.compare import compare
from spikeloom.compiler import compile
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.schedule import Variant, row_sets
from spikeloom.golden.spec import FabricConfig, Reset
from spikeloom.golden.step.run import simulate
from spikeloom.golden.switches.input_gain import InputGain
from spikeloom.golden.switches.refractory import Refractory
from spikeloom.golden.switches.requantise import Requantise
from spikeloom.mapping.plan import map_network
from spikeloom.program import Program


def network(schedule: tuple[int, ...], *variants: Variant, **options: Any) -> Network:
    """One neuron with threshold 6, to whose potential an event adds 3."""
    values = {"threshold": 6, "variants": variants, **options}
    return Network(
        (Input("in", 1),),
        (Population("p", 1, np.zeros(1, np.int64), **values),),
        (Connection("in", "p", np.array([[3]])),),
        schedule=schedule,
    )


def run(net: Network, events: str) -> tuple[str, list[int]]:
    """Spikes and potentials of each step; a + is an event."""
    inputs = np.array([[[sign == "+"] for sign in events]])
    done = simulate(net, inputs, traces={"p": np.array([0])})
    spikes = "".join(".1"[int(s)] for s in done.spikes["p"][0, :, 0])
    return spikes, done.traces["p"][0, :, 0].tolist()


def test_a_window_in_which_a_neuron_only_integrates() -> None:
    net = network((1, 1, 1, 1, 0), Variant(spiking=False))
    assert run(net, "+++++.+") == ("....1..", [3, 6, 9, 12, 0, 0, 3])


def test_the_last_variant_holds() -> None:
    net = network((0, 1), Variant(threshold=2, reset=Reset.SUBTRACT))
    # 3; then 6 - 2, 7 - 2, 8 - 2
    assert run(net, "++++") == (".111", [3, 4, 5, 6])


def test_a_radix_neuron() -> None:
    """It reads a number of four bits, the highest first, halves it, and sends it in four steps."""
    net = network(
        (1, 1, 1, 1, 2, 0, 0, 0, 0),
        Variant(decay=-4096, spiking=False),
        Variant(decay=0, spiking=False, switches=(Requantise(1, 15),)),
        decay=-4096,
        threshold=16,
        inclusive=True,
        reset=Reset.SUBTRACT,
    )
    # Three times 1011 is 33, (33 + 1) / 2 is 17, at most 15: 1111.
    assert run(net, "+.++.....")[0] == ".....1111"
    # Three times 0010 is 6, 3 after the rounding: 0011.
    assert run(net, "..+......")[0] == ".......11"


def test_what_a_switch_keeps_is_lost_where_the_population_lacks_it() -> None:
    mute = (Refractory(9, "mute"),)
    with_it = network((0,), switches=mute)
    assert run(with_it, "+++++++") == ("..1....", [3, 6, 0, 3, 6, 9, 12])
    without = network((0, 0, 0, 1, 0), Variant(switches=()), switches=mute)
    assert run(without, "+++++++") == ("..1..1.", [3, 6, 0, 3, 6, 0, 3])


def test_sets_of_rows() -> None:
    assert row_sets(()) == [(0, 1)]
    assert row_sets((0, 0, 2, 0)) == [(0, 2), (2, 1), (0, 1)]
    assert row_sets((1,) * 600) == [(1, 256), (1, 256), (1, 88)]


def test_the_compiler_sees_to_rows_and_features() -> None:
    net = network((0, 1, 0), Variant(decay=-5))
    with pytest.raises(SpikeloomError) as error:
        map_network(net, FabricConfig(populations=2), frozenset("p"), frozenset())
    assert "parameters that change from step to step needs schedules=True" in str(error.value)
    assert "a potential that grows needs doubling=True" in str(error.value)
    assert "populations" in str(error.value)


GAINS = [Variant(switches=(InputGain(gain=n),)) for n in (0, 4096, 8192, 4096)]


def test_gains_of_each_step_take_rows_where_they_differ() -> None:
    net = network((0, 1, 2, 3, 4, 2), *GAINS)
    assert run(net, "+++++++") == ("...1..1", [3, 3, 6, 0, 3, 6, 0])
    program = compile(net)
    # 0, 4096 and 8192.
    assert len(program.image.tiles[0].biases) == 3
    assert program.fabric.populations >= 6
    fabric = dataclasses.replace(program.fabric, bias_rows=2)
    with pytest.raises(SpikeloomError) as error:
        map_network(program.network, fabric, frozenset("p"), frozenset())
    assert str(error.value).endswith(
        "bias_rows 3 of 2 (short by 1); use dataclasses.replace(fabric, bias_rows=3)"
    )
    small = dataclasses.replace(fabric, bias_rows=0, neurons=1)
    with pytest.raises(SpikeloomError, match="bias_rows 3 of 1 .*bias_rows=3"):
        map_network(program.network, small, frozenset("p"), frozenset())


def test_gains_of_each_neuron_are_in_the_file(tmp_path: Path) -> None:
    each = (InputGain((4096,), (3,)),)
    program = compile(network((0, 1), Variant(switches=each), switches=each))
    program.save(tmp_path / "p.loom")
    again = Program.load(tmp_path / "p.loom")
    assert again.digest == program.digest
    assert again.network.population("p").switches == each
    assert again.network.population("p").variants == (Variant(switches=each),)


def test_gains_of_each_step_on_tiles() -> None:
    """Two tiles with parts of different sizes, and images whose channels share; golden and RTL."""
    rng = np.random.default_rng(5)
    variants = tuple(
        Variant(switches=(InputGain(rng.integers(-9000, 9000, 6), rng.integers(-9, 9, 6)),))
        for _ in range(3)
    )
    a = Population("a", 6, rng.integers(-3, 3, 6), threshold=4, variants=variants)
    net = Network(
        (Input("in", 4),),
        (a,),
        (Connection("in", "a", rng.integers(-3, 9, (4, 6))),),
        schedule=(1, 2, 0, 3, 2),
    )
    fabric = FabricConfig(
        columns=2,
        lanes=4,
        neurons=8,
        weight_words=64,
        populations=16,
        schedules=True,
        input_gain=True,
        bias_rows=16,
    )
    program = Program(net, fabric, frozenset("a"), frozenset("a"))
    assert [len(tile.biases) for tile in program.image.tiles] == [16, 8]
    comparison = compare(program, rng.random((3, 8, 4)) < 0.5)
    assert comparison.mismatches == 0
    assert comparison.golden.spikes["a"].any()


def test_parameters_of_neurons_change_from_step_to_step() -> None:
    """Thresholds that differ between neurons, and others in some steps; golden and RTL."""
    rng = np.random.default_rng(6)
    variants = (Variant(threshold=5), Variant(decay=2048, v_reset=-4), Variant(spiking=False))
    a = Population("a", 6, rng.integers(-3, 3, 6), threshold=rng.integers(4, 30, 6))
    net = Network(
        (Input("in", 4),),
        (dataclasses.replace(a, variants=variants),),
        (Connection("in", "a", rng.integers(-3, 9, (4, 6))),),
        schedule=(1, 2, 0, 3, 2),
    )
    program = compile(net, {"lanes": 4})
    assert (program.fabric.neuron_parameters, program.fabric.schedules) == (True, True)
    # Who only integrates has the parameters of variant 0: three blocks of six rows.
    assert len(program.image.tiles[0].biases) == 18
    comparison = compare(program, rng.random((3, 8, 4)) < 0.5)
    assert comparison.mismatches == 0
    assert comparison.golden.spikes["a"].any()
    small = dataclasses.replace(program.fabric, bias_rows=12)
    with pytest.raises(SpikeloomError, match="bias_rows 18 of 12 .*; use dataclasses.replace"):
        dataclasses.replace(program, fabric=small)


def test_on_tiles_and_in_the_rtl() -> None:
    """Populations on two tiles; golden, cycle level and RTL agree, sample after sample."""
    rng = np.random.default_rng(3)
    variants = (Variant(threshold=2, inclusive=True), Variant(spiking=False, decay=900))
    a = Population("a", 6, np.zeros(6, np.int64), threshold=9, variants=variants)
    b = Population("b", 5, np.zeros(5, np.int64), phase=1, threshold=9, variants=variants[:1])
    net = Network(
        (Input("in", 4),),
        (a, b),
        (
            Connection("in", "a", rng.integers(-3, 9, (4, 6))),
            Connection("a", "b", rng.integers(-3, 9, (6, 5))),
        ),
        schedule=(0, 1, 1, 2, 2, 0, 1),
    )
    fabric = FabricConfig(
        columns=2, lanes=4, neurons=8, weight_words=64, populations=16, schedules=True
    )
    program = Program(net, fabric, frozenset("ab"), frozenset("ab"))
    events = rng.random((4, 12, 4)) < 0.5
    comparison = compare(program, events)
    assert comparison.mismatches == 0
    assert comparison.golden.spikes["b"].any()


@pytest.mark.parametrize(
    ("schedule", "variants", "options", "message"),
    [
        ((2,), (Variant(),), {}, "network: schedule: step 0 must be 0..1, not 2"),
        ((0, -1), (Variant(),), {}, "network: schedule: step 1 must be 0..1, not -1"),
        ((), (Variant(),), {}, "population 'p': variants: no schedule says when they hold"),
        ((1,), ("fast",), {}, "population 'p': variants must be a tuple of Variant"),
        ((1,), (Variant(threshold=1 << 15),), {}, "population 'p': threshold must be -32768"),
        ((1,), (Variant(spiking=True),), {"spiking": False}, "population 'p': variants: a popu"),
    ],
)
def test_what_has_no_meaning_is_refused(
    schedule: tuple[int, ...], variants: tuple[Any, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpikeloomError) as error:
        network(schedule, *variants, **options)
    assert str(error.value).startswith(message)


def test_a_variant_that_stands_alone_is_refused() -> None:
    alone: Any = Variant()
    with pytest.raises(SpikeloomError, match="population 'p': variants must be a tuple of Variant"):
        Network((), (Population("p", 1, np.zeros(1, int), variants=alone),), (), schedule=(1,))
