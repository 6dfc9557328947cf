"""Selection policies: from scores to the ids that are kept. One file, one policy."""
