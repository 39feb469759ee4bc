"""MNIST example: a 784-128-10 spiking network (`mnist.nir`) and its input code.

The input code is a latency code over `STEPS` = 4 time steps.  Each pixel is one input channel
and spikes at most once; the brighter it is, the earlier it spikes.
"""

import numpy as np

STEPS = 4

LEVELS = (250, 192, 128, 80)
"""Smallest pixel value that spikes in step 0, 1, 2 and 3; darker pixels never spike."""


def encode(images: np.ndarray) -> np.ndarray:
    """Turn grey-level images into input spikes.

    A pixel p spikes in step 0 if p >= LEVELS[0], in step t > 0 if LEVELS[t] <= p < LEVELS[t-1],
    and never if p < LEVELS[3].

    Parameters
    ----------
    images
        uint8 of shape (n, 28, 28) or (n, 784), 0 = background, 255 = ink.

    Returns
    -------
    numpy.ndarray
        Spikes, bool (n, STEPS, 784); channel 28 * row + column is the pixel.
    """
    pixels = np.asarray(images).reshape(-1, 1, 784)
    reached = pixels >= np.array(LEVELS, dtype=np.uint8).reshape(1, STEPS, 1)
    spikes = reached.copy()
    spikes[:, 1:] &= ~reached[:, :-1]
    return spikes
