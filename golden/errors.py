"""The one exception a user can cause."""


class SpikeloomError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: what is wrong, where, and the remedy. The command line prints it and
    exits with status 2.
    """
