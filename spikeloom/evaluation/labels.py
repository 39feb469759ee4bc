"""Labels: the right answer of each sample, from a file or an array."""

import os

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikeloom.bounded import read_arrays
from spikeloom.golden.errors import SpikeloomError

Labels = NDArray[np.int64]

NAMES = ("labels", "y")
"""Names of the labels in a .npz file with several arrays."""


def check_labels(
    labels: ArrayLike, samples: int, classes: int | None = None, steps: int | None = None
) -> Labels:
    """The labels as int64 of shape (samples,).

    Parameters
    ----------
    labels
        An integer for each sample: the number of the output neuron that should answer.
    samples
        Number of samples of the events.
    classes
        Number of output neurons; None if unknown.
    steps
        Number of steps of the events, which tells whether their first two axes are in the wrong
        order; None if unknown.

    Raises
    ------
    SpikeloomError
        They are no integers, their number is not that of the samples, or one is no output neuron.
    """
    try:
        given = np.asarray(labels)
    except ValueError:
        raise SpikeloomError("labels must be a list of integers, one for each sample") from None
    if given.ndim == 2 and given.shape[0] == samples:
        remedy = "labels.reshape(-1)" if given.shape[1] == 1 else "labels.argmax(axis=1)"
        raise SpikeloomError(
            f"labels must be {samples} integers, one for each sample, not an array of shape "
            f"{given.shape}: use {remedy}"
        )
    if given.dtype.kind not in "iu":
        remedy = ": use labels.astype(int)" if given.dtype.kind in "bf" else ""
        raise SpikeloomError(f"labels must be integers, not {given.dtype}{remedy}")
    if given.shape == (steps,) != (samples,):
        raise SpikeloomError(
            f"there are {steps} labels, and the events have {samples} samples of {steps} steps: "
            "their first axis is time; use events.swapaxes(0, 1)"
        )
    if given.shape != (samples,):
        raise SpikeloomError(
            f"labels must be {samples} integers, one for each sample, not an array of shape "
            f"{given.shape}"
        )
    if samples and (given.min() < 0 or (classes is not None and given.max() >= classes)):
        bounds = "0 or more" if classes is None else f"0..{classes - 1}, the neurons of the output"
        raise SpikeloomError(f"labels must be {bounds}, not {given.min()}..{given.max()}")
    return given.astype(np.int64)


def read_labels(path: str | os.PathLike[str]) -> NDArray[np.generic]:
    """The labels in a .npy file, or in a .npz file with one array, or one called as in `NAMES`.

    They are not checked yet: see `check_labels`. Raises `SpikeloomError` if there are none.
    """
    try:
        arrays = read_arrays(path)
    except SpikeloomError:
        raise
    except Exception:
        # On arbitrary bytes the readers may raise almost anything.
        raise SpikeloomError(f"{path} is not a complete .npy or .npz file of labels") from None
    if not isinstance(arrays, dict):
        return arrays
    candidates = [name for name in NAMES if name in arrays] or list(arrays)
    if len(candidates) != 1:
        raise SpikeloomError(
            f"{path} holds {', '.join(map(repr, arrays)) or 'no array'}: call the labels "
            f"{NAMES[0]!r}, or save them alone"
        )
    return arrays[candidates[0]]
