"""An on-disk cache: each result is stored under the hash of everything it was made from.

The directory is the environment variable `SPIKELOOM_CACHE`, or else the user's cache directory.
It may be deleted at any time.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import platformdirs

from spikeloom.golden.errors import SpikeloomError


def directory() -> Path:
    """The directory of the cache."""
    return Path(os.environ.get("SPIKELOOM_CACHE") or platformdirs.user_cache_dir("spikeloom"))


def digest(*parts: str) -> str:
    """A hash of `parts`, 32 hexadecimal digits; different sequences of strings differ in it."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode()
        total.update(b"%d:" % len(data) + data)
    return total.hexdigest()[:32]


def cached(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """The directory that `make` filled for `key`; filled now if it is not in the cache.

    Any number of processes may request the same key at once: each works in its own directory, the
    first to finish renames its result to the final name, and the others use that one. If `make`
    raises, nothing is left behind.

    Parameters
    ----------
    kind
        Subdirectory of the cache, one for each kind of result.
    key
        Digest of everything the result depends on.
    make
        Fills an empty directory.

    Raises
    ------
    SpikeloomError
        The cache is not writable.
    """
    final = directory() / kind / key
    if final.is_dir():
        return final
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".making-", dir=final.parent))
    except OSError as error:
        raise SpikeloomError(
            f"cannot write to the cache ({error}): set SPIKELOOM_CACHE to a writable directory"
        ) from None
    try:
        make(work)
        try:
            work.rename(final)
        except OSError:
            if not final.is_dir():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return final
