"""Braille example: a recurrent spiking network (`braille.nir`) and its input code.

Tactile sensors slide over a letter.  The input code is a level-crossing code: every sensor has a
ladder of levels around its value at the start of the recording, and each level has one channel
that spikes when the sensor rises above it and one that spikes when it falls below.
"""

from pathlib import Path

import numpy as np

STRIDE = 2
"""Every other frame is read: the sensors deliver a new value for every two frames."""
FRAMES = 77
STEPS = (FRAMES + STRIDE - 1) // STRIDE

SENSORS = (1, 6)
"""The sensors that feel the letter; of the other ten, none passes a level but in noise."""
LEVELS = np.array([level for level in range(-72, 25, 6) if level])
"""Distances from the sensor's first value."""
HYSTERESIS = 2
"""A level is passed when the value is this far beyond it, so that noise does not spike."""
CHANNELS = len(SENSORS) * len(LEVELS) * 2

HELD_OUT = np.arange(4, 1350, 5)
"""Recordings of `braille_1350.npz` that the network was neither trained nor chosen on."""


def encode(frames: np.ndarray) -> np.ndarray:
    """Turn recordings into input spikes.

    Parameters
    ----------
    frames
        Sensor values (n, 77, 12), 0..255.

    Returns
    -------
    numpy.ndarray
        Spikes, bool (n, STEPS, CHANNELS); the channel of sensor s (an index into `SENSORS`) and
        level l is 2 * (len(LEVELS) * s + l) where it rises, one more where it falls.
    """
    values = np.asarray(frames)[:, ::STRIDE, SENSORS].astype(np.int64)
    moved = (values - values[:, :1])[..., np.newaxis] - LEVELS
    above = moved[:, 0] > 0  # (n, sensors, levels)
    spikes = np.zeros((*moved.shape, 2), dtype=bool)
    for step in range(STEPS):
        rises = ~above & (moved[:, step] >= HYSTERESIS)
        falls = above & (moved[:, step] <= -HYSTERESIS)
        above ^= rises | falls
        spikes[:, step, ..., 0], spikes[:, step, ..., 1] = rises, falls
    return spikes.reshape(len(values), STEPS, CHANNELS)


def held_out(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Input spikes (recordings, STEPS, CHANNELS) of `HELD_OUT`, and their labels.

    Parameters
    ----------
    data
        Folder with `braille_1350.npz`.
    """
    with np.load(data / "braille_1350.npz", allow_pickle=False) as archive:
        return encode(archive["frames"][HELD_OUT]), archive["labels"][HELD_OUT]
