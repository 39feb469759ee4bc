"""Mapping: from an integer network to the contents of a fabric's memories.

In: a `Network` and a `FabricConfig`. Out: a `MemoryImage`, and a report of the resources it uses.
Partition -> placement -> memories (firing, incoming, coordinates, routing) -> delivery check;
`plan` runs them all.
"""
