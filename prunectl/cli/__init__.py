"""The command line: Typer for the words, Rich for the pictures, the engine in its own process."""
