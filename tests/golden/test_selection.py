"""Selection of winners: who wins and loses, worked out by hand, and what is refused."""

import dataclasses
from typing import Any

import numpy as np
import pytest

import spikeloom
from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.host import decode_packets, host_words
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.schedule import Variant
from spikeloom.golden.spec import FabricConfig, Reset
from spikeloom.golden.step.run import simulate
from spikeloom.golden.switches.selection import Selection
from spikeloom.golden.switches.spike_once import SpikeOnce
from spikeloom.program import Program


def network(selection: Selection, bias: list[int], **options: Any) -> Network:
    """Neurons whose potentials grow by `bias` in each step, with threshold 6."""
    switches = (selection, *options.pop("switches", ()))
    values = {"threshold": 6, "switches": switches, **options}
    size = len(bias)
    return Network(
        (Input("in", 1),),
        (Population("p", size, np.array(bias), **values),),
        (Connection("in", "p", np.zeros((1, size), np.int64)),),
    )


def run(
    selection: Selection, bias: list[int], steps: int, **options: Any
) -> tuple[list[str], list[list[int]]]:
    """Which neurons spike in each step, and the potentials after it."""
    counts = np.zeros((2, steps, 1), np.uint8)
    made = network(selection, bias, **options)
    done = simulate(made, counts, traces={"p": np.arange(len(bias))})
    spikes, potentials = done.spikes["p"], done.traces["p"]
    assert np.array_equal(spikes[0], spikes[1])  # nothing is left of a sample
    assert np.array_equal(potentials[0], potentials[1])
    return ["".join(".1"[s] for s in row * 1) for row in spikes[0]], potentials[0].tolist()


def test_the_highest_wins_and_of_equal_ones_the_first() -> None:
    # Candidates are 7, 7, 9; then 8, 14, 14; then 12, 7, 21, 9.
    spikes, potentials = run(Selection(), [3, 4, 7, 7, 9], 3)
    assert spikes == ["....1", "..1..", "...1."]
    assert potentials == [[3, 4, 7, 7, 0], [6, 8, 0, 14, 9], [9, 12, 7, 0, 18]]


def test_without_a_winner_nobody_loses() -> None:
    assert run(Selection(losers="subtract", amount=5), [3, 4], 1) == (
        [
            "..",
        ],
        [[3, 4]],
    )


@pytest.mark.parametrize(
    ("losers", "amount", "after"),
    [("keep", 0, [4, 7, 0]), ("subtract", 5, [-1, 2, 0]), ("reset", 0, [0, 0, 0])],
)
def test_all_others_lose(losers: str, amount: int, after: list[int]) -> None:
    selection = Selection(losers=losers, amount=amount)
    assert run(selection, [4, 7, 9], 1) == (["..1"], [after])


def test_subtraction_saturates() -> None:
    selection = Selection(losers="subtract", amount=32767)
    assert run(selection, [7, -2, -1], 1)[1] == [[0, -32768, -32768]]


def test_silence_lets_nobody_but_the_winner_spike() -> None:
    spikes, potentials = run(Selection(then="silence"), [4, 7, 5], 3)
    assert spikes == [".1.", ".1.", ".1."]
    assert potentials[-1] == [12, 0, 15]


def test_free_lets_everyone_spike_after_the_first_winner() -> None:
    spikes, _ = run(Selection(then="free", losers="reset"), [4, 7, 5], 3)
    assert spikes == [".1.", ".1.", "111"]


def test_several_winners_in_each_step() -> None:
    spikes, potentials = run(Selection(2), [7, 8, 9, 8], 2)
    assert spikes == [".11.", "1..1"]  # 14, 8, 9, 16
    assert potentials == [[7, 0, 0, 8], [0, 8, 9, 0]]


def test_losers_lose_when_all_winners_are_there() -> None:
    selection = Selection(2, losers="subtract", amount=1)
    # One winner of two in step 0: 3 stays. Then 8 and 7, and 6 is less by 1.
    assert run(selection, [3, 4, 8], 2) == (["..1", ".11"], [[3, 4, 0], [5, 0, 0]])


def test_several_winners_of_a_sample() -> None:
    selection = Selection(2, then="silence")
    # The first in step 0, which goes on as it likes; the second in step 1; 9 and 12 come late.
    assert run(selection, [3, 4, 8], 3)[0] == ["..1", ".11", "..1"]
    once = run(selection, [3, 4, 8], 3, switches=(SpikeOnce(),))
    assert once[0] == ["..1", ".1.", "..."]


def test_a_step_without_spikes_begins_a_new_competition_too() -> None:
    """Neuron 0 wins, then nobody may spike; so neuron 1, which lost, competes again."""
    start = network(Selection(), [9, 7], decay=4096)
    (neurons,) = start.populations
    silent = Variant(spiking=False)
    last = Variant(switches=(Selection(then="silence"),))
    weights = np.array([[0, 5]])
    scheduled = dataclasses.replace(
        start,
        populations=(dataclasses.replace(neurons, variants=(silent, last)),),
        connections=(Connection("in", "p", weights),),
        schedule=(0, 1, 2),
    )
    events = np.array([[[0], [0], [1], [0]]], np.uint8)
    program = spikeloom.compile(scheduled)
    model = CycleModel(program.fabric)
    model.load(program.image)
    (words,) = host_words(program.image, {"in": events})
    clocks, packets = np.array(model.run(words.tolist()), np.uint64).T
    cycle_level = decode_packets(program.image, clocks, packets, 1, 4)
    for spikes in simulate(scheduled, events).spikes["p"], cycle_level.spikes["p"]:
        assert (spikes[0] * 1).tolist() == [[1, 0], [0, 0], [0, 1], [0, 1]]


def test_each_position_has_a_winner() -> None:
    # Channels (7, 8), (9, 8), (7, 3): 9 of the first position, the first 8 of the second.
    selection = Selection(each="position", then="silence", losers="subtract", amount=2)
    spikes, potentials = run(selection, [7, 8, 9, 8, 7, 3], 2, image=(3, 1, 2))
    assert spikes == [".11...", ".11..."]
    assert potentials == [[5, 0, 0, 6, 5, 1], [12, 0, 0, 14, 12, 4]]


def test_each_position_has_two_winners() -> None:
    # Of channels (7, 3), (9, 5), (8, 8), (7, 9): 9 and 8 of the first position, 9 and 8 of the
    # second; then of (13, 5), (9, 9), (8, 8), (13, 9) both 13, and both 9.
    selection = Selection(2, each="position", losers="subtract", amount=1)
    spikes, potentials = run(selection, [7, 3, 9, 5, 8, 8, 7, 9], 2, image=(4, 1, 2))
    assert spikes == ["..1.11.1", "1..1..11"]
    assert potentials == [[6, 2, 0, 4, 0, 0, 6, 0], [0, 4, 8, 0, 7, 7, 0, 0]]


def test_positions_with_fewer_candidates_than_winners() -> None:
    # The second position has one candidate and so no loser yet; then 5 + 5 is its second winner.
    selection = Selection(2, each="position", then="silence")
    spikes, _ = run(selection, [7, 1, 9, 8, 8, 5], 3, image=(3, 1, 2))
    assert spikes == ["..111.", "..1111", "..111."]


def test_a_winner_blocks_its_channel() -> None:
    # Channels (9, 8, 8), (7, 7, 3): 9, and then the first 7, as the first channel is blocked.
    selection = Selection(3, radius=0, then="silence")
    spikes, _ = run(selection, [9, 8, 8, 7, 7, 3], 2, image=(2, 1, 3))
    assert spikes == ["1..1..", "1..1.."]


def test_a_winner_blocks_what_is_near() -> None:
    # 9 blocks its channel, and columns 0 and 1 of the other one; the 7 of column 2 is free.
    selection = Selection(3, radius=1, then="silence")
    spikes, _ = run(selection, [9, 8, 8, 7, 7, 7], 1, image=(2, 1, 3))
    assert spikes == ["1....1"]
    diagonal = run(selection, [9, 0, 0, 0] * 1 + [0, 0, 0, 8], 1, image=(2, 2, 2))
    assert diagonal[0] == ["1......."]


def test_who_is_blocked_in_a_step_may_win_the_next() -> None:
    selection = Selection(3, radius=1)
    spikes, _ = run(selection, [9, 8], 2, image=(1, 1, 2))
    assert spikes == ["1.", ".1"]


IMAGE = {"image": (2, 1, 3)}
REFUSED: list[tuple[Selection, dict[str, Any], str]] = [
    (Selection(0), {}, "winners must be 1..15, not 0"),
    (Selection(16), {}, "winners must be 1..15, not 16"),
    (Selection(1.5), {}, "winners must be an integer, not 1.5"),  # type: ignore[arg-type]
    (Selection(each="channel"), {}, "each must be population or position, not 'channel'"),
    (Selection(losers="leave"), {}, "losers must be keep or subtract or reset, not 'leave'"),
    (Selection(then="stop"), {}, "then must be again or silence or free, not 'stop'"),
    (Selection(losers="subtract", amount=-1), {}, "amount must be 0..32767, not -1"),
    (Selection(amount=3), {}, "amount is subtracted; use losers='subtract'"),
    (Selection(radius=-1), IMAGE, "radius must be 0..15, not -1"),
    (Selection(radius=1), {}, "radius=1 is for an image; give the population its image="),
    (Selection(each="position"), {}, "each='position' is for an image"),
    (Selection(each="position", radius=1), IMAGE, "winners of a position block nobody at another"),
    (Selection(radius=1, then="free"), IMAGE, "whom a winner blocks is not free"),
    (Selection(losers="reset"), {"reset": Reset.SUBTRACT}, "losers='reset' sets them to v_reset"),
    (Selection(), {"signed": True, "reset": Reset.SUBTRACT}, "it is not for signed spikes"),
    (Selection(), {"max_spikes": 3}, "a winner spikes once in a step; use max_spikes=1"),
]


@pytest.mark.parametrize(("selection", "options", "message"), REFUSED)
def test_what_has_no_meaning_is_refused(
    selection: Selection, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpikeloomError) as error:
        network(selection, [1] * 6, **options)
    assert str(error.value).startswith(f"population 'p': selection: {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("late", [{"delayed_reset": True}, {"reset": Reset.RESTORE}])
def test_a_late_reset_is_refused(late: dict[str, Any]) -> None:
    with pytest.raises(SpikeloomError, match="a selection of winners hides which neurons spiked"):
        network(Selection(), [1] * 6, **late)


def test_it_lies_in_one_tile_or_the_compiler_says_what_is_short() -> None:
    sizes = {"columns": 2, "lanes": 4, "neurons": 12, "weight_words": 64, "populations": 4}
    fabric = FabricConfig(**sizes, selection=True)
    every = frozenset({"p"})
    made = network(Selection(), [1] * 12)
    alone = dataclasses.replace(made.populations[0], switches=())
    plain = dataclasses.replace(made, populations=(alone,))
    for net, tiles in ((made, [0]), (plain, [0, 1])):
        assert [part.tile for part in Program(net, fabric, every, every).plan.parts] == tiles
    with pytest.raises(SpikeloomError) as error:
        Program(network(Selection(), [1] * 13), fabric, every, every)
    assert str(error.value) == (
        "the network does not fit the fabric: no tile has room for 13 more neurons of 'p', which "
        "lie in one tile as they have a selection; in the closest, neurons 13 of 12 (short by 1); "
        "use a larger FabricConfig"
    )
