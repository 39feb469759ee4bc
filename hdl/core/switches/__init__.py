"""Switches of the neuron update in the RTL: a module each, named as its field of `FabricConfig`.

`stage` has what they share, and finds them by name; docs/hardware.md, section Switches, says what
each does in which clock.
"""
