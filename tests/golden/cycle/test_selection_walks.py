"""The walks of a selection, by hand from docs/hardware.md, section Selection."""

import dataclasses

from by_hand import PLAIN, SMALL, TO_HOST, clocks_of, image, mark, packets, play

from spikeloom.golden.spec import Then

IMAGES = dataclasses.replace(SMALL, lanes=2, queue=32, extent=2, selection=True)
POSITIONS = {
    "neurons": 6,
    "channels": 3,
    "height": 1,
    "width": 2,
    "threshold": 5,
    "selection": 1,
    "selection_by_position": 1,
    "selection_then": Then.AGAIN,
} | PLAIN


def test_two_winners_of_each_of_two_positions() -> None:
    loaded = image(
        IMAGES,
        # Channels 0 and 1 of position 0, of position 1, then channel 2 of both; a group has 2 rows.
        biases=[7, 9, 4, 6, 8, 0, 3],
        populations=[POSITIONS | {"selection_winners": 2, "readout": 1}],
        targets=[TO_HOST],
    )
    words = [mark(IMAGES, first=1)]
    probes = play(loaded, words, 120)

    # A neuron is written 7 clocks after it has entered. Walks, of which each begins
    # 6 + 7 + 3 clocks after the one before: candidates, winners, those that come next, winners,
    # potentials. At position 1 there is one candidate, and so no second winner.
    (begins, *_) = clocks_of(probes, "0.fetch.valid")
    writes = clocks_of(probes, "0.state.write")
    assert IMAGES.fire_clocks == 7
    assert writes == [begins + 16 * walk + 7 + n for walk in range(5) for n in range(6)]
    # Channel 1 (9) and channel 1 of the other position (6); then channel 2 (8).
    pushes = clocks_of(probes, "0.spike.valid")
    second, fourth, fifth = (begins + 16 * walk + 7 for walk in (1, 3, 4))
    assert pushes == [second + 1, second + 3, fourth + 4, *range(fifth, fifth + 6)]
    sent = packets(loaded, words)
    assert [(p["index"], p["x"]) for p in sent[:3]] == [(1, 0), (1, 1), (2, 0)]
    assert [p["value"] for p in sent[3:9]] == [7, 0, 4, 0, 0, 3]


def test_two_winners_without_positions_need_no_walk_between_them() -> None:
    rows = POSITIONS | {"selection_winners": 2, "selection_by_position": 0}
    loaded = image(IMAGES, biases=[7, 9, 4, 6, 8, 0, 3], populations=[rows], targets=[TO_HOST])
    probes = play(loaded, [mark(IMAGES, first=1)], 120)
    (begins, *_) = clocks_of(probes, "0.fetch.valid")
    assert clocks_of(probes, "0.state.write")[-1] == begins + 16 * 2 + 7 + 5
    first, second = (begins + 16 * walk + 7 for walk in (1, 2))
    assert clocks_of(probes, "0.spike.valid") == [first + 1, second + 4]
