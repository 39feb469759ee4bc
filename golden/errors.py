"""The exception for errors that a user can cause."""


class SpikeloomError(ValueError):
    """Input from the user cannot be used.

    The message is one line: the problem, its place, and the remedy. The command line prints it and
    exits with status 2.
    """
