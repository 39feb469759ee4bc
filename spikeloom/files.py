"""Writes files atomically: they appear complete or not at all."""

import errno
import importlib
import io
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikeloom.golden.errors import SpikeloomError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to a file; on failure an existing file is unchanged.

    Raises `SpikeloomError` where the file cannot be written.
    """
    write_files({Path(path): data})


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write several files, all or none: on failure existing files are unchanged.

    Raises `SpikeloomError` where one cannot be written.
    """
    written: dict[Path, Path] = {}
    try:
        for target, data in contents.items():
            try:
                if target.is_symlink() or (target.exists() and not target.is_file()):
                    # Write through links, devices and pipes instead of replacing them.
                    target.write_bytes(data)
                else:
                    written[target] = _written_beside(target, data)
            except OSError as error:
                raise SpikeloomError(f"cannot write {target}: {error.strerror}") from None
        for target, work in tuple(written.items()):
            try:
                work.replace(target)
            except OSError as error:
                raise SpikeloomError(f"cannot write {target}: {error.strerror}") from None
            del written[target]
    finally:
        for work in written.values():
            work.unlink()


def _written_beside(target: Path, data: bytes) -> Path:
    """A file in the folder of `target` with this content, and the mode that `target` should have.

    The name is short, because that of the target may have the maximum length. The mode is that of
    the existing file, or what the umask leaves.
    """
    work = target.parent / f".spikeloom-{secrets.token_hex(8)}"
    handle = os.open(work, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        if target.exists():
            shutil.copymode(target, work)
    except BaseException:
        work.unlink()
        raise
    return work


def check_writable(path: str | os.PathLike[str]) -> None:
    """Check that `write_bytes` could write to `path` now; the file is left as it is.

    Raises `SpikeloomError` if not.
    """
    target = Path(path)
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if target.is_symlink() or target.exists():
            if not os.access(target, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            if not target.is_file():
                return
        _try_folder(target.parent)
    except OSError as error:
        raise SpikeloomError(f"cannot write {target}: {error.strerror}") from None


def check_folder(path: str | os.PathLike[str]) -> None:
    """Check that a folder, which need not exist yet, can be created and written to.

    Nothing is created. Raises `SpikeloomError` if not.
    """
    folder = Path(path)
    try:
        while not folder.exists():
            folder = folder.parent
        _try_folder(folder)
    except OSError as error:
        raise SpikeloomError(f"cannot write {path}: {error.strerror}") from None


def _try_folder(folder: Path) -> None:
    """Raise `OSError` if no file can be created in an existing folder."""
    work = folder / f".spikeloom-{secrets.token_hex(8)}"
    os.close(os.open(work, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    work.unlink()


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` in UTF-8; see `write_bytes`."""
    write_bytes(path, text.encode())


def write_arrays(path: str | os.PathLike[str], arrays: "Mapping[str, NDArray[Any]]") -> None:
    """Write a compressed .npz to exactly `path`, whatever its suffix; see `write_bytes`."""
    buffer = io.BytesIO()
    importlib.import_module("numpy").savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())
