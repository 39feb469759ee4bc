"""The step-level model: the integer network, independent of the hardware that runs it.

`run` takes a `Network` and the events of any number of samples, and returns spikes and potentials.
`batch` loops over steps: `sums` adds the weights of all events due, `neuron` updates the neurons.
"""
