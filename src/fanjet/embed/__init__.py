"""Fanjet as a library: a server embedded in a Python program, with event handlers in Python."""
