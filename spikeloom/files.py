"""Writes files atomically: they appear complete or not at all."""

import io
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.errors import SpikeloomError


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to a file; on failure an existing file is unchanged.

    Raises `SpikeloomError` where the file cannot be written.
    """
    target = Path(path)
    try:
        if target.is_symlink() or (target.exists() and not target.is_file()):
            # Write through links, devices and pipes instead of replacing them.
            target.write_bytes(data)
            return
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).chmod(0o644)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink()
            raise
    except OSError as error:
        raise SpikeloomError(f"cannot write {target}: {error.strerror}") from None


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` in UTF-8; see `write_bytes`."""
    write_bytes(path, text.encode())


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a compressed .npz to exactly `path`, whatever its suffix; see `write_bytes`."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())
