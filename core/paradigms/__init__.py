"""Paradigms, one file each: loss, targets and evaluation. Nothing else branches on them."""
