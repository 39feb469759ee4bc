"""Golden model: the specification of a run and of the hardware, in NumPy alone."""
