"""The exceptions for errors that a user can cause and for faulty devices, and a warning."""

import difflib
from collections.abc import Iterable


class SpikeloomError(ValueError):
    """Input from the user cannot be used.

    The message is one line: the problem, its place, and the remedy. The command line prints it and
    exits with status 2.
    """


class SpikeloomWarning(UserWarning):
    """A result that is hardly what the user meant.

    The message is one line: what is odd, where, and the remedy. The command line prints it.
    """


class FaultyDevice(RuntimeError):
    """A device sent impossible packets: it is broken, or built for another image."""


def meant(name: str, known: Iterable[str]) -> str:
    """A question, ", did you mean X?", if a name resembles a known one, whatever its case."""
    lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), lower, 1, 0.75)
    return f", did you mean {lower[close[0]]}?" if close else ""
