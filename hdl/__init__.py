"""The hardware, in Amaranth. See docs/hardware.md for what happens in every clock."""

import os

__path__ = [os.path.realpath(folder) for folder in __path__]  # a checkout links this folder
