"""Running a Program: on the golden model, the compiled RTL, a netlist or a board.

In: a `Program` and events. Out: a `Run`, of the same form from every backend.
Events -> host words, in chunks (or codes, in batches) -> device -> packets -> `Run`.
"""
