"""What a run is worth: the answers that its output gives, against labels and against other runs.

`labels` reads and checks labels, `decoding` turns spikes or potentials into answers, `accuracy`
counts the right ones, and `agreement` compares two runs layer by layer.
"""
