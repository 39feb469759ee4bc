"""Everything that depends on a pin: board descriptions, clocking, bitstreams."""

import os

__path__ = [os.path.realpath(folder) for folder in __path__]  # a checkout links this folder
