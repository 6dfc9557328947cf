"""Training: the one hot loop and what it needs (feed, augmentation, recorder, checkpoints)."""
