"""Where a Program runs: golden model, compiled RTL, netlist, board.

In: a `Program` and events. Out: a `Run`, the same from every backend.
"""
