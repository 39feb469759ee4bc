"""From an integer network to the contents of a fabric's memories.

In: a `Network` and a `FabricConfig`. Out: a memory image, a report of what it uses.
On the way: partition -> placement -> routing -> tables -> delivery check; `plan` does all.
"""
