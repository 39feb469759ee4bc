"""Typed access to the members of an HDF5 file that `spikeloom.bounded` has checked."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np
from numpy.typing import NDArray

from spikeloom.bounded import check_hdf5
from spikeloom.golden.errors import SpikeloomError


class Group:
    """A group of a file, and access to its members that checks their types."""

    def __init__(self, group: Any, where: str) -> None:
        self._group = group
        self.where = where

    def refuse(self, problem: str) -> NoReturn:
        """Raise an error that names the group."""
        raise SpikeloomError(f"{self.where}: {problem}")

    def __len__(self) -> int:
        return len(self._group)

    def __contains__(self, name: str) -> bool:
        return name in self._group

    def _member(self, name: str, kind: type) -> Any:
        member = self._group.get(name)
        if not isinstance(member, kind):
            self.refuse(f"{name} is absent or no {kind.__name__.lower()}; export the file again")
        return member

    def group(self, name: str) -> "Group":
        """A member that is a group."""
        return Group(self._member(name, h5py.Group), f"{self.where}, {name}")

    def array(self, name: str) -> NDArray[np.float64]:
        """A member that holds finite numbers."""
        data = self._member(name, h5py.Dataset)
        if data.dtype.kind not in "biuf":
            self.refuse(f"{name} must be numbers, not {data.dtype}")
        values = np.asarray(data[()], np.float64)
        if not np.isfinite(values).all():
            self.refuse(f"{name} has NaN or infinite elements; export the file again")
        return values

    def text(self, name: str) -> str:
        """A member that holds a text."""
        data = self._member(name, h5py.Dataset)
        if data.size != 1 or not (data.dtype.kind == "S" or h5py.check_string_dtype(data.dtype)):
            self.refuse(f"{name} must be a text; export the file again")
        value = np.asarray(data[()]).reshape(-1)[0]
        return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


@contextmanager
def opened(path: "str | os.PathLike[str]") -> Iterator[Group]:
    """The root of a file.

    Raises `SpikeloomError` where it is absent, no HDF5 file, or not within the limits of
    `spikeloom.bounded`.
    """
    where = f"file {os.fspath(path)!r}"
    try:
        if not Path(path).exists():
            raise SpikeloomError(f"{where} does not exist; check the path")
        check_hdf5(path)
        with h5py.File(path, "r") as file:
            yield Group(file, where)
    except SpikeloomError:
        raise
    except Exception as error:  # whatever h5py stumbles over
        cause = " ".join(str(error).split()) or type(error).__name__
        raise SpikeloomError(f"{where} is no valid HDF5 file ({cause}); export it again") from error
