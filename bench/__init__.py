"""Benchmarks: `python -m bench` measures every figure and writes them as one list."""
