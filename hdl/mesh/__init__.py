"""What carries packets between tiles.

In: events of the host and of the tiles. Out: the same events at every tile of their route.
`router` is a node, `mesh` joins the nodes; `collector` brings packets for the host to tile 0.
"""
