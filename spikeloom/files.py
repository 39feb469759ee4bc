"""Writes files that appear whole or not at all."""

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
    """Make `data` the contents of a file; a file that was there stays whole if that fails.

    Raises `SpikeloomError` where the file cannot be written.
    """
    target = Path(path)
    try:
        if target.is_symlink() or (target.exists() and not target.is_file()):
            # A device or pipe is not to be replaced, and a link is to stay one.
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
    """`write_bytes` of `text` in UTF-8."""
    write_bytes(path, text.encode())


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]]) -> None:
    """`write_bytes` of a compressed .npz; the name is `path` as it is, whatever its suffix."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())
