"""Plots for notebooks, by Matplotlib: each takes `ax=None` and returns the Axes it drew into.

Matplotlib is imported when something is drawn.
"""
