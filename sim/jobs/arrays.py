"""Arrays as the bytes of a job."""

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays as bytes; their names may be any text."""
    buffer = io.BytesIO()
    names = np.frombuffer(json.dumps(list(arrays)).encode(), np.uint8)
    np.savez(buffer, names, *arrays.values(), allow_pickle=False)
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, NDArray[Any]]:
    """The arrays that `pack` wrote."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        names = json.loads(arrays["arr_0"].tobytes())
        return {name: arrays[f"arr_{n}"] for n, name in enumerate(names, 1)}
