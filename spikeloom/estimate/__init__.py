"""Estimates before synthesis: whether a network fits a board, how large and how fast it becomes.

Block RAM is counted as Yosys chooses it; logic cells and clocks come from a table fitted to earlier
builds, which `python -m bench.cells` writes.
"""
