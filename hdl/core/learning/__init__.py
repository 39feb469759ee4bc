"""Learning on the chip: what changes the weights after each step.

`learn` has the order of it all, `rules` the tables, `notes` the axons that spiked, `axons` what is
known of them, `targets` the neurons of a group, `kernel_walk` the positions of a convolution, and
`synapses` the arithmetic of a word of weights.
docs/hardware.md, section Learning, says what each does in which clock.
"""
