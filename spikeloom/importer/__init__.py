"""From a file of a training framework to a float network.

In: a NIR graph and a dialect. Out: a `FloatNetwork` of populations and structured connections.
On the way: graph (nodes and edges) -> nodes (what each means) -> linear maps -> images -> load.
"""
