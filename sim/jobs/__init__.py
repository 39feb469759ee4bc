"""Independent jobs in other processes, of this machine or of a Dask cluster.

A job is a function and the bytes it is called with, and gives bytes. Only the name of the function
travels, never code: the workers have the project installed. A job whose worker dies
is run again, and each result is given once.
"""
