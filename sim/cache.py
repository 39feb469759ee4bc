"""Results kept on disk under the hash of everything that they were made from.

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
    """Where results are kept."""
    return Path(os.environ.get("SPIKELOOM_CACHE") or platformdirs.user_cache_dir("spikeloom"))


def digest(*parts: str) -> str:
    """A name for `parts`: different sequences of strings have different names."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode()
        total.update(b"%d:" % len(data) + data)
    return total.hexdigest()[:32]


def cached(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """The directory that `make` filled for `key`; made now if it is not there yet.

    Any number of processes may ask for the same key at once: each works in a directory of its
    own, the first to finish gives its result the final name, and the others use that one. When
    `make` raises, nothing is left behind.

    Parameters
    ----------
    kind
        Subdirectory of the cache: what sort of result it is.
    key
        Digest of everything that the result depends on.
    make
        Fills the empty directory that it is given.
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
