"""Slow twins: each algorithm of the core once more, in plain NumPy, readable as its mathematics."""
