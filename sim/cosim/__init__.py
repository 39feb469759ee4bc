"""The cycle-by-cycle check under cocotb.

A memory image and a scenario go in; RTL and cycle-level golden model play them in the same clocks,
in a simulator process of its own; out comes a report with the first difference, if any.
"""
