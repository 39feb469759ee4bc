"""Switches of the neuron update on one neuron, as the section Switches of `docs/hardware.md` has
them: a module for each, named as its field of `FabricConfig`.

`stage` has what they share, and finds them by name.
"""
