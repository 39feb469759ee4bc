"""Switches of the neuron update in floating point: a module each, named as its field of
`FabricConfig`.

`switch` has what they share, and finds them by name.
"""
