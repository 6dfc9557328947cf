"""Extrapolators: from the scores of a subset to a score for every sample. One file, one method."""
