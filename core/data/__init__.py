"""Datasets as memory-mapped banks: one file here is one source of data."""
