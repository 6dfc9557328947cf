"""Projections of the journal to other systems. None of them is ever on the training path."""
