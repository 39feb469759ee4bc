"""N-MNIST example: a convolutional spiking network (`nmnist.nir`) and its input code.

A recording of about 310 ms is cut into `STEPS` steps of equal length.  Each pixel and polarity
is one input channel; it spikes in a step in which it has at least one event.
"""

from pathlib import Path

import numpy as np

STEPS = 6

SIZE = 34
"""Pixels per side."""
CHANNELS = 2 * SIZE * SIZE
DURATION_US = 315_000
"""Time that the steps cover; later events are left out."""

HELD_OUT = np.arange(4, 1000, 5)
"""Recordings of `nmnist_1000.npz` that the network was neither trained nor chosen on."""


def encode(x: np.ndarray, y: np.ndarray, p: np.ndarray, t_us: np.ndarray) -> np.ndarray:
    """Turn the events of one recording into input spikes.

    Parameters
    ----------
    x, y
        Column and row, 0..33.
    p
        Polarity, 0 or 1.
    t_us
        Time in microseconds from the start of the recording.

    Returns
    -------
    numpy.ndarray
        Spikes, bool (STEPS, 2312); channel (polarity * 34 + row) * 34 + column.
    """
    step = np.asarray(t_us).astype(np.int64) * STEPS // DURATION_US
    channel = (np.asarray(p).astype(np.int64) * SIZE + y) * SIZE + x
    spikes = np.zeros((STEPS, CHANNELS), dtype=bool)
    inside = step < STEPS
    spikes[step[inside], channel[inside]] = True
    return spikes


def held_out(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Input spikes (recordings, STEPS, CHANNELS) of `HELD_OUT`, and their labels.

    Parameters
    ----------
    data
        Folder with `nmnist_1000.npz`.
    """
    with np.load(data / "nmnist_1000.npz", allow_pickle=False) as archive:
        events = [archive[name] for name in ("x", "y", "p", "t_us")]
        offsets, labels = archive["offsets"], archive["labels"]
    parts = [slice(offsets[k], offsets[k + 1]) for k in HELD_OUT]
    recordings = [encode(*(values[part] for values in events)) for part in parts]
    return np.stack(recordings), labels[HELD_OUT]
