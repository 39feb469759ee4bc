"""Worked examples: small trained networks, their input codes and their training scripts."""

import os

__path__ = [os.path.realpath(folder) for folder in __path__]  # a checkout links this folder
