"""The headless engine: subset, score, extrapolate, prune, retrain. Importing it loads nothing."""
