"""Assembles a server from its parts and runs it: the composition root, listeners and the process lifecycle."""
