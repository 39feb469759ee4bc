"""Time constants: as trained, and as integers that truncate have them.

A slow decay is few units of 1/4096, and truncation adds to it. So of the two integers next to
4096 * decay the one is taken with which a typical state falls to 1/e of it at the more similar
rate; a fast decay is rounded to the nearest.
"""

import functools
import math

from spikeloom.golden.spec import DECAY_BITS, DECAY_ONE

SLOW = 64
"""Units of 1/4096 below which a decay is slow: one unit more changes it by more than 1.6 %."""


def integer_decay(decay: float, start: int) -> int:
    """K of `decay`, with which `start` decays in the most similar time.

    It is not 0 for a decay that rounds to 1 or more.
    """
    nearest = round(DECAY_ONE * decay)
    tau = time_constant(decay)
    if tau is None or not 0 < nearest < SLOW:
        return nearest
    exact = DECAY_ONE * decay
    candidates = sorted({math.floor(exact), math.ceil(exact)} - {0}, key=lambda k: abs(k - exact))
    return min(candidates, key=lambda k: rate_error(k, max(start, 1), tau))


def rate_error(k: int, start: int, tau: float) -> float:
    """How far the rate at which `start` decays is from 1 / `tau` per step."""
    integer = integer_time_constant(k, start)
    return abs((1 / integer if integer else 0.0) - 1 / tau)


def time_constant(decay: float) -> float | None:
    """Steps in which a potential that loses a fraction `decay` a step falls to 1/e of it.

    None where it loses nothing or everything.
    """
    return -1 / math.log1p(-decay) if 0 < decay < 1 else None


@functools.lru_cache(maxsize=1 << 16)
def integer_time_constant(k: int, start: int) -> float | None:
    """Steps in which `start`, > 0, decays to 1/e of it with k/4096 forgotten and truncation.

    Interpolated between steps. None where it loses nothing or everything.
    """
    if not 0 < k < DECAY_ONE:
        return None
    target = start / math.e
    steps, state, before = 0, start, start
    while state > target:
        before = state
        state = state * (DECAY_ONE - k) >> DECAY_BITS
        steps += 1
    return steps - (target - state) / (before - state)
