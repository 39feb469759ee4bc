"""Sizes, widths and layouts: packing, validation and the smallest fabrics."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import (
    SWITCHES,
    FabricConfig,
    Field,
    Layout,
    LoadTarget,
    count_bits,
    index_bits,
    layout,
)

LAYOUTS = [
    "weight_row",
    "bias_row",
    "population_row",
    "connection_row",
    "target_row",
    "route_row",
    "control_row",
    "host_in",
    "host_out",
    "event",
    "fire",
    "spike",
    "load",
    "counters",
    "sum_row",
    "coordinate_row",
    "noise_row",
    "random_row",
    "rule_row",
    "term_row",
    "curve_row",
    "axon_row",
    "learn_row",
]

RANGES = {
    "columns": (1, 8),
    "rows": (1, 8),
    "lanes": (1, 16),
    "state_bits": (8, 24),
    "sum_bits": (8, 32),
    "neurons": (1, 65536),
    "weight_words": (1, 1 << 24),
    "slots": (1, 16),
    "axons": (1, 65536),
    "populations": (1, 256),
    "connections": (1, 1024),
    "targets": (1, 1024),
    "queue": (1, 1024),
    "counter_bits": (16, 64),
    "routes": (1, 1024),
    "buffer": (3, 16),
    "extent": (1, 256),
    "coordinates": (1, 65536),
    "fraction_bits": (0, 12),
    "noise_tables": (1, 16),
    "sparse_words": (0, 1 << 24),
    "rules": (1, 8),
    "rule_terms": (1, 2),
    "plastic_axons": (1, 65536),
    "stamp_bits": (8, 16),
}

BOOLS = [
    field.name for field in dataclasses.fields(FabricConfig) if isinstance(field.default, bool)
]


@st.composite
def configs(draw: st.DrawFn) -> FabricConfig:
    values = {name: draw(st.integers(low, high)) for name, (low, high) in RANGES.items()}
    values["queue"] = max(values["queue"], values["lanes"])
    values["sparse_words"] *= draw(st.integers(0, 1))
    # A packet to the host has at most 64 bits.
    population = index_bits(values["populations"] * values["columns"] * values["rows"])
    index = index_bits(max(values["axons"], values["neurons"]))
    rest = 64 - 2 - population - index - 2 * index_bits(values["extent"])
    values["state_bits"] = min(values["state_bits"], rest)
    weight_bits = draw(st.sampled_from([2, 4, 8]))
    switches = {name: draw(st.booleans()) for name in BOOLS}
    switches["initial_potentials"] &= switches["neuron_parameters"]
    for name in ("one_to_one", "plasticity"):
        switches[name] &= values["lanes"] in (1, 2, 4, 8, 16)
    for name in ("eligibility", "two_ports"):
        switches[name] &= switches["plasticity"]
    values["learn_lanes"] = (
        values["lanes"] >> draw(st.integers(0, 4)) if switches["plasticity"] else 0
    )
    switches["plastic_kernels"] &= switches["plasticity"] and values["extent"] > 1
    if switches["weight_pairs"]:
        values["sum_bits"] = max(values["sum_bits"], 2 * weight_bits)
    max_spikes = draw(st.sampled_from([1, 3, 7, 15, 31]))
    sizes: dict[str, Any] = {**values, **switches}
    return FabricConfig(weight_bits=weight_bits, max_spikes=max_spikes, **sizes)


@st.composite
def layouts_with_values(draw: st.DrawFn) -> tuple[Layout, dict[str, int]]:
    fields = []
    values = {}
    for n in range(draw(st.integers(1, 8))):
        width, signed = draw(st.integers(1, 70)), draw(st.booleans())
        fields.append(Field(f"f{n}", width, signed))
        low = -(1 << (width - 1)) if signed else 0
        high = (1 << (width - signed)) - 1
        values[f"f{n}"] = draw(st.one_of(st.sampled_from([low, high]), st.integers(low, high)))
    return Layout(tuple(fields)), values


@given(layouts_with_values())
def test_pack_and_unpack_are_inverse(case: tuple[Layout, dict[str, int]]) -> None:
    word_layout, values = case
    word = word_layout.pack(values)
    assert 0 <= word < 1 << word_layout.width
    assert word_layout.unpack(word) == values


@given(layouts_with_values(), st.data())
def test_unpack_and_pack_are_inverse(
    case: tuple[Layout, dict[str, int]], data: st.DataObject
) -> None:
    word_layout, _ = case
    word = data.draw(st.integers(0, (1 << word_layout.width) - 1))
    assert word_layout.pack(word_layout.unpack(word)) == word


def test_first_field_is_in_the_lowest_bits() -> None:
    # a = 5 in bits 0..2, b = -2 = 0b110 in bits 3..5, c = 1 in bit 6: 0b1_110_101.
    packed = layout(("a", 3), ("b", 3, True), ("c", 1)).pack({"a": 5, "b": -2, "c": 1})
    assert packed == 0b1_110_101


def test_a_field_without_a_value_is_zero() -> None:
    assert layout(("a", 3), ("b", 3)).pack({"b": 1}) == 0b001_000


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"a": 8}, r"^a must be 0\.\.7, not 8$"),
        ({"a": -1}, r"^a must be 0\.\.7, not -1$"),
        ({"b": 4}, r"^b must be -4\.\.3, not 4$"),
        ({"b": -5}, r"^b must be -4\.\.3, not -5$"),
        ({"z": 0, "y": 0}, "^no such field: y, z$"),
    ],
)
def test_pack_refuses_values_that_do_not_fit(values: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layout(("a", 3), ("b", 3, True)).pack(values)


@pytest.mark.parametrize(("count", "bits"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (65536, 16)])
def test_index_bits(count: int, bits: int) -> None:
    assert index_bits(count) == bits


@pytest.mark.parametrize(("limit", "bits"), [(0, 1), (1, 1), (2, 2), (3, 2), (4, 3), (65536, 17)])
def test_count_bits(limit: int, bits: int) -> None:
    assert count_bits(limit) == bits


@given(configs())
def test_configuration_comes_back_from_json(config: FabricConfig) -> None:
    assert FabricConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "3", '"lanes"', "{}", '{"lanes": 8}'],
)
def test_json_without_a_configuration_is_refused(text: str) -> None:
    with pytest.raises(SpikeloomError, match=r"^FabricConfig: "):
        FabricConfig.from_json(text)


def test_json_with_one_key_more_is_refused() -> None:
    values = json.loads(FabricConfig().to_json()) | {"colour": 1}
    with pytest.raises(SpikeloomError, match="exactly the keys"):
        FabricConfig.from_json(json.dumps(values))


def test_json_with_a_wrong_value_names_the_field() -> None:
    values = json.loads(FabricConfig().to_json()) | {"slots": "four"}
    with pytest.raises(SpikeloomError, match=r"FabricConfig\.slots must be an integer, not 'four'"):
        FabricConfig.from_json(json.dumps(values))


@pytest.mark.parametrize("name", RANGES)
def test_ends_of_a_range_are_accepted_and_one_beyond_is_refused(name: str) -> None:
    low, high = RANGES[name]
    others: dict[str, Any] = {"lanes": 1} if name == "queue" else {}
    if name == "lanes":
        others = {"queue": 16}
    for value in (low, high):
        FabricConfig(**{**others, name: value})
    for value in (low - 1, high + 1):
        with pytest.raises(SpikeloomError) as error:
            FabricConfig(**{**others, name: value})
        assert str(error.value) == f"FabricConfig.{name} must be {low}..{high}, not {value}"


@pytest.mark.parametrize("value", [0, 1, 3, 5, 16, -8])
def test_weight_bits_are_2_4_or_8(value: int) -> None:
    with pytest.raises(SpikeloomError, match=f"weight_bits must be 2, 4 or 8, not {value}$"):
        FabricConfig(weight_bits=value)


def test_queue_holds_at_least_a_group() -> None:
    FabricConfig(lanes=8, queue=8)
    with pytest.raises(SpikeloomError, match=r"queue must be at least lanes \(8\), not 7"):
        FabricConfig(lanes=8, queue=7)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"fire_lanes": 3, "lanes": 3}, r"must be 1, 2, 4 or 8 and divide lanes \(3\), not 3"),
        ({"fire_lanes": 8, "lanes": 4}, r"must be 1, 2, 4 or 8 and divide lanes \(4\), not 8"),
        ({"fire_lanes": 9}, r"fire_lanes must be 1\.\.8, not 9"),
        ({"fire_lanes": 4, "neurons": 3}, r"neurons must be at least fire_lanes \(4\), not 3"),
        ({"fire_lanes": 4, "queue": 1}, r"queue must be at least lanes / fire_lanes \(2\), not 1"),
        ({"fire_lanes": 2, "selection": True}, "selection cannot be built with several fire lanes"),
    ],
)
def test_fire_lanes_that_cannot_be_built(sizes: dict, message: str) -> None:
    with pytest.raises(SpikeloomError, match=message):
        FabricConfig(**sizes)


@pytest.mark.parametrize("value", [0, 2, 5, 8, 32, -1])
def test_max_spikes_is_one_less_than_a_power_of_two(value: int) -> None:
    with pytest.raises(SpikeloomError, match=f"max_spikes must be 1, 3, 7, 15 or 31, not {value}$"):
        FabricConfig(max_spikes=value)


def test_an_event_has_room_for_the_spikes_of_a_step() -> None:
    FabricConfig(max_spikes=7, graded_bits=3)
    with pytest.raises(SpikeloomError, match="must be 0, or at least 3 with max_spikes=7"):
        FabricConfig(max_spikes=7, graded_bits=2)
    with pytest.raises(SpikeloomError, match="graded_bits and doubling cannot be built together"):
        FabricConfig(graded_bits=2, doubling=True)


def test_a_packet_to_the_host_has_at_most_64_bits() -> None:
    widest = FabricConfig(populations=64, neurons=1 << 16, extent=256, state_bits=24)
    assert widest.host_out.width == 64
    for populations, width in ((65, 65), (256, 66)):
        with pytest.raises(SpikeloomError) as error:
            dataclasses.replace(widest, populations=populations)
        assert str(error.value).startswith(
            f"FabricConfig: a packet to the host (host_out) has {width} bits (kind 2, population "
        )
        assert str(error.value).endswith(
            "reduce tiles, populations, neurons and axons, extent or state_bits"
        )


@pytest.mark.parametrize("name", ["one_to_one", "plasticity"])
def test_options_that_need_lanes_that_are_a_power_of_two(name: str) -> None:
    FabricConfig(lanes=1, **{name: True})
    with pytest.raises(SpikeloomError) as error:
        FabricConfig(lanes=6, **{name: True})
    assert str(error.value) == f"FabricConfig.lanes must be 1, 2, 4, 8 or 16 with {name}, not 6"


def test_lanes_that_learn_divide_the_lanes() -> None:
    assert FabricConfig(lanes=8, plasticity=True).learn_passes == 1
    for lanes, passes in ((8, 1), (4, 2), (2, 4), (1, 8)):
        config = FabricConfig(lanes=8, plasticity=True, learn_lanes=lanes)
        assert config.learn_passes == passes
    for lanes in (3, 16):
        with pytest.raises(SpikeloomError, match=r"must be 0 or divide lanes \(8\), not"):
            FabricConfig(lanes=8, plasticity=True, learn_lanes=lanes)
    with pytest.raises(SpikeloomError, match=r"learn_lanes must be 0\.\.16, not 17"):
        FabricConfig(lanes=16, plasticity=True, learn_lanes=17)


def test_what_needs_learning() -> None:
    with pytest.raises(SpikeloomError, match="learn_lanes needs plasticity=True"):
        FabricConfig(learn_lanes=4)
    with pytest.raises(SpikeloomError, match="eligibility needs plasticity=True"):
        FabricConfig(eligibility=True)
    with pytest.raises(SpikeloomError, match="two_ports needs plasticity=True"):
        FabricConfig(two_ports=True)
    with pytest.raises(SpikeloomError, match="plastic_kernels needs plasticity=True"):
        FabricConfig(plastic_kernels=True, extent=4)
    with pytest.raises(SpikeloomError, match="plastic_kernels needs images: an extent above 1"):
        FabricConfig(plastic_kernels=True, plasticity=True)


def test_what_neurons_keep_and_events_count_has_no_bit_too_many_or_few() -> None:
    options = dict.fromkeys(SWITCHES, True) | {"neuron_parameters": True, "plasticity": True}
    kept = FabricConfig(signed_spikes=True, state_bits=16, **options).kept_row
    assert {field.name: field.width for field in kept.fields} == {
        "refractory_count": 6,  # 0..63
        "adaptive_threshold_adaptation": 16,
        "spike_once_latch": 1,
        "selection_status": 2,
        "selection_count": 4,
        "plasticity_spiked": 1,
        "plasticity_recent": 6,
        "plasticity_potential": 16,
    }
    plain, signed = (FabricConfig(signed_spikes=signs).event.width for signs in (False, True))
    assert signed == plain + 1


def test_memories_of_the_default_fabric_have_a_row_for_every_address() -> None:
    for memory in FabricConfig().memories.values():
        assert memory.depth.bit_count() <= 1  # none where it is absent


def test_weight_pairs_need_room_in_a_sum() -> None:
    FabricConfig(weight_pairs=True, weight_bits=8, sum_bits=16)
    FabricConfig(weight_pairs=True, weight_bits=4, sum_bits=8)
    with pytest.raises(SpikeloomError, match="sum_bits must be at least 16 with weight_pairs, not"):
        FabricConfig(weight_pairs=True, weight_bits=8, sum_bits=15)


@pytest.mark.parametrize("name", BOOLS)
@pytest.mark.parametrize("value", [1, 0, "yes", None])
def test_a_switch_that_is_no_bool_is_refused(name: str, value: Any) -> None:
    with pytest.raises(SpikeloomError, match=rf"^FabricConfig\.{name} must be True or False, not "):
        FabricConfig(**{name: value})


@pytest.mark.parametrize(
    "name",
    [field.name for field in dataclasses.fields(FabricConfig) if field.name not in BOOLS],
)
@pytest.mark.parametrize("value", [True, 8.0, "8", None])
def test_a_size_that_is_no_integer_is_refused(name: str, value: Any) -> None:
    with pytest.raises(SpikeloomError, match=rf"^FabricConfig\.{name} must be an integer, not "):
        FabricConfig(**{name: value})


@pytest.mark.parametrize(
    "config",
    [
        FabricConfig(
            lanes=1,
            weight_bits=2,
            state_bits=8,
            sum_bits=8,
            neurons=1,
            weight_words=1,
            slots=1,
            axons=1,
            populations=1,
            connections=1,
            targets=1,
            queue=1,
            counter_bits=16,
            routes=1,
        ),
        FabricConfig(neurons=1),
        FabricConfig(lanes=1),
        FabricConfig(slots=1),
        FabricConfig(lanes=16, neurons=1, axons=1),
    ],
)
def test_every_field_of_the_smallest_fabrics_has_a_bit(config: FabricConfig) -> None:
    for name in LAYOUTS:
        fields = getattr(config, name).fields
        assert fields, name
        assert all(field.width >= 1 for field in fields), name
    assert all(field.width >= 1 for field in config.probe.fields)


@given(configs())
def test_fields_hold_every_index_and_every_count(config: FabricConfig) -> None:
    population = config.population_row
    population.pack({"neurons": config.neurons, "neuron_base": config.neurons - 1})
    numbers = config.populations * config.tiles
    population.pack({"number": numbers - 1, "index_base": config.neurons - 1})
    population.pack({"sum_base": config.sum_words - 1, "reset": 3})
    decays = config.bias_row if config.neuron_parameters else population
    decays.pack({"retain": 4096})
    population.pack({"target_base": config.targets - 1, "fan_out": config.targets})
    config.connection_row.pack(
        {
            "weight_base": config.weight_words - 1,
            "sources": config.axons,
            "sum_base": config.sum_words - 1,
            "groups": config.groups,
            "synapses": config.neurons,
        }
    )
    last_target = {"route": config.routes - 1, "connection": config.connections - 1}
    config.target_row.pack({**last_target, "delay": config.slots - 1})
    config.control_row.pack({"last_phase": config.populations - 1, "window": config.slots - 1})
    if config.plasticity:
        last_rule = {"rule": config.rules - 1, "axon_base": config.plastic_axons - 1}
        config.connection_row.pack({"plastic": 1, **last_rule})
        config.rule_row.pack(
            {
                "weight_base": config.weight_words - 1,
                "sources": min(config.axons, config.weight_words),
                "groups": config.groups,
                "neurons": config.neurons,
                "third_base": config.neurons - 1,
                "index_base": config.neurons - 1,
                "number": 31,
            }
        )
        if config.plastic_kernels:
            kernel = {"kernel": 1, "sources": config.weight_words, "channels": config.axons}
            kernel |= {"source_height": config.extent, "target_width": config.extent}
            config.rule_row.pack({**kernel, "axon_row": 15, "axon_column": 15})
        config.curve_row.pack({"pre_decay": 256, "curve0": -256})
        config.axon_row.pack({"stamp": (1 << config.stamp_bits) - 1, "before": 63, "trace": 255})
    last = max(config.axons, config.neurons) - 1
    for word_layout in (config.host_in, config.host_out, config.event, config.spike):
        word_layout.pack({"index": last})
    for word_layout in (config.host_in, config.event):
        word_layout.pack(last_target)
    for word_layout in (config.host_out, config.spike):
        word_layout.pack({"population": numbers - 1})


@given(configs())
def test_load_word_holds_every_row_of_every_memory(config: FabricConfig) -> None:
    depths = {
        LoadTarget.WEIGHT: config.weight_words,
        LoadTarget.BIAS: config.neurons,
        LoadTarget.POPULATION: config.populations,
        LoadTarget.CONNECTION: config.connections,
        LoadTarget.TARGET: config.targets,
        LoadTarget.CONTROL: 1,
        LoadTarget.ROUTE: config.routes,
        LoadTarget.COORDINATE: config.coordinates if config.images or config.sparse_words else 0,
    }
    if config.noise:
        depths[LoadTarget.NOISE] = 256 * config.noise_tables
    if config.noise or config.plasticity:
        depths[LoadTarget.RANDOM] = 1
    if config.plasticity:
        depths |= {
            LoadTarget.RULE: config.rules,
            LoadTarget.TERM: config.rules * config.rule_terms,
            LoadTarget.CURVE: config.rules * 64,
            LoadTarget.LEARN: 1,
        }
    if config.noise and config.plasticity:
        assert depths.keys() == set(LoadTarget)
    assert {target: memory.depth for target, memory in config.memories.items()} == depths
    for target, (row, depth) in config.memories.items():
        word = {"target": target, "address": max(depth - 1, 0), "data": (1 << row.width) - 1}
        word["tile"] = config.tiles - 1
        assert config.load.unpack(config.load.pack(word)) == word
    absent = {LoadTarget.ROUTE} if config.tiles == 1 else set()
    if not config.images and not config.sparse_words:
        absent.add(LoadTarget.COORDINATE)
    assert config.built_memories.keys() == depths.keys() - absent


@given(configs())
def test_fields_of_an_option_exist_only_if_it_is_built(config: FabricConfig) -> None:
    rows = (config.population_row, config.connection_row, config.bias_row, config.weight_row)
    names = {field.name for row in rows for field in row.fields}
    built = {
        "synaptic": config.synaptic_current,
        "leak": config.synaptic_current,
        "high": config.weight_pairs,
        "delayed": config.delayed_reset,
        "v_min": config.lower_clamp,
        "max_spikes": config.max_spikes > 1,
        "image": config.extent > 1,
        "shared": config.extent > 1,
        "fraction": config.fraction_bits > 0,
        "trace": config.traces,
        "currents": config.traces and config.synaptic_current,
        "sparse": config.sparse_words > 0,
        "group0": config.sparse_words > 0,
        "one_to_one": config.one_to_one,
        "first": config.one_to_one,
        "channel_coordinates": config.sparse_words > 0 or config.extent > 1,
        "plastic": config.plasticity,
        "rule": config.plasticity,
        "plasticity_at_age": config.plasticity,
    }
    of_rule = {field.name for field in config.rule_row.fields}
    assert ("plane" in of_rule) == config.eligibility
    assert ("kernel" in of_rule) == ("axon_row" in names) == config.plastic_kernels
    assert {name: name in names for name in built} == built
    probed = {field.name for field in config.probe.fields}
    assert ("0.current.write" in probed) == config.synaptic_current
    assert ("0.weight_write.write" in probed) == config.plasticity
    assert ("updates.0" in {f.name for f in config.counters.fields}) == config.plasticity
    for word_layout in (config.host_in, config.host_out, config.event, config.spike):
        places = [n for n, field in enumerate(word_layout.fields) if field.name in ("y", "x")]
        (index,) = (n for n, field in enumerate(word_layout.fields) if field.name == "index")
        assert places == ([index + 1, index + 2] if config.extent > 1 else [])
        if places:
            word_layout.pack({"y": config.extent - 1, "x": config.extent - 1})
    config.spike.pack({"spiked": config.max_spikes})
    if config.fraction_bits:
        config.population_row.pack({"fraction": config.fraction_bits})
    traced = {field.name for field in config.spike.fields} & {"current", "currents"}
    both = config.traces and config.synaptic_current
    assert traced == ({"current", "currents"} if both else set())


@given(configs())
def test_parameters_are_in_the_population_row_or_in_the_bias_row(config: FabricConfig) -> None:
    names = {"retain", "threshold", "v_reset"}
    assert ("v_init" in {f.name for f in config.bias_row.fields}) == config.initial_potentials
    if config.synaptic_current:
        names.add("retain_synaptic")
    own, shared = (
        names & {field.name for field in row.fields}
        for row in (config.bias_row, config.population_row)
    )
    assert (own, shared) == ((names, set()) if config.neuron_parameters else (set(), names))


@pytest.mark.parametrize(
    ("fraction_bits", "state_bits", "sum_bits", "bias_bits"),
    [(0, 24, 12, 12), (1, 24, 12, 24), (12, 24, 12, 24), (4, 16, 20, 20)],
)
def test_a_bias_has_the_potential_s_unit(
    fraction_bits: int, state_bits: int, sum_bits: int, bias_bits: int
) -> None:
    config = FabricConfig(fraction_bits=fraction_bits, state_bits=state_bits, sum_bits=sum_bits)
    assert config.bias_bits == bias_bits
    bias = next(field for field in config.bias_row.fields if field.name == "bias")
    assert bias == Field("bias", bias_bits, True)


def test_order_of_the_optional_fields() -> None:
    config = FabricConfig(
        synaptic_current=True,
        max_spikes=3,
        fraction_bits=5,
        neuron_parameters=True,
        initial_potentials=True,
        traces=True,
    )
    biases = ["bias", "leak", "retain", "retain_synaptic", "threshold", "v_reset", "v_init"]
    assert [field.name for field in config.bias_row.fields] == biases
    row = [field.name for field in config.population_row.fields]
    assert row[row.index("max_spikes") :][:3] == ["max_spikes", "fraction", "number"]
    assert row[row.index("readout") :][:3] == ["readout", "trace", "currents"]
    spike = [field.name for field in config.spike.fields]
    assert spike[spike.index("readout") :] == ["readout", "currents", "value", "current"]


def test_clocks_of_the_pipeline() -> None:
    assert FabricConfig().fire_clocks == 6
    assert FabricConfig(synaptic_current=True).fire_clocks == 8
    assert FabricConfig(lower_clamp=True).fire_clocks == 7
    assert FabricConfig(multipliers=False).fire_clocks == 7
    assert FabricConfig(delayed_reset=True, weight_pairs=True, extent=2).fire_clocks == 6
    assert [FabricConfig(max_spikes=n).fire_clocks for n in (3, 7, 15, 31)] == [7, 8, 9, 10]
    assert FabricConfig(synaptic_current=True, lower_clamp=True, max_spikes=31).fire_clocks == 13


def test_groups_are_rounded_up() -> None:
    assert [FabricConfig(lanes=8, neurons=n).groups for n in (1, 8, 9, 16)] == [1, 1, 2, 2]
    assert FabricConfig(lanes=8, neurons=9, slots=3).sum_words == 6
