"""The network on chip: packets between tiles, and from tiles to the host.

In: events of the host and of the tiles. Out: the same events at every tile of their route.
`router` is a node and `mesh` connects the nodes; `collector` takes packets for the host to tile 0.
"""
