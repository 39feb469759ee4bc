"""From a file of a training framework to a float network.

In: a NIR graph and a dialect. Out: a `FloatNetwork` of populations and structured connections.
On the way: graph (nodes and edges) -> node (checked parameters) -> maps and neurons (meaning of
each kind of node) -> linear maps -> images -> load. `float_simulation` runs the result.
"""
