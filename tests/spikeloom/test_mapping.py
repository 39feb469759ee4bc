"""The memory image, read back as docs/hardware.md says the hardware reads it."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import SpikeloomError
from golden.image import Image
from golden.network import Connection, Input, Network, Population
from golden.spec import FabricConfig, Reset
from spikeloom.mapping import map_network

SIZES = ("neurons", "weight_words", "populations", "connections", "targets", "axons", "slots")


@st.composite
def networks(draw: st.DrawFn) -> Network:
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    weight_bits = draw(st.sampled_from([2, 4, 8]))
    number = draw(st.integers(1, 4))
    phases = draw(st.integers(1, number))
    inputs = tuple(Input(f"in{n}", draw(st.integers(1, 9))) for n in range(draw(st.integers(1, 2))))
    populations = tuple(
        Population(
            f"p{n}",
            size,
            rng.integers(-100, 100, size),
            phase=(number - 1 - n) % phases,
            decay=draw(st.integers(0, 4096)),
            threshold=draw(st.integers(-32768, 32767)),
            inclusive=draw(st.booleans()),
            spiking=draw(st.booleans()),
            reset=draw(st.sampled_from(Reset)),
            v_reset=draw(st.integers(-32768, 32767)),
            v_init=draw(st.integers(-32768, 32767)),
        )
        for n in range(number)
        for size in [draw(st.integers(1, 20))]
    )
    top = 1 << (weight_bits - 1)
    connections = []
    for _ in range(draw(st.integers(0, 7))):
        source, target = (
            draw(st.sampled_from((*inputs, *populations))),
            draw(st.sampled_from(populations)),
        )
        at_once = isinstance(source, Input) or source.phase < target.phase
        connections.append(
            Connection(
                source.name,
                target.name,
                rng.integers(-top, top, (source.size, target.size)),
                draw(st.integers(0 if at_once else 1, 4)),
            )
        )
    return Network(inputs, populations, tuple(connections), weight_bits=weight_bits)


def exact_fit(net: Network, lanes: int, **changed: int) -> FabricConfig:
    """The smallest fabric for `net` with every population recorded, sized without the mapper."""

    def groups(size: int) -> int:
        return (size + lanes - 1) // lanes

    # Groups of all populations but the last, and the neurons of the last.
    last = max(net.populations, key=lambda p: p.phase)
    last = [p for p in net.populations if p.phase == last.phase][-1]
    before = sum(groups(p.size) for p in net.populations if p is not last)
    spiking = {p.name for p in net.populations if p.spiking}
    sizes = {
        "neurons": before * lanes + last.size,
        "weight_words": sum(len(c.weights) * groups(net.size(c.target)) for c in net.connections),
        "populations": len(net.populations),
        "connections": len(net.connections),
        "targets": len(spiking) + sum(c.source in spiking for c in net.connections),
        "axons": max((len(c.weights) for c in net.connections), default=1),
        "slots": 1 + max((c.delay for c in net.connections), default=0),
    }
    return FabricConfig(
        lanes=lanes,
        weight_bits=net.weight_bits,
        **{name: max(1, size) for name, size in (sizes | changed).items()},
    )


def map_all(net: Network, config: FabricConfig) -> Image:
    everyone = frozenset(p.name for p in net.populations)
    return map_network(net, config, everyone, everyone)


def row(word: int, fields: dict[str, int], signed: frozenset[str] = frozenset()) -> dict[str, int]:
    """The fields of a row, widths by name, lowest first."""
    values = {}
    for name, width in fields.items():
        value = word % 2**width
        if name in signed and value >= 2 ** (width - 1):
            value -= 2**width
        values[name] = value
        word //= 2**width
    assert word == 0
    return values


def bits(count: int) -> int:
    """Bits that numbers below `count` take, at least one."""
    return max(1, len(f"{count - 1:b}"))


class Walker:
    """Reads an image as the hardware does."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.config = c = image.config
        groups = (c.neurons + c.lanes - 1) // c.lanes
        rows, state = bits(groups * c.slots), c.state_bits
        self.population_fields = {
            "neurons": bits(c.neurons + 1),
            "neuron_base": bits(c.neurons),
            "sum_base": rows,
            "retain": 13,
            "threshold": state,
            "v_reset": state,
            "v_init": state,
            "reset": 2,
            "inclusive": 1,
            "spiking": 1,
            "readout": 1,
            "target_base": bits(c.targets),
            "fan_out": bits(c.targets + 1),
            "more": 1,
        }
        self.populations = [
            row(word, self.population_fields, frozenset({"threshold", "v_reset", "v_init"}))
            for word in image.populations
        ]
        self.connections = [
            row(
                word,
                {
                    "weight_base": bits(c.weight_words),
                    "sources": bits(c.axons + 1),
                    "sum_base": rows,
                    "groups": bits(groups + 1),
                    "synapses": bits(c.neurons + 1),
                },
            )
            for word in image.connections
        ]
        self.targets = [
            row(word, {"host": 1, "connection": bits(c.connections), "delay": bits(c.slots)})
            for word in image.targets
        ]
        self.control = row(
            image.control, {"last_phase": bits(c.populations), "window": bits(c.slots)}
        )
        self.read: list[int] = []

    def fan_out(self, number: int) -> list[dict[str, int]]:
        entry = self.populations[number]
        return self.targets[entry["target_base"] :][: entry["fan_out"]]

    def matrix(self, number: int) -> dict[tuple[int, int], int]:
        """Weight of each (source, row of state memory) of a connection, padding included."""
        entry, c = self.connections[number], self.config
        weights = {}
        for index in range(entry["sources"]):
            for g in range(entry["groups"]):
                address = entry["weight_base"] + index + g * entry["sources"]
                self.read.append(address)
                lanes = row(
                    self.image.weights[address],
                    {str(lane): c.weight_bits for lane in range(c.lanes)},
                    frozenset(map(str, range(c.lanes))),
                )
                # The accumulator row of slot 0 of a group is group * slots.
                group, slot = divmod(entry["sum_base"] + g * c.slots, c.slots)
                assert slot == 0
                for lane in range(c.lanes):
                    weights[index, group * c.lanes + lane] = lanes[str(lane)]
        return weights


@settings(deadline=None)
@given(networks(), st.integers(1, 16), st.integers(0, 5))
def test_every_synapse_is_found_once(net: Network, lanes: int, spare: int) -> None:
    config = exact_fit(net, lanes)
    config = dataclasses.replace(config, neurons=config.neurons + spare, slots=config.slots + spare)
    image = map_all(net, config)
    walker = Walker(image)
    order = sorted(net.populations, key=lambda p: p.phase)
    assert [r.name for r in image.rows] == [p.name for p in order]

    base = {}
    taken: set[int] = set()
    for p, entry in zip(order, walker.populations, strict=True):
        base[p.name] = entry["neuron_base"]
        # Whole groups, shared by nobody; the accumulators of the same groups.
        assert entry["neuron_base"] % lanes == 0
        assert entry["sum_base"] == entry["neuron_base"] // lanes * config.slots
        mine = set(range(entry["neuron_base"], entry["neuron_base"] + p.size))
        padded = {n // lanes for n in mine}
        assert taken.isdisjoint(padded)
        taken |= padded
        assert max(mine) < config.neurons

    # Which connections lead where, and what their matrices hold.
    found: list[Connection] = []
    for p, number in zip(order, range(len(order)), strict=True):
        hosts = 0
        for entry in walker.fan_out(number):
            if entry["host"]:
                hosts += 1
                continue
            connection = net.connections[entry["connection"]]
            assert (connection.source, connection.delay) == (p.name, entry["delay"])
            found.append(connection)
        assert hosts == p.spiking
    for name, number, delay in image.inputs:
        connection = net.connections[number]
        assert (connection.source, connection.delay) == (name, delay)
        found.append(connection)
    silent = {p.name for p in net.populations if not p.spiking}
    expected = [c for c in net.connections if c.source not in silent]
    assert sorted(map(id, found)) == sorted(map(id, expected))

    for number, connection in enumerate(net.connections):
        sources, size = connection.weights.shape
        first = base[connection.target]
        weights = walker.matrix(number)
        assert walker.connections[number]["synapses"] == size
        for source in range(sources):
            for n in range(size):
                assert weights.pop((source, first + n)) == connection.weights[source, n]
        # What is left is padding.
        assert not any(weights.values())
        assert all(n - first < -(-size // lanes) * lanes for _, n in weights)
    assert sorted(walker.read) == list(range(len(image.weights)))


@settings(deadline=None)
@given(networks(), st.integers(1, 16))
def test_every_number_of_a_population_is_in_its_row(net: Network, lanes: int) -> None:
    image = map_all(net, exact_fit(net, lanes))
    walker = Walker(image)
    order = sorted(net.populations, key=lambda p: p.phase)
    for number, (p, entry) in enumerate(zip(order, walker.populations, strict=True)):
        assert entry["neurons"] == p.size
        assert entry["retain"] == 4096 - p.decay
        for name in ("threshold", "v_reset", "v_init", "inclusive", "spiking", "reset"):
            assert entry[name] == getattr(p, name), name
        assert entry["readout"] == 1
        same_phase = number + 1 < len(order) and order[number + 1].phase == p.phase
        assert entry["more"] == same_phase
        biases = image.biases[entry["neuron_base"] :][: p.size]
        assert [bias - (bias >> 15 << 16) for bias in biases] == p.bias.tolist()
    phases_fired = 1 + sum(not entry["more"] for entry in walker.populations[:-1])
    assert walker.control["last_phase"] == phases_fired - 1


@settings(deadline=None)
@given(networks(), st.integers(0, 4))
def test_input_runs_ahead_as_far_as_slots_allow(net: Network, spare: int) -> None:
    config = exact_fit(net, 4)
    config = dataclasses.replace(config, slots=config.slots + spare)
    image = map_all(net, config)
    longest = max((delay for _, _, delay in image.inputs), default=0)
    # Slots in use: the step fired, `window` steps ahead of it, and an input delay on top.
    assert 1 + Walker(image).control["window"] + longest == config.slots


def test_only_what_is_recorded_or_read_out_goes_to_the_host() -> None:
    net = Network(
        (Input("in", 1),),
        (
            Population("a", 1, np.zeros(1, np.int64)),
            Population("b", 1, np.zeros(1, np.int64), spiking=False),
        ),
        (),
    )
    config = FabricConfig()
    image = map_network(net, config, frozenset({"b"}), frozenset({"a"}))
    walker = Walker(image)
    assert walker.targets == []
    assert [entry["readout"] for entry in walker.populations] == [1, 0]
    # LI has no spikes to record.
    assert [(r.name, r.recorded, r.readout) for r in image.rows] == [
        ("a", False, True),
        ("b", False, False),
    ]
    image = map_network(net, config, frozenset({"a"}), frozenset())
    assert Walker(image).targets == [{"host": 1, "connection": 0, "delay": 0}]
    assert [(r.recorded, r.readout) for r in image.rows] == [(True, False), (False, False)]


def test_connections_come_before_the_host() -> None:
    net = Network(
        (),
        (Population("a", 1, np.zeros(1, np.int64)),),
        (Connection("a", "a", np.array([[1]]), 1), Connection("a", "a", np.array([[2]]), 2)),
    )
    hosts = [entry["host"] for entry in Walker(map_all(net, FabricConfig())).targets]
    assert hosts == [0, 0, 1]


# What does not fit.


def network() -> Network:
    """Every size matters: two of each kind, and all delays."""
    rng = np.random.default_rng(3)
    return Network(
        (Input("in", 6),),
        (
            Population("a", 5, np.zeros(5, np.int64)),
            Population("b", 3, np.zeros(3, np.int64), phase=1),
        ),
        (
            Connection("in", "a", rng.integers(-9, 9, (6, 5))),
            Connection("a", "b", rng.integers(-9, 9, (5, 3))),
            Connection("b", "a", rng.integers(-9, 9, (3, 5)), 2),
        ),
    )


# With 4 lanes a takes 2 groups and b starts at neuron 8; 6 * 2 + 5 * 1 + 3 * 2 = 23 words of
# weights; a and b each have a connection and the host.
NEEDS = {
    "neurons": 11,
    "weight_words": 23,
    "populations": 2,
    "connections": 3,
    "targets": 4,
    "axons": 6,
    "slots": 3,
}


def test_exact_fit_is_what_was_counted() -> None:
    config = exact_fit(network(), 4)
    assert {name: getattr(config, name) for name in SIZES} == NEEDS
    map_all(network(), config)


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("short", [1, 2])
def test_a_size_too_small_is_named_with_what_is_short(name: str, short: int) -> None:
    have = max(1, NEEDS[name] - short)
    with pytest.raises(SpikeloomError) as error:
        map_all(network(), FabricConfig(lanes=4, **{**NEEDS, name: have}))
    assert str(error.value) == (
        f"the network does not fit the fabric: {name} {NEEDS[name]} of {have} "
        f"(short by {NEEDS[name] - have}); use a larger FabricConfig"
    )


def test_everything_that_is_short_is_named_at_once() -> None:
    with pytest.raises(SpikeloomError) as error:
        map_all(network(), FabricConfig(lanes=4, **dict.fromkeys(NEEDS, 1)))
    for name, need in NEEDS.items():
        assert f"{name} {need} of 1 (short by {need - 1})" in str(error.value)
    assert "\n" not in str(error.value)


@settings(deadline=None)
@given(networks(), st.integers(1, 16), st.sampled_from(SIZES))
def test_exact_fit_is_accepted_and_one_less_refused(net: Network, lanes: int, name: str) -> None:
    config = exact_fit(net, lanes)
    map_all(net, config)
    need = getattr(config, name)
    if need > 1:
        smaller = dataclasses.replace(config, **{name: need - 1})
        with pytest.raises(SpikeloomError, match=rf"{name} {need} of {need - 1} \(short by 1\)"):
            map_all(net, smaller)


@pytest.mark.parametrize(
    ("name", "other"), [("weight_bits", 4), ("state_bits", 12), ("sum_bits", 20)]
)
def test_widths_of_network_and_fabric_agree(name: str, other: int) -> None:
    changed: dict[str, Any] = {name: other}
    with pytest.raises(SpikeloomError, match=f"^{name}: the network has .*, the fabric {other}; "):
        map_all(network(), FabricConfig(**changed))
