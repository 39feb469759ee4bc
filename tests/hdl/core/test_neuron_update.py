"""The neuron update in hardware is that of the golden model, in every build."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from random_switches import RANDOM, with_switches

from spikeloom.golden.fixed import Integers, signed_range
from spikeloom.golden.network import Population
from spikeloom.golden.spec import DECAY_ONE, NOISE_ROWS, SWITCHES, FabricConfig, Reset
from spikeloom.golden.spec.switches import STATE
from spikeloom.golden.step.neuron import Neurons, State
from spikeloom.golden.switches.input_gain import InputGain
from spikeloom.golden.switches.noise import Noise
from spikeloom.hdl.core.neuron import NeuronUpdate
from spikeloom.hdl.core.noise import NOISE_CLOCKS

STATE_BITS, SUM_BITS = 8, 10
LOW, HIGH = signed_range(STATE_BITS)
NEURONS = 14
POPULATIONS = 100

BUILDS = list(itertools.product((False, True), (False, True), (False, True), (1, 3, 15)))


def config(
    synaptic: bool,
    delayed: bool,
    clamp: bool,
    max_spikes: int,
    multipliers: bool = True,
    **options: Any,
) -> FabricConfig:
    return FabricConfig(
        state_bits=STATE_BITS,
        sum_bits=SUM_BITS,
        synaptic_current=synaptic,
        delayed_reset=delayed,
        lower_clamp=clamp,
        max_spikes=max_spikes,
        multipliers=multipliers,
        **options,
    )


def numbers(rng: np.random.Generator, bits: int, count: int) -> Integers:
    """Small ones, any, and both extremes with their neighbours."""
    low, high = signed_range(bits)
    kinds = [
        rng.integers(-9, 10, count),
        rng.integers(low, high + 1, count),
        rng.choice([low, low + 1, high - 1, high], count),
    ]
    return np.choose(rng.integers(0, 3, count), kinds)


def population(rng: np.random.Generator, built: FabricConfig) -> Population:
    """Any that the network's checks let through, and the build has."""
    count = NEURONS if built.neuron_parameters else 1

    def each(values: Integers) -> int | Integers:
        """One of them for each neuron, or the first for all."""
        return values if built.neuron_parameters else int(values[0])

    allowed = [n for n in (1, 3, 7, 15) if n <= built.max_spikes]
    several = int(rng.choice([*allowed, built.max_spikes]))
    threshold = numbers(rng, STATE_BITS, count)
    signed = built.signed_spikes and rng.random() < 0.8
    if several > 1 or signed:
        threshold = rng.choice([1, 2, 5, 8, HIGH, rng.integers(1, HIGH)], count)
    resets = [Reset.VALUE, Reset.SUBTRACT, Reset.NONE]
    late = built.delayed_reset and several == 1 and not signed
    if late:
        resets.append(Reset.RESTORE)
    reset = resets[rng.integers(len(resets))]
    decays = [0, 1, DECAY_ONE, rng.integers(0, DECAY_ONE)]
    growing = [*decays, -1, -DECAY_ONE, -rng.integers(0, DECAY_ONE)] if built.doubling else decays
    synaptic = built.synaptic_current and rng.random() < 0.8
    plain = Population(
        "p",
        NEURONS,
        np.zeros(NEURONS, np.int64),
        decay=each(rng.choice(growing, count)),
        threshold=each(threshold),
        inclusive=bool(rng.integers(2)),
        spiking=rng.random() < 0.85,
        reset=reset,
        v_reset=each(numbers(rng, STATE_BITS, count)),
        synaptic_decay=each(rng.choice(decays, count)) if synaptic else None,
        leak=numbers(rng, STATE_BITS, NEURONS) if synaptic and rng.integers(2) else None,
        subtrahend=None if several > 1 else each(numbers(rng, STATE_BITS, count)),
        delayed_reset=late and reset is not Reset.RESTORE and bool(rng.integers(2)),
        v_min=(
            int(numbers(rng, STATE_BITS, 1)[0])
            if built.lower_clamp and not (built.floor_reset and rng.integers(2))
            else None
        ),
        max_spikes=several,
        signed=signed,
    )
    # A selection is about many neurons; `test_equality` covers it.
    return with_switches(rng, plain, dataclasses.replace(built, selection=False))


def parameters(built: FabricConfig, p: Population) -> dict[str, int | Integers]:
    """Those that can differ between neurons."""
    subtrahend = p.threshold if p.subtrahend is None else p.subtrahend
    values = {
        "retain": DECAY_ONE - p.decay,
        "threshold": p.threshold,
        "v_reset": subtrahend if p.reset in (Reset.SUBTRACT, Reset.RESTORE) else p.v_reset,
    }
    if built.synaptic_current:
        synaptic = p.synaptic_decay is not None
        values["retain_synaptic"] = DECAY_ONE - p.synaptic_decay if synaptic else 0
    return values


def row(rng: np.random.Generator, built: FabricConfig, p: Population) -> int:
    """That of a population; switches that are off have fields of others."""
    values = {
        "reset": int(p.reset),
        "inclusive": p.inclusive,
        "spiking": p.spiking,
    }
    if built.synaptic_current and p.synaptic_decay is not None:
        values["synaptic"] = 1
    if built.delayed_reset:
        values["delayed"] = p.delayed_reset
    if built.lower_clamp:
        values["v_min"] = LOW if p.v_min is None else p.v_min
    if built.max_spikes > 1:
        values["max_spikes"] = p.max_spikes
    if built.signed_spikes:
        values["signed"] = p.signed
    if not built.neuron_parameters:
        values |= parameters(built, p)
    for name in built.switches:
        off = RANDOM[name](rng, STATE_BITS)
        values |= {f"{name}_{field}": value for field, value in off.fields().items()}
    for switch in p.switches:
        if not SWITCHES[switch.name].constants:
            values[switch.name] = 1
        values |= {f"{switch.name}_{name}": value for name, value in switch.fields().items()}
    return built.population_row.pack(values)


def scaling(built: FabricConfig, p: Population) -> dict[str, Integers]:
    """Of a build with gains, what a neuron's row has for them."""
    own = next((switch for switch in p.switches if isinstance(switch, InputGain)), InputGain())
    gain, offset = own.each(NEURONS)
    return {"gain": gain, "bias": offset << 12} if built.input_gain else {}


def random_kept(rng: np.random.Generator, built: FabricConfig) -> dict[str, dict[str, Integers]]:
    """What switches may keep, half of it nothing; those too that it had in the step before."""
    return {
        name: {
            field: rng.integers(2, size=NEURONS)
            * rng.integers(0, 1 << (width if width != STATE else STATE_BITS - 1), NEURONS)
            for field, width in SWITCHES[name].kept
        }
        for name in built.switches
    }


def packed_kept(built: FabricConfig, kept: Mapping[str, Mapping[str, Integers]]) -> list[int]:
    """The same of each neuron, packed as the hardware has it."""
    return [
        built.kept_row.pack(
            {
                f"{switch}_{field}": int(values[n])
                for switch, fields in kept.items()
                for field, values in fields.items()
            }
        )
        for n in range(NEURONS)
    ]


def cases(built: FabricConfig, input_bits: int) -> Iterator[tuple[Population, State, Integers]]:
    rng = np.random.default_rng([built.fire_clocks, built.max_spikes, built.delayed_reset])
    for _ in range(POPULATIONS):
        p = population(rng, built)
        v, i = (numbers(rng, STATE_BITS, NEURONS) for _ in range(2))
        x = numbers(rng, input_bits, NEURONS)
        # Half of them come to stand at a multiple of the threshold, or beside it.
        near = p.threshold * rng.integers(1, p.max_spikes + 2, NEURONS)
        if p.signed:
            near = near * rng.choice([-1, 1], NEURONS)
        if p.leak is not None:
            near = near - p.leak
        near = np.clip(near + rng.integers(-1, 2, NEURONS), *signed_range(input_bits))
        at = rng.integers(2, size=NEURONS) == 0
        v, i, x = np.where(at, 0, v), np.where(at, 0, i), np.where(at, near, x)
        # And the potential before too, for the delayed reset.
        v = np.where(rng.integers(4, size=NEURONS) == 0, np.clip(near, LOW, HIGH), v)
        yield p, State(v, i, random_kept(rng, built)), x


@pytest.mark.parametrize("multipliers", [True, False])
@pytest.mark.parametrize(("synaptic", "delayed", "clamp", "max_spikes"), BUILDS)
def test_update(
    synaptic: bool, delayed: bool, clamp: bool, max_spikes: int, multipliers: bool
) -> None:
    check(config(synaptic, delayed, clamp, max_spikes, multipliers))


@pytest.mark.parametrize("build", ["plain", "full"])
def test_update_with_fraction_bits(build: str) -> None:
    full = build == "full"
    check(config(full, full, full, 3 if full else 1, fraction_bits=5))


NEURON_PARAMETERS = {
    "plain": {},
    "without multipliers": {"multipliers": False},
    "several spikes": {"max_spikes": 7},
    "synaptic current, delayed reset": {"synaptic": True, "delayed": True},
    "everything": {
        "synaptic": True,
        "delayed": True,
        "clamp": True,
        "max_spikes": 3,
        "multipliers": False,
        "fraction_bits": 5,
    },
}


@pytest.mark.parametrize("build", NEURON_PARAMETERS)
def test_update_with_parameters_of_each_neuron(build: str) -> None:
    plain = {"synaptic": False, "delayed": False, "clamp": False, "max_spikes": 1}
    check(config(**plain | NEURON_PARAMETERS[build], neuron_parameters=True))


SWITCH_BUILDS: dict[str, dict[str, Any]] = {
    **{name: {name: True} for name in SWITCHES},
    "doubling": {"doubling": True},
    "signed": {"signed_spikes": True},
    "signed, several": {"signed_spikes": True, "max_spikes": 7, "delayed": True},
    "all, without multipliers": {**dict.fromkeys(SWITCHES, True), "multipliers": False},
    "all and everything else": {
        **dict.fromkeys(SWITCHES, True),
        "doubling": True,
        "synaptic": True,
        "delayed": True,
        "clamp": True,
        "max_spikes": 3,
        "neuron_parameters": True,
        "fraction_bits": 5,
        "signed_spikes": True,
    },
}


@pytest.mark.parametrize("build", SWITCH_BUILDS)
def test_update_with_switches(build: str) -> None:
    plain = {"synaptic": False, "delayed": False, "clamp": False, "max_spikes": 1}
    check(config(**plain | SWITCH_BUILDS[build]))


def check(built: FabricConfig) -> None:
    """Every spike, potential and synaptic current is that of the golden model."""
    synaptic, max_spikes = built.synaptic_current, built.max_spikes
    dut = NeuronUpdate(built)
    latency = dut.latency
    keeps = bool(built.kept_row.fields)
    seen: set[int] = set()
    have: set[str] = set()
    rng = np.random.default_rng(0)

    async def bench(ctx) -> None:  # noqa: ANN001
        for p, state, x in cases(built, dut.input_bits):
            v, i = state.v, state.i
            kept = packed_kept(built, state.kept)
            random_numbers = rng.integers(1 << 32, size=NEURONS)
            noise = numbers(rng, STATE_BITS, NEURONS)
            for switch in p.switches:
                if isinstance(switch, Noise):
                    noise = switch.table[random_numbers % NOISE_ROWS]
            leak = np.zeros(NEURONS, np.int64) if p.leak is None else p.leak
            ctx.set(dut.row.as_value(), row(rng, built, p))
            own = parameters(built, p) if built.neuron_parameters else {}
            scales = scaling(built, p)
            spiked, v_next, i_next, kept_next = [], [], [], []
            # One neuron in every clock, its input a clock later; something else before and after.
            for clock in range(NEURONS + latency + 1):
                n = clock % NEURONS
                ctx.set(dut.v, int(v[n]))
                ctx.set(dut.x, int(x[n - 1]))
                for name, values in scales.items():
                    ctx.set(getattr(dut, name), int(values[n - 1]))
                if built.noise:
                    ctx.set(dut.noise, int(noise[(clock + 1 - NOISE_CLOCKS) % NEURONS]))
                for name, values in own.items():
                    ctx.set(getattr(dut, name), int(np.broadcast_to(values, NEURONS)[n]))
                if synaptic:
                    ctx.set(dut.i, int(i[n]))
                    ctx.set(dut.leak, int(leak[n - 1]))
                    i_next.append(ctx.get(dut.i_next))
                if keeps:
                    ctx.set(dut.kept.as_value(), kept[n])
                    kept_next.append(ctx.get(dut.kept_next.as_value()))
                negative = built.signed_spikes and ctx.get(dut.negative)
                spiked.append(ctx.get(dut.spiked) * (-1 if negative else 1))
                v_next.append(ctx.get(dut.v_next))
                await ctx.tick()
            neurons = Neurons(p, STATE_BITS)
            spikes, expected = neurons.update(state, x, lambda size, of=random_numbers: of)
            there = slice(latency, latency + NEURONS)
            np.testing.assert_array_equal(spiked[there], spikes, str(p))
            np.testing.assert_array_equal(v_next[there], expected.v, str(p))
            if synaptic:
                current = np.zeros(NEURONS) if p.synaptic_decay is None else expected.i
                first = dut.current_latency
                np.testing.assert_array_equal(i_next[first : first + NEURONS], current, str(p))
            if keeps:
                assert kept_next[there] == packed_kept(built, expected.kept), str(p)
            seen.update(spikes.tolist())
            have.update(switch.name for switch in p.switches)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == set(range(-max_spikes if built.signed_spikes else 0, max_spikes + 1))
    assert have == set(built.switches) - {"selection"}


def test_clocks() -> None:
    clocks = {build: config(*build).fire_clocks for build in BUILDS}
    assert clocks[False, False, False, 1] == clocks[False, True, False, 1] == 6
    assert clocks[True, False, False, 1] == 8
    assert clocks[False, False, True, 1] == clocks[False, False, False, 3] == 7
    assert clocks[True, True, True, 15] == 12
    assert config(True, True, True, 15, multipliers=False).fire_clocks == 13


def test_a_build_without_a_feature_has_no_ports_for_it() -> None:
    plain = NeuronUpdate(config(False, False, False, 1))
    Simulator(plain)  # elaborates it
    assert set(plain.signature.members) == {"row", "v", "x", "spiked", "v_next"}
    assert plain.signature.members["spiked"].shape == 1
