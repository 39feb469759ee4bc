"""The cycle-level model: what every port of a fabric does on every clock.

In: a memory image and host words. Out: packets with their clocks, counters, the probe word.
`model.CycleModel` joins the blocks: sequencer -> mesh -> tile (integrate, fire, emit) -> collector.
"""
