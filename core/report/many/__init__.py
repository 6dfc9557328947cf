"""The page about many runs: the cells of a sweep side by side."""
