"""From specs to one graph of tasks. Pure: nothing is read, drawn or computed but counts.

A run is the graph of one spec, a sweep the graph of many: tasks whose inputs are described by the
same words are one task, whoever asked for it (``cells``). Which ids a task gets is known only when
it runs, so keys of the store are made then; here a task's ``identity`` hashes the *description*.
"""
