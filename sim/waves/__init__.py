"""Waveforms that read like the source.

`vcd` reads what Verilator records, `names` gives its signals the names and the enumerations of the
hardware description, `fst` writes the result, and `viewers` writes save files that open it grouped
by tile and stage.
"""
