"""Switches of the neuron update: a module for each, named as its field of `FabricConfig`.

`switch` has what they share; `records` finds them by name.
"""
