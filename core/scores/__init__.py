"""Importance scores, one file each: what is observed during training and what is made of it."""
