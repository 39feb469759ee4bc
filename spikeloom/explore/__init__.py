"""Sweeps over widths, lanes, tiles, schedules and boards: what each costs, and what it is worth.

`points` says what is tried, `evaluate` tries one point in whatever process, `sweep` tries all of
them in parallel and keeps what has been tried, `pareto` picks the points that none beats.
"""
