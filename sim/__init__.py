"""The hardware made to run: Verilog, compiled models, and benches beside the golden model."""

import os

__path__ = [os.path.realpath(folder) for folder in __path__]  # a checkout links this folder
