"""The commands and their words, a file for those of one purpose. Each imports the module that does
it when it is called, so that ``prunectl --help`` loads Typer and nothing else."""
