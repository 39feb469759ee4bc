"""Integer networks: which are refused, with which message, and the exact limits."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from equal_networks import network_equal
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import signed_range
from spikeloom.golden.network import (
    AnyConnection,
    Connection,
    Input,
    Network,
    Population,
)
from spikeloom.golden.population_check import PARAMETERS
from spikeloom.golden.spec import Reset


def population(name: str = "a", size: int = 3, **changed: Any) -> Population:
    values: dict[str, Any] = {"bias": np.zeros(size, np.int64)} | changed
    return Population(name, size, **values)


def connection(source: str, target: str, shape: tuple[int, int], delay: Any = 0) -> Connection:
    return Connection(source, target, np.ones(shape, np.int64), delay)


def network(
    inputs: tuple[Input, ...] = (Input("in", 2),),
    populations: tuple[Population, ...] | None = None,
    connections: tuple[AnyConnection, ...] | None = None,
    **widths: Any,
) -> Network:
    if populations is None:
        populations = (population(),)
    if connections is None:
        connections = (connection("in", "a", (2, 3)),)
    return Network(inputs, populations, connections, **widths)


def refusal(**parts: Any) -> str:
    with pytest.raises(SpikeloomError) as error:
        network(**parts)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_plain_network_is_accepted_and_looks_up_its_parts() -> None:
    net = network(
        populations=(population(), population("b", 4, phase=1)),
        connections=(connection("in", "a", (2, 3)), connection("a", "b", (3, 4), 2)),
    )
    assert net.input("in").size == net.size("in") == 2
    assert net.population("b").size == net.size("b") == 4
    assert net.into("b") == (net.connections[1],)
    assert (net.phases, net.max_delay, net.synapses) == (2, 2, 18)


def test_a_network_without_connections_is_accepted() -> None:
    net = network(connections=())
    assert (net.phases, net.max_delay, net.synapses) == (1, 0, 0)


# Names.


@pytest.mark.parametrize(
    "parts",
    [
        {"inputs": (Input("in", 2), Input("in", 2))},
        {"inputs": (Input("a", 2),), "connections": ()},
        {"populations": (population(), population())},
    ],
)
def test_a_name_used_twice_is_refused(parts: dict[str, Any]) -> None:
    assert "two nodes have this name; rename one" in refusal(**parts)


def test_a_network_without_populations_is_refused() -> None:
    assert refusal(populations=(), connections=()) == "network: there is no population; add one"


def test_unknown_ends_of_a_connection_are_refused() -> None:
    message = refusal(connections=(connection("out", "a", (2, 3)),))
    assert message == "connection 'out' -> 'a': the network has no 'out'; add it"
    message = refusal(connections=(connection("in", "b", (2, 3)),))
    assert message == "connection 'in' -> 'b': the network has no population 'b'"
    message = refusal(connections=(connection("a", "in", (3, 2), 1),))
    assert message == "connection 'a' -> 'in': the network has no population 'in'"


# Shapes, types and ranges.


@pytest.mark.parametrize("size", [0, -1, 65537, 2.0, True, "2", None])
def test_sizes_out_of_range_are_refused(size: Any) -> None:
    assert refusal(inputs=(Input("in", size),)).startswith("input 'in': size must be ")
    bad = dataclasses.replace(population(), size=size)
    assert refusal(populations=(bad,)).startswith("population 'a': size must be ")


@pytest.mark.parametrize("count", [0, 256, 1.0, True])
def test_max_count_out_of_range_is_refused(count: Any) -> None:
    assert refusal(inputs=(Input("in", 2, count),)).startswith("input 'in': max_count must be ")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("phase", (-1, 256, 0.0)),
        ("decay", (-4097, 4097, 0.5, True)),
        ("threshold", (-32769, 32768, 1.5, None)),
        ("v_reset", (-32769, 32768)),
        ("v_init", (-32769, 32768)),
        ("inclusive", (0, 1, None, "yes")),
        ("spiking", (0, 1, None, "no")),
        ("reset", (0, 1, 3, "value", None)),
        ("delayed_reset", (0, 1, None, "no")),
    ],
)
def test_every_parameter_of_a_population_is_checked(name: str, values: tuple[Any, ...]) -> None:
    for value in values:
        message = refusal(populations=(population(**{name: value}),))
        assert message.startswith(f"population 'a': {name} must be ")


@pytest.mark.parametrize(("name", "ends"), [("decay", (-4096, 4096)), ("threshold", (-128, 127))])
def test_ends_of_a_range_are_accepted(name: str, ends: tuple[int, int]) -> None:
    for value in ends:
        changed: dict[str, Any] = {name: value}
        network(populations=(population(**changed),), state_bits=8)


def test_thresholds_are_bounded_by_the_states_width() -> None:
    for value in (-129, 128):
        message = refusal(populations=(population(threshold=value),), state_bits=8)
        assert message == f"population 'a': threshold must be -128..127, not {value}"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("weight_bits", (0, 1, 17, "8", None)),
        ("state_bits", (7, 25, 0, -1, 16.0, None)),
        ("sum_bits", (7, 33, 0, "16")),
    ],
)
def test_widths_have_ranges(name: str, values: tuple[Any, ...]) -> None:
    for value in values:
        assert refusal(**{name: value}).startswith(f"network: {name} must be ")


def test_shape_of_a_bias() -> None:
    message = refusal(populations=(population(bias=np.zeros(2, np.int64)),))
    assert message == "population 'a': bias must have shape (3,), not (2,)"
    message = refusal(populations=(population(bias=np.zeros((3, 1), np.int64)),))
    assert message == "population 'a': bias must have shape (3,), not (3, 1)"


def test_range_of_a_bias_is_that_of_the_sums() -> None:
    for value in (-128, 127):
        network(populations=(population(bias=np.full(3, value)),), sum_bits=8)
    for value in (-129, 128):
        message = refusal(populations=(population(bias=np.array([0, value, 0])),), sum_bits=8)
        assert message.startswith("population 'a': bias must be -128..127, not ")


@pytest.mark.parametrize("kind", [np.int32, np.uint64, np.float64, np.bool_, object])
def test_arrays_are_int64(kind: Any) -> None:
    message = refusal(populations=(population(bias=np.zeros(3, kind)),))
    assert message.startswith("population 'a': bias must be of type int64, not ")
    wrong = Connection("in", "a", np.zeros((2, 3), kind))
    message = refusal(connections=(wrong,))
    assert message.startswith("connection 'in' -> 'a': weights must be of type int64, not ")


def test_lists_are_refused_as_arrays() -> None:
    message = refusal(populations=(population(bias=[0, 0, 0]),))
    assert message == "population 'a': bias must be a NumPy array, not list"
    message = refusal(connections=(Connection("in", "a", [[0] * 3] * 2),))  # type: ignore[arg-type]
    assert message == "connection 'in' -> 'a': weights must be a NumPy array, not list"


@pytest.mark.parametrize("shape", [(3, 2), (2, 4), (1, 3), (0, 3)])
def test_shape_of_weights(shape: tuple[int, int]) -> None:
    message = refusal(connections=(connection("in", "a", shape),))
    assert message == f"connection 'in' -> 'a': weights must have shape (2, 3), not {shape}"


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_range_of_weights(bits: int) -> None:
    low, high = signed_range(bits)
    for value in (low, high):
        weights = np.full((2, 3), value)
        network(connections=(Connection("in", "a", weights),), weight_bits=bits)
    for value in (low - 1, high + 1):
        weights = np.zeros((2, 3), np.int64)
        weights[1, 2] = value
        message = refusal(connections=(Connection("in", "a", weights),), weight_bits=bits)
        assert f"weights must be {low}..{high}, not " in message


# Images and convolutions.


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ((1, 2), "image must be (channels, height, width), not (1, 2)"),
        ([1, 2, 3], "image must be (channels, height, width), not [1, 2, 3]"),
        ((1, 2, 0), "image must be 1..65536, not 0"),
        ((1, 2, 3.0), "image must be an integer, not 3.0"),
        ((1, 2, 2), "image (1, 2, 2) does not have 6 elements"),
    ],
)
def test_an_image_shape_has_three_sizes_and_the_elements_of_the_node(
    image: Any, message: str
) -> None:
    text = refusal(inputs=(Input("in", 6, image=image),), connections=())
    assert text.startswith("input 'in': ")
    assert text.endswith(message)
    text = refusal(populations=(population(size=6, image=image),), connections=())
    assert text.startswith("population 'a': ")
    assert text.endswith(message)


def convolved(
    shape: Any = (3, 2, 3, 3), image: Any = (2, 5, 6), target: Any = (3, 3, 4), **changed: Any
) -> Network:
    """A convolution from an input to a population, of weights 1."""
    inputs = (Input("in", int(np.prod(image)), image=image),)
    populations = (population(size=int(np.prod(target)), image=target),)
    weights = changed.pop("weights", np.ones(shape, np.int64))
    return network(inputs, populations, (Convolution("in", "a", weights, **changed),))


def convolution_refusal(**changed: Any) -> str:
    with pytest.raises(SpikeloomError) as error:
        convolved(**changed)
    assert "\n" not in str(error.value)
    where, message = str(error.value).split(": ", 1)
    assert where == "connection 'in' -> 'a'"
    return message


def test_a_convolution_that_fits_is_accepted() -> None:
    assert convolved().synapses == 3 * 2 * 9 * 12
    convolved(target=(3, 2, 2), stride=(2, 2))
    convolved(target=(3, 1, 2), dilation=(2, 2))
    convolved(target=(3, 6, 4), padding=((2, 1), (0, 0)))
    convolved((3, 2, 1, 1), target=(3, 2, 2), pool=(2, 3))
    convolved((4, 1, 3, 3), target=(4, 3, 4), groups=2)


@pytest.mark.parametrize("name", ["in", "a"])
def test_a_convolution_connects_images(name: str) -> None:
    image = None if name == "in" else (1, 2, 1)
    with pytest.raises(SpikeloomError, match=f"connects images, and '{name}' has no image shape"):
        network(
            (Input("in", 2, image=image),),
            (population(size=2, image=(1, 2, 1) if name == "in" else None),),
            (Convolution("in", "a", np.ones((1, 1, 1, 1), np.int64)),),
        )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"target": (3, 3, 3)},
            "its output for (2, 5, 6) is (3, 3, 4), not the target's (3, 3, 3)",
        ),
        ({"target": (4, 3, 4)}, "weights must have shape (4, 2, 3, 3), not (3, 2, 3, 3)"),
        ({"shape": (3, 1, 3, 3)}, "weights must have shape (3, 2, 3, 3), not (3, 1, 3, 3)"),
        ({"shape": (3, 2, 3)}, "weights must be an array of 4 dimensions, none empty"),
        ({"shape": (3, 2, 0, 3)}, "weights must be an array of 4 dimensions, none empty"),
        ({"weights": [[[[1]]]]}, "weights must be an array of 4 dimensions, none empty"),
        ({"weights": np.ones((3, 2, 3, 3))}, "weights must be of type int64, not float64"),
        ({"weights": np.full((3, 2, 3, 3), 128)}, "weights must be -128..127, not 128..128"),
        # The kernel is larger than the padded image.
        (
            {"shape": (3, 2, 6, 3)},
            "its output for (2, 5, 6) is (3, 0, 4), not the target's (3, 3, 4)",
        ),
        ({"groups": 2}, "2 and 3 channels cannot be divided into 2 groups"),
        ({"groups": 3}, "2 and 3 channels cannot be divided into 3 groups"),
        ({"groups": 0}, "groups must be 1..65536, not 0"),
        ({"stride": (1, 0)}, "stride must be 1..65536, not 0"),
        ({"dilation": (0, 1)}, "dilation must be 1..65536, not 0"),
        ({"pool": (1, 1.0)}, "pool must be an integer, not 1.0"),
        ({"padding": ((0, -1), (0, 0))}, "padding must be 0..65536, not -1"),
        ({"delay": 16}, "delay must be 0..15, not 16"),
        ({"high": 1}, "high must be True or False, not 1"),
    ],
)
def test_a_convolution_that_does_not_fit_is_refused(changed: dict[str, Any], message: str) -> None:
    assert convolution_refusal(**changed) == message


def test_sums_of_a_convolution_at_the_bound() -> None:
    # A neuron in the middle sums all 4 weights, of 2 channels: 2 * (100 + 27) is 254.
    def made(weights: list[int], **changed: Any) -> Network:
        kernel = np.tile(np.array(weights).reshape(1, 1, 2, 1), (1, 2, 1, 1))
        inputs = (Input("in", 6, changed.pop("max_count", 1), (2, 3, 1)),)
        shape = (1, 4, 1)
        values = {"padding": ((1, 1), (0, 0)), **changed}
        convolution = Convolution("in", "a", kernel, **values)
        return Network(
            inputs, (population(size=4, image=shape),), (convolution,), weight_bits=8, sum_bits=8
        )

    made([60, 3])  # 2 * 63 = 126
    made([63, -64])  # each sign alone: 126 and -128
    with pytest.raises(SpikeloomError, match=r"into neuron 1 can sum to 0\.\.128, "):
        made([60, 4])
    with pytest.raises(SpikeloomError, match=r"into neuron 1 can sum to -130\.\.0, "):
        made([-1, -64])
    made([1, 20], max_count=3)  # 126
    with pytest.raises(SpikeloomError, match=r"can sum to 0\.\.132, "):
        made([2, 20], max_count=3)
    # Without padding neuron 0 sums both as well; a pool of 2 leaves one position, summed twice.
    with pytest.raises(SpikeloomError, match=r"into neuron 0 can sum to 0\.\.128, "):
        Network(
            (Input("in", 2, image=(1, 2, 1)),),
            (population(size=1, image=(1, 1, 1)),),
            (Convolution("in", "a", np.full((1, 1, 1, 1), 64), pool=(2, 1)),),
            sum_bits=8,
        )


def test_sums_of_high_weights_and_of_pairs() -> None:
    # With weights of 4 bits `high` scales by 16.
    def made(high: int, low: int, sum_bits: int = 8) -> Network:
        joined = (
            Connection("in", "a", np.array([[high]]), high=True),
            Connection("in", "a", np.array([[low]])),
        )
        return Network(
            (Input("in", 1),), (population(size=1),), joined, weight_bits=4, sum_bits=sum_bits
        )

    made(7, 7)  # 119
    made(-8, 0)  # -128
    with pytest.raises(SpikeloomError, match=r"can sum to -129\.\.0, "):
        made(-8, -1)
    made(-8, -1, sum_bits=9)


@pytest.mark.parametrize("value", [0, 1, None, "yes"])
def test_high_is_a_bool(value: Any) -> None:
    connections = (Connection("in", "a", np.ones((2, 3), np.int64), high=value),)
    assert refusal(connections=connections).endswith(f"high must be True or False, not {value!r}")


# Options of the update.


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"synaptic_decay": 4097}, "synaptic_decay must be 0..4096, not 4097"),
        ({"synaptic_decay": -1}, "synaptic_decay must be 0..4096, not -1"),
        ({"synaptic_decay": 0.5}, "synaptic_decay must be an integer, not 0.5"),
        (
            {"leak": np.zeros(3, np.int64)},
            "leak is for a synaptic current; without one add it to bias",
        ),
        (
            {"leak": np.zeros(2, np.int64), "synaptic_decay": 0},
            "leak must have shape (3,), not (2,)",
        ),
        (
            {"leak": np.full(3, 32768), "synaptic_decay": 0},
            "leak must be -32768..32767, not 32768..32768",
        ),
        ({"subtrahend": 32768}, "subtrahend must be -32768..32767, not 32768"),
        ({"v_min": -32769}, "v_min must be -32768..32767, not -32769"),
        ({"v_min": 0.0}, "v_min must be an integer, not 0.0"),
        ({"delayed_reset": 1}, "delayed_reset must be True or False, not 1"),
        ({"max_spikes": 2}, "max_spikes must be 1, 3, 7, 15 or 31, not 2"),
        ({"max_spikes": 0}, "max_spikes must be 1, 3, 7, 15 or 31, not 0"),
        (
            {"max_spikes": 3, "threshold": 0},
            "with several spikes per step the threshold must be positive, not 0",
        ),
        (
            {"max_spikes": 3, "threshold": 5, "delayed_reset": True},
            "with several spikes per step each subtracts the threshold at once; "
            "leave out delayed_reset, subtrahend and Reset.RESTORE",
        ),
        (
            {"max_spikes": 3, "threshold": 5, "subtrahend": 4},
            "with several spikes per step each subtracts the threshold at once; "
            "leave out delayed_reset, subtrahend and Reset.RESTORE",
        ),
        ({"signed": 1}, "signed must be True or False, not 1"),
        (
            {"signed": True, "threshold": 0},
            "with signed spikes per step the threshold must be positive, not 0",
        ),
        (
            {"signed": True, "threshold": 5, "delayed_reset": True},
            "signed spikes reset at once; leave out delayed_reset and Reset.RESTORE",
        ),
        (
            {"signed": True, "threshold": 5, "reset": Reset.RESTORE},
            "signed spikes reset at once; leave out delayed_reset and Reset.RESTORE",
        ),
    ],
)
def test_options_out_of_range_are_refused(changed: dict[str, Any], message: str) -> None:
    assert refusal(populations=(population(**changed),)) == f"population 'a': {message}"


@pytest.mark.parametrize(
    "changed",
    [
        {"synaptic_decay": 0, "leak": np.full(3, -32768)},
        {"synaptic_decay": 4096},
        {"subtrahend": -32768, "v_min": 32767, "delayed_reset": True},
        {"max_spikes": 31, "threshold": 1},
        {"max_spikes": 3, "threshold": 5, "subtrahend": 5, "v_min": 0},
    ],
)
def test_ends_of_options_are_accepted(changed: dict[str, Any]) -> None:
    network(populations=(population(**changed),))


# Phases and delays.


@pytest.mark.parametrize("phases", [(1,), (0, 2), (1, 2)])
def test_phases_without_a_gap(phases: tuple[int, ...]) -> None:
    nodes = tuple(population(f"p{n}", phase=phase) for n, phase in enumerate(phases))
    message = refusal(populations=nodes, connections=())
    assert "without a gap" in message


@pytest.mark.parametrize("delay", [-1, 16, 1.0, True, None])
def test_delays_out_of_range_are_refused(delay: Any) -> None:
    message = refusal(connections=(connection("in", "a", (2, 3), delay),))
    assert message.startswith("connection 'in' -> 'a': delay must be ")


@pytest.mark.parametrize(
    ("source", "target", "least"),
    [("early", "late", 0), ("late", "early", 1), ("late", "late", 1), ("also early", "early", 1)],
)
def test_delay_0_ends_in_a_later_phase_only(source: str, target: str, least: int) -> None:
    nodes = (population("late", phase=1), population("early"), population("also early"))

    def joined(delay: int) -> Network:
        return network(populations=nodes, connections=(connection(source, target, (3, 3), delay),))

    for delay in (least, 1, 15):
        joined(delay)
    if least:
        with pytest.raises(SpikeloomError, match="delay 0 must end in a later phase; give it a"):
            joined(0)


# Sums.


def with_column(weights: list[int], **changed: Any) -> Network:
    """Neuron 1 of 2 gets `weights`, neuron 0 nothing; sums of 8 bits."""
    matrix = np.zeros((len(weights), 2), np.int64)
    matrix[:, 1] = weights
    values: dict[str, Any] = {"max_count": 1, "connections": ()} | changed
    return Network(
        (Input("in", len(weights), values["max_count"]),),
        (population("a", 2),),
        (Connection("in", "a", matrix), *values["connections"]),
        sum_bits=8,
    )


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ([127], None),
        ([-128], None),
        ([100, 27], [100, 28]),
        ([-100, -28], [-100, -29]),
        # Of both signs: each sign alone must fit, because events may carry one sign only.
        ([127, -128], [127, 1, -128]),
        ([127, -128], [127, -128, -1]),
    ],
)
def test_sums_equal_to_the_bound_are_accepted_one_beyond_refused(
    good: list[int], bad: list[int] | None
) -> None:
    with_column(good)
    if bad is not None:
        with pytest.raises(SpikeloomError, match="the weights into neuron 1 can sum to"):
            with_column(bad)


def test_message_of_an_overflow_names_the_range_and_the_remedy() -> None:
    with pytest.raises(SpikeloomError) as error:
        with_column([100, 28, -5])
    assert str(error.value) == (
        "population 'a': the weights into neuron 1 can sum to -5..128, outside -128..127; "
        "use sum_bits=9"
    )


def test_max_count_multiplies_the_sum() -> None:
    with_column([42], max_count=3)  # 3 * 42 = 126
    with_column([1], max_count=127)
    for weight, count in ((43, 3), (1, 128), (-43, 3)):
        with pytest.raises(SpikeloomError, match="can sum to"):
            with_column([weight], max_count=count)


def test_max_count_does_not_multiply_sums_of_spikes() -> None:
    def joined(weight: int) -> Network:
        loop = Connection("a", "a", np.array([[0, weight], [0, 0]]), 1)
        return with_column([20], max_count=3, connections=(loop,))

    joined(67)  # 3 * 20 + 67 = 127
    with pytest.raises(SpikeloomError, match=r"can sum to 0\.\.128, "):
        joined(68)


def test_max_spikes_multiplies_sums_of_spikes() -> None:
    def joined(weight: int) -> Network:
        return Network(
            (),
            (population("a", 1, max_spikes=7, threshold=1), population("b", 1, phase=1)),
            (Connection("a", "b", np.array([[weight]])),),
            sum_bits=8,
        )

    joined(18)  # 126
    with pytest.raises(SpikeloomError, match=r"can sum to 0\.\.133, "):
        joined(19)


def test_sums_of_all_connections_add_up() -> None:
    two = (Connection("in", "a", np.array([[0, 27]]), 2),)
    with_column([100], connections=two)
    with pytest.raises(SpikeloomError, match=r"can sum to 0\.\.128, "):
        with_column([101], connections=two)


def test_the_bias_is_not_part_of_the_sum() -> None:
    wide = population("a", 1, bias=np.array([127]))
    Network((Input("in", 1),), (wide,), (Connection("in", "a", np.array([[127]])),), sum_bits=8)


@given(st.lists(st.integers(-128, 127), min_size=1, max_size=6), st.integers(1, 4))
def test_a_network_is_refused_exactly_if_some_events_overflow(
    weights: list[int], count: int
) -> None:
    greatest = count * sum(weight for weight in weights if weight > 0)
    least = count * sum(weight for weight in weights if weight < 0)
    if least >= -128 and greatest <= 127:
        with_column(weights, max_count=count)
    else:
        with pytest.raises(SpikeloomError, match=f"can sum to {least}..{greatest}, "):
            with_column(weights, max_count=count)


# Parameters of neurons, and fractions.


def test_parameters_may_be_arrays() -> None:
    for name in PARAMETERS:
        values = np.array([1, 1, 2])
        network(populations=(population(**{name: values}),))


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([1, 2]), r"must have shape \(3,\), not \(2,\)"),
        (np.array([1, 2, 3], np.int32), "must be of type int64, not int32"),
        (np.array([1, 2, 40000]), r"must be .*, not 1\.\.40000"),
        (1.5, "must be an integer, not 1.5"),
    ],
)
def test_arrays_of_parameters_are_checked(name: str, values: Any, message: str) -> None:
    with pytest.raises(SpikeloomError, match=f"^population 'a': {name} {message}$"):
        network(populations=(population(**{name: values}),))


def test_a_parameter_that_all_share() -> None:
    assert population(threshold=np.array([5, 5, 5])).shared("threshold") == 5
    assert population(threshold=7).shared("threshold") == 7
    with pytest.raises(SpikeloomError, match=r"threshold differs between neurons \(4\.\.5\)"):
        population(threshold=np.array([5, 4, 5])).shared("threshold")


def test_with_several_spikes_every_threshold_is_positive() -> None:
    several = {"max_spikes": 3, "reset": Reset.SUBTRACT}
    network(populations=(population(threshold=np.array([1, 2, 3]), **several),))
    with pytest.raises(SpikeloomError, match="threshold must be positive, not -1"):
        network(populations=(population(threshold=np.array([1, 2, -1]), **several),))
    own = population(threshold=2, subtrahend=np.array([2, 2, 1]), **several)
    with pytest.raises(SpikeloomError, match="leave out delayed_reset, subtrahend"):
        network(populations=(own,))


def test_a_restoring_reset_excludes_other_options() -> None:
    network(populations=(population(reset=Reset.RESTORE),))
    with pytest.raises(SpikeloomError, match="leave out delayed_reset"):
        network(populations=(population(reset=Reset.RESTORE, delayed_reset=True),))
    with pytest.raises(SpikeloomError, match=r"subtrahend and Reset\.RESTORE"):
        network(populations=(population(reset=Reset.RESTORE, max_spikes=3, threshold=1),))


@pytest.mark.parametrize("fraction_bits", [-1, 13, 1.0, True])
def test_fraction_bits_are_0_to_12(fraction_bits: Any) -> None:
    with pytest.raises(SpikeloomError, match="fraction_bits must be "):
        network(populations=(population(fraction_bits=fraction_bits),))


def test_a_bias_beside_fraction_bits_has_the_potential_s_width() -> None:
    wide = population(bias=np.array([0, 0, 1 << 14]))
    fine = population("b", fraction_bits=12)

    def joined(*nodes: Population) -> Network:
        return network(populations=nodes, connections=(), sum_bits=12)

    assert (joined(wide, fine).fraction_bits, joined(wide, fine).bias_bits) == (12, 16)
    # A sum of 12 bits times 2**12, plus a bias.
    assert joined(wide, fine).input_bits == 25
    assert network(sum_bits=24).input_bits == 25
    with pytest.raises(SpikeloomError, match=r"bias must be -2048\.\.2047, not 0\.\.16384"):
        joined(wide)


# Equality.


def test_network_equal_compares_every_parameter() -> None:
    net = network()
    assert network_equal(net, network())
    for changed in (
        network(inputs=(Input("in", 2, 2),)),
        network(populations=(population(decay=1),)),
        network(populations=(population(bias=np.array([0, 0, 1])),)),
        network(populations=(population(reset=Reset.NONE),)),
        network(connections=(connection("in", "a", (2, 3), 1),)),
        network(connections=(Connection("in", "a", np.ones((2, 3), np.int64), high=True),)),
        network(populations=(population(image=(3, 1, 1)),)),
        network(populations=(population(synaptic_decay=0),)),
        network(populations=(population(delayed_reset=True),)),
        network(populations=(population(subtrahend=0),)),
        network(populations=(population(v_min=-32768),)),
        network(populations=(population(fraction_bits=1),)),
        network(populations=(population(threshold=np.array([0, 0, 1])),)),
        network(inputs=(Input("in", 2, image=(1, 2, 1)),)),
        network(connections=(Connection("in", "a", np.zeros((2, 3), np.int64)),)),
        network(state_bits=17),
    ):
        assert not network_equal(net, changed)


@pytest.mark.parametrize("name", ["decay", "threshold", "fraction_bits", "max_spikes", "phase"])
def test_numpy_integers_become_plain_ones(name: str) -> None:
    """A narrow integer of NumPy would wrap where the model computes with it."""
    narrow = Population("p", 2, np.zeros(2, np.int64), **{name: np.int8(3)})
    assert type(getattr(narrow, name)) is int
    assert getattr(narrow, name) == 3
    assert type(Input("in", np.uint8(3)).size) is int
    assert Input("in", 4, image=(np.int8(1), np.int8(2), np.int8(2))).image == (1, 2, 2)
    kernel = Convolution("a", "b", np.ones((1, 1, 1, 1), np.int64), stride=(np.int8(2), np.int8(1)))
    assert all(type(step) is int for step in kernel.stride)
