"""Sweeps: one graph of tasks over many cells, scheduled over device slots."""
