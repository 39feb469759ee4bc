"""Runs the hardware: Verilog, compiled models, benches against the golden model, proofs."""

import os

__path__ = [os.path.realpath(folder) for folder in __path__]  # a checkout links this folder
