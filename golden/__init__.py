"""Golden model: the specification of a run and of the hardware, in NumPy alone."""

import os

__path__ = [os.path.realpath(folder) for folder in __path__]  # a checkout links this folder
