"""What each tile does in each clock of a step, in the cycle-level model."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.cycle.fire import IDLE
from spikeloom.golden.cycle.model import STEP_PACKET, CycleModel
from spikeloom.golden.cycle.tile import Tile
from spikeloom.golden.memory_image import MemoryImage

PARTS = ("integrate", "stall", "fire", "barrier")
"""The parts of a step. Every clock of a tile belongs to exactly one, the first that holds:

`integrate`: a group of synapses is issued; `stall`: one waits for a fetch (the counter `stalls`);
`fire`: neurons are updated or spikes sent, and nothing is issued; `barrier`: the tile waits, for
events, other tiles, the sequencer or the host.
"""


def split_clocks(image: MemoryImage, words: Sequence[int], steps: int) -> NDArray[np.int64]:
    """Run host words back to back, and count the clocks of each step by what they are spent on.

    Parameters
    ----------
    words
        Payloads of `host_in`, of whole samples.
    steps
        Number of steps to run; the words of later ones run ahead.

    Returns
    -------
    array
        int64, shape (steps, tiles, parts), parts in the order of `PARTS`. The clocks of a step are
        counted from the end of the step before, those of the first from reset: their sums over
        parts are those of `spikeloom.devices.prediction.predict_clocks`.
    """
    model = CycleModel(image.config)
    model.load(image)
    model.settle()
    clocks = np.zeros((steps, len(model.tiles), len(PARTS)), np.int64)
    taken = step = 0
    while step < steps:
        for number, tile in enumerate(model.tiles):
            clocks[step, number, _part(tile)] += 1
        model.clock(words[taken] if taken < len(words) else None)
        taken += model.host_in_taken
        step += model.host_out == STEP_PACKET
    return clocks


def _part(tile: Tile) -> int:
    """What a tile does in the clock that its registers hold, as an index into `PARTS`."""
    if tile.integrate.x_valid:
        return 1 if tile.fire.begun else 0
    return 3 if tile.fire.state == IDLE and tile.emit.idle else 2
