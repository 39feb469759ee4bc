"""A random switch of each kind, and populations with those that suit them."""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers, signed_range
from spikeloom.golden.network import Network, Population
from spikeloom.golden.schedule import Variant
from spikeloom.golden.spec import DECAY_ONE, SWITCHES, FabricConfig, Reset
from spikeloom.golden.switches.adaptive_threshold import AdaptiveThreshold
from spikeloom.golden.switches.constant_leak import ConstantLeak
from spikeloom.golden.switches.floor_reset import FloorReset
from spikeloom.golden.switches.input_gain import InputGain
from spikeloom.golden.switches.noise import KINDS, Noise
from spikeloom.golden.switches.refractory import Refractory
from spikeloom.golden.switches.requantise import Requantise
from spikeloom.golden.switches.selection import COMPETITIONS, LOSERS, THENS, Selection
from spikeloom.golden.switches.spike_once import SpikeOnce
from spikeloom.golden.switches.switch import Switch

Rng = np.random.Generator


def _level(rng: Rng, bits: int) -> int:
    """A potential that is not negative: small, any, or the largest."""
    high = signed_range(bits)[1]
    return int(rng.choice([rng.integers(0, 12), rng.integers(0, high + 1), high]))


def _minimum(rng: Rng, bits: int) -> int:
    low, high = signed_range(bits)
    return int(rng.choice([low, high, rng.integers(-9, 10), rng.integers(low, high + 1)]))


def _decay(rng: Rng) -> int:
    return int(rng.choice([0, DECAY_ONE, rng.integers(0, DECAY_ONE + 1)]))


def _gains(rng: Rng, count: int) -> Integers:
    """None, unity, others, and both extremes."""
    kinds = [
        rng.integers(-99, 9000, count),
        rng.choice([0, DECAY_ONE, -DECAY_ONE, 2 * DECAY_ONE], count),
        rng.choice([-32768, 32767], count),
    ]
    return np.choose(rng.integers(0, 3, count), kinds)


def _selection(rng: Rng, bits: int) -> Selection:
    """One that has a meaning for a population with an image; each kind equally often."""
    by_position = bool(rng.integers(2))
    blocks = not by_position and bool(rng.integers(2))
    losers = str(rng.choice(LOSERS))
    return Selection(
        winners=int(rng.choice([1, 1, 2, 3, 15])),
        each=COMPETITIONS[by_position],
        radius=int(rng.choice([0, 1, 2, 15])) if blocks else None,
        losers=losers,
        amount=_level(rng, bits) if losers == "subtract" else 0,
        then=str(rng.choice([then for then in THENS if not (blocks and then == "free")])),
    )


def _noise(rng: Rng, bits: int) -> Noise:
    """Of two amplitudes of each kind, so that a network has few tables."""
    kind = str(rng.choice(list(KINDS)))
    most = signed_range(bits)[1]
    return Noise(kind, int(rng.choice([1, most // 7 if kind == "logistic" else most])))


RANDOM: dict[str, Callable[[Rng, int], Switch]] = {
    "input_gain": lambda rng, bits: InputGain(int(_gains(rng, 1)[0]), int(rng.integers(-20, 21))),
    "constant_leak": lambda rng, bits: ConstantLeak(_level(rng, bits), bool(rng.integers(2))),
    "refractory": lambda rng, bits: Refractory(
        int(rng.choice([1, 2, 3, 63])), str(rng.choice(["hold", "clamp", "mute"]))
    ),
    "floor_reset": lambda rng, bits: FloorReset(_minimum(rng, bits)),
    "requantise": lambda rng, bits: Requantise(int(rng.integers(bits)), _level(rng, bits)),
    "adaptive_threshold": lambda rng, bits: AdaptiveThreshold(
        _level(rng, bits), _decay(rng), bool(rng.integers(2))
    ),
    "noise": _noise,
    "spike_once": lambda rng, bits: SpikeOnce(),
    "selection": _selection,
}
"""For each switch a random one, by the width of a potential."""

assert RANDOM.keys() == SWITCHES.keys()


def with_variants(
    rng: Rng, populations: list[Population], config: FabricConfig
) -> tuple[list[Population], tuple[int, ...]]:
    """The same with random variants, and a schedule of few enough sets of rows."""
    phases = {population.phase for population in populations}
    most = config.populations // (len(populations) + len(phases))
    if most < 2:
        return populations, ()
    lengths = rng.integers(1, 4, int(rng.integers(2, min(most, 6) + 1)))
    schedule = tuple(rng.integers(0, 3, len(lengths)).repeat(lengths).tolist())
    varied = [
        dataclasses.replace(
            population, variants=tuple(_variant(rng, population, config) for _ in range(2))
        )
        for population in populations
    ]
    return varied, schedule


def _variant(rng: Rng, population: Population, config: FabricConfig) -> Variant:
    """Parameters of random others, one by one, as far as they go together."""
    bits = config.state_bits
    fields: dict[str, Any] = {
        "inclusive": bool(rng.integers(2)),
        "v_min": _minimum(rng, bits) if config.lower_clamp else None,
        "spiking": False if rng.integers(3) == 0 else None,
        "switches": with_switches(
            rng, dataclasses.replace(population, switches=()), config
        ).switches,
        "threshold": _minimum(rng, bits),
        "decay": _decay(rng),
        "reset": Reset(int(rng.integers(3))),
        "v_reset": _minimum(rng, bits),
    }
    variant = Variant()
    for name, value in fields.items():
        more = dataclasses.replace(variant, **{name: value})
        with contextlib.suppress(SpikeloomError):
            several = dataclasses.replace(population, phase=0, variants=(more,))
            Network((), (several,), (), state_bits=bits, schedule=(1,), seed=0)
            variant = more
    return variant


def with_switches(rng: Rng, population: Population, config: FabricConfig) -> Population:
    """The same with random switches of those that the fabric has, as far as they suit it.

    With `selection` some have one whatever they had that does not go with it.
    """
    order = rng.permutation([name for name in config.switches if name in RANDOM]).tolist()
    selects = config.selection and rng.integers(3) == 0
    if selects:
        order.sort(key=lambda name: name != "selection")
        reset = Reset.VALUE if population.reset is Reset.RESTORE else population.reset
        changes = {"signed": False, "delayed_reset": False, "reset": reset}
        population = dataclasses.replace(population, max_spikes=1, **changes)
    for name in order:  # some exclude each other
        if rng.random() < 0.3 and not (selects and name == "selection"):
            continue
        switch = RANDOM[name](rng, config.state_bits)
        if isinstance(switch, InputGain) and rng.integers(2):
            channels = population.image[0] if population.image else population.size
            several = int(rng.choice([population.size, channels]))
            low, high = signed_range(config.state_bits)
            offsets = rng.choice([low, high, 0, *range(-9, 10)], several)
            switch = InputGain(_gains(rng, several), offsets if rng.integers(2) else switch.offset)
        if isinstance(switch, Selection) and population.image is None:
            switch = dataclasses.replace(switch, each="population", radius=None)
        more = dataclasses.replace(population, switches=(*population.switches, switch))
        with contextlib.suppress(SpikeloomError):
            Network(
                (), (dataclasses.replace(more, phase=0),), (), state_bits=config.state_bits, seed=0
            )
            population = more
    return population
