"""Each switch of the neuron update: values worked out by hand, clocks, and what is refused."""

from typing import Any

import numpy as np
import pytest

from spikeloom.golden.cycle.switches.requantise import STAGE
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.schedule import Variant
from spikeloom.golden.spec import SWITCHES, FabricConfig, Reset
from spikeloom.golden.step.run import simulate
from spikeloom.golden.switches.adaptive_threshold import AdaptiveThreshold
from spikeloom.golden.switches.constant_leak import ConstantLeak
from spikeloom.golden.switches.floor_reset import FloorReset
from spikeloom.golden.switches.input_gain import InputGain
from spikeloom.golden.switches.noise import Noise
from spikeloom.golden.switches.records import record
from spikeloom.golden.switches.refractory import Refractory
from spikeloom.golden.switches.requantise import Requantise
from spikeloom.golden.switches.spike_once import SpikeOnce
from spikeloom.golden.switches.switch import Switch


def network(*switches: Switch, **options: Any) -> Network:
    """One neuron, to whose potential an event of axon 0 adds 3, and one of axon 1 adds -5."""
    values = {"threshold": 6, "switches": switches, "bias": np.zeros(1, np.int64), **options}
    return Network(
        (Input("in", 2, max_count=9),),
        (Population("p", 1, **values),),
        (Connection("in", "p", np.array([[3], [-5]])),),
        seed=0,
    )


def run(events: str, *switches: Switch, samples: int = 1, **options: Any) -> tuple[str, list[int]]:
    """Whether the neuron spikes in each step, and its potential after it.

    Parameters
    ----------
    events
        A sign for each step: + and - are an event of either axon, . is none.
    """
    counts = np.array([[sign == "+", sign == "-"] for sign in events], np.uint8)
    done = simulate(
        network(*switches, **options),
        np.stack([counts] * samples),
        traces={"p": np.array([0])},
    )
    for name in ("spikes", "traces"):
        for sample in getattr(done, name)["p"]:
            assert np.array_equal(sample, getattr(done, name)["p"][0])
    spikes = "".join(".1"[int(s)] for s in done.spikes["p"][0, :, 0])
    return spikes, done.traces["p"][0, :, 0].tolist()


def test_without_a_switch() -> None:
    assert run("+++++-") == ("..1...", [3, 6, 0, 3, 6, 1])


def test_input_gain() -> None:
    # (3 + 1) * 0.75 - 2; (1) * 0.75 - 2, rounded down; (-5 + 1) * 0.75 - 2.
    gain = InputGain(3072, -2)
    expected = ("...", [1, -1, -6])
    assert run("+.-", gain, bias=np.array([1]), threshold=99) == expected
    assert run("+.-", InputGain((3072,), (-2,)), bias=np.array([1]), threshold=99) == expected
    # 8 times, and -8 times, exactly; saturation comes after.
    assert run("+", InputGain(-32768), threshold=99)[1] == [-24]
    assert run("+", InputGain(0, 32767), v_init=1, reset=Reset.NONE)[1] == [32767]


def test_a_channel_has_one_gain_in_all_its_positions() -> None:
    gains = InputGain((4096, 8192), (0, 1))
    image = Population("p", 6, np.arange(6), threshold=99, image=(2, 1, 3), switches=(gains,))
    each = simulate(Network((Input("in", 1),), (image,), ()), np.zeros((1, 1, 1), bool))
    assert each.states["p"].tolist() == [[0, 1, 2, 7, 9, 11]]


def test_constant_leak_stops_at_zero() -> None:
    # 3; 3 - 2 + 3; 4 - 2 + 3; 5 - 2; 3 - 2; 0; -5; -5 + 2; -1; 0
    expected = [3, 4, 5, 3, 1, 0, -5, -3, -1, 0]
    assert run("+++...-...", ConstantLeak(2), threshold=99) == ("..........", expected)
    positive = run("+++...-...", ConstantLeak(2, positive_only=True), threshold=99)
    assert positive == ("..........", [3, 4, 5, 3, 1, 0, -5, -5, -5, -5])


def test_constant_leak_follows_the_decay() -> None:
    # 26 / 2 - 1; 12 / 2 - 1; 2.5, 2 - 1; 0.5, 0 - 5; -2.5, -2 + 1; -0.5, 0.
    switches = run("...-..", ConstantLeak(1), decay=2048, v_init=26, threshold=99)
    assert switches == ("......", [12, 5, 1, -5, -1, 0])


@pytest.mark.parametrize(
    ("mode", "reset", "spikes", "potentials"),
    [
        # A spike in step 2; in steps 3 and 4 there is none.
        ("hold", Reset.VALUE, "..1...1...", [3, 6, 1, 1, 1, 4, 1, 1, 1, 4]),
        ("mute", Reset.VALUE, "..1..1..1.", [3, 6, 1, 4, 7, 1, 4, 7, 1, 4]),
        ("hold", Reset.NONE, "..1..1..1.", [3, 6, 9, 9, 9, 12, 12, 12, 15, 15]),
        ("clamp", Reset.NONE, "..1...1...", [3, 6, 9, 1, 1, 4, 7, 1, 1, 4]),
        ("mute", Reset.NONE, "..1..1..1.", [3, 6, 9, 12, 15, 18, 21, 24, 27, 30]),
    ],
)
def test_refractory(mode: str, reset: Reset, spikes: str, potentials: list[int]) -> None:
    refractory = Refractory(2, mode)
    assert run("+" * 10, refractory, reset=reset, v_reset=1) == (spikes, potentials)


def test_floor_reset() -> None:
    floor = FloorReset(-4)
    assert run("-.+--", floor, v_reset=1) == (".....", [1, 1, 4, -1, 1])
    assert run("-", floor, v_init=1, v_reset=7) == (".", [-4])  # the minimum itself is allowed


def test_requantise() -> None:
    # (3 + 1) / 2, (5 + 1) / 2, (6 + 1) / 2
    assert run("+++", Requantise(1, 7), threshold=99)[1] == [2, 3, 3]
    # (3 + 2) / 4; then -4 is below 0.
    assert run("+-", Requantise(2, 9))[1] == [1, 0]
    assert run(".", Requantise(2, 9), v_init=29, threshold=99)[1] == [7]
    assert run(".", Requantise(2, 9), v_init=30, threshold=99)[1] == [8]
    assert run(".", Requantise(2, 9), v_init=60, threshold=99)[1] == [9]
    assert run("+", Requantise(0, 2))[1] == [2]


def test_requantise_at_the_cycle_level() -> None:
    config = FabricConfig(requantise=True)
    for shift, u, expected in (0, 5, 5), (1, 5, 3), (2, 29, 7), (2, 30, 8), (2, -9, 0), (2, 99, 9):
        stage = STAGE({"requantise_shift": shift, "requantise_top": 9}, config)
        assert stage.before_comparison(u, 0) == expected


def test_adaptive_threshold() -> None:
    # It rises by 4 and stays: 6, 10, 14.
    rising = run("+" * 13, AdaptiveThreshold(4, 0))
    assert rising == ("..1...1....1.", [3, 6, 0, 3, 6, 9, 0, 3, 6, 9, 12, 0, 3])
    # 6 + 12, 6 + 6, 6 + 3 (9 is not above it), 6 + 1.
    falling = run("+" * 7, AdaptiveThreshold(12, 2048))
    assert falling == ("..1...1", [3, 6, 0, 3, 6, 9, 0])


def test_an_adaptive_threshold_saturates() -> None:
    always = {"threshold": -32768, "v_init": 7}
    # a = 32000, then 32767 at most: -32768 + 32767 is below 0.
    assert run("...", AdaptiveThreshold(32000, 0), **always)[0] == "111"
    assert run(".-.", AdaptiveThreshold(32000, 0), reset=Reset.NONE, **always)[0] == "111"
    assert run("..-.", AdaptiveThreshold(32767, 0), **always)[0] == "11.."


def test_an_adaptive_threshold_that_is_kept_over_samples() -> None:
    """Each sample begins where the one before ended; a run begins with 0."""
    net = network(AdaptiveThreshold(4, 0, keep=True))
    counts = np.zeros((3, 5, 2), np.uint8)
    counts[..., 0] = 1
    for _ in range(2):
        spikes = simulate(net, counts).spikes["p"][..., 0]
        # Thresholds are 6, then 10, then 14: above them are 9, 12 and 15.
        assert ["".join(".1"[int(s)] for s in sample) for sample in spikes] == [
            "..1..",
            "...1.",
            "....1",
        ]


def test_spike_once_in_each_sample() -> None:
    once = run("+" * 7, SpikeOnce(), samples=3)
    assert once == ("..1....", [3, 6, 0, 3, 6, 9, 12])


def test_doubling() -> None:
    assert run("..+", decay=-4096, v_init=1, threshold=99)[1] == [2, 4, 11]
    assert run("...", decay=-2048, v_init=-3)[1] == [-4, -6, -9]  # toward 0
    assert run("..", decay=-4096, v_init=20000, reset=Reset.NONE)[1] == [32767, 32767]


def test_switches_act_in_the_order_of_the_update_not_of_the_list() -> None:
    # 26 / 2 - 1 = 12 is rounded to 6; after a requantisation first it would be 7 or less.
    both = [ConstantLeak(1), Requantise(1, 99)]
    values = {"decay": 2048, "v_init": 26, "threshold": 99}
    assert run(".", *both, **values) == run(".", *reversed(both), **values) == (".", [6])


def test_clocks() -> None:
    more = {"input_gain": 1, "constant_leak": 1, "refractory": 1, "floor_reset": 1, "requantise": 3}
    more |= {"selection": 1}
    for name in SWITCHES:
        built = FabricConfig(**{name: True})
        assert built.fire_clocks == FabricConfig().fire_clocks + more.get(name, 0)
    assert FabricConfig(doubling=True).fire_clocks == FabricConfig().fire_clocks


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_is_found_by_its_name(name: str) -> None:
    assert record(name).name == name
    assert FabricConfig(**{name: True}).switches == (name,)


SUBTRACT = {"reset": Reset.SUBTRACT}
DELAYED = {"delayed_reset": True}

REFUSED: list[tuple[Switch, dict[str, Any], str]] = [
    (InputGain(32768), {}, "input_gain: gain must be -32768..32767, not 32768"),
    (InputGain((1, 2)), {}, "input_gain: gain must have 1 values, not 2"),
    (InputGain(1, 0.5), {}, "input_gain: offset must be an integer, not 0.5"),
    (ConstantLeak(-1), {}, "constant_leak: amount must be 0..32767, not -1"),
    (ConstantLeak(1, 1), {}, "constant_leak: positive_only must be True or False, not 1"),
    (Refractory(0), {}, "refractory: steps must be 1..63, not 0"),
    (Refractory(64), {}, "refractory: steps must be 1..63, not 64"),
    (Refractory(1.5), {}, "refractory: steps must be an integer, not 1.5"),
    (Refractory(1, "sleep"), {}, "refractory: mode must be hold or clamp or mute, not 'sleep'"),
    (Refractory(1, ["hold"]), {}, "refractory: mode must be hold or clamp or mute, not ['hold']"),
    (Refractory(1, "clamp"), SUBTRACT, "refractory: clamp keeps the potential at v_reset"),
    (Refractory(1), DELAYED, "a refractory period hides which neurons spiked"),
    (Refractory(1), {"reset": Reset.RESTORE}, "a refractory period hides which neurons spiked"),
    (FloorReset(-32769), {}, "floor_reset: minimum must be -32768..32767, not -32769"),
    (FloorReset(0), {"v_min": 0}, "floor_reset: it has a v_min too; leave out one of them"),
    (FloorReset(0), SUBTRACT, "floor_reset: it sets the potential to v_reset"),
    (Requantise(16, 1), {}, "requantise: shift must be 0..15, not 16"),
    (Requantise(1, -1), {}, "requantise: top must be 0..32767, not -1"),
    (AdaptiveThreshold(-1, 0), {}, "adaptive_threshold: increment must be 0..32767, not -1"),
    (AdaptiveThreshold(1, 4097), {}, "adaptive_threshold: decay must be 0..4096, not 4097"),
    (AdaptiveThreshold(1, 0, 1), {}, "adaptive_threshold: keep must be True or False, not 1"),
    (AdaptiveThreshold(1, 0), {"max_spikes": 3}, "adaptive_threshold: with several spikes"),
    (AdaptiveThreshold(1, 0), DELAYED, "an adaptive threshold hides which neurons spiked"),
    (Noise("white", 1), {}, "noise: kind must be uniform or coin or logistic, not 'white'"),
    (Noise(["coin"], 1), {}, "noise: kind must be uniform or coin or logistic, not ['coin']"),
    (Noise("uniform", 0), {}, "noise: amplitude must be 1..32767, not 0"),
    (Noise("logistic", 5255), {}, "noise: amplitude must be 1..5254, not 5255"),
    (Noise("coin", 1), {"max_spikes": 3}, "noise: with several spikes"),
    (Noise("coin", 1), {"signed": True}, "noise: noise of signed spikes is not built"),
    (Noise("coin", 1), DELAYED, "noise hides which neurons spiked"),
    (SpikeOnce(), {"max_spikes": 3}, "spike_once: a neuron spikes once at most"),
    (SpikeOnce(), DELAYED, "one spike per sample hides which neurons spiked"),
]


@pytest.mark.parametrize(("switch", "options", "message"), REFUSED)
def test_what_has_no_meaning_is_refused(
    switch: Switch, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpikeloomError) as error:
        network(switch, **options)
    assert str(error.value).startswith(f"population 'p': {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("switches", [SpikeOnce(), [SpikeOnce()], ("spike_once",), 3])
def test_what_is_no_tuple_of_switches_is_refused(switches: Any) -> None:
    for fields in ({"switches": switches}, {"variants": (Variant(switches=switches),)}):
        neurons = Population("p", 1, np.zeros(1, int), **fields)
        with pytest.raises(SpikeloomError, match="'p': switches must be a tuple of switches, such"):
            Network((), (neurons,), (), schedule=(1,) if neurons.variants else ())


def test_a_switch_is_there_once() -> None:
    with pytest.raises(SpikeloomError, match="a refractory period is there twice; leave out one"):
        network(Refractory(1), Refractory(2))
