"""The headless engine of prunectl: subset, score, extrapolate, prune, retrain. Imports nothing heavy."""
