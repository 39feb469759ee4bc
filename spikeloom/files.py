"""Writes files atomically: they appear complete or not at all."""

import io
import os
import secrets
import shutil
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
        # The name is short, because that of the target may have the maximum length. The mode is
        # that of the existing file, or what the umask leaves.
        work = target.parent / f".spikeloom-{secrets.token_hex(8)}"
        handle = os.open(work, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            if target.exists():
                shutil.copymode(target, work)
            work.replace(target)
        except BaseException:
            work.unlink()
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
