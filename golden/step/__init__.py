"""The step-level model: the integer network itself, whatever hardware runs it.

In: a `Network` and the events of any number of samples. Out: spikes and potentials.
Per step: `sums` adds the weights of all events due, `neuron` updates; `run` loops over steps.
"""
