"""Assembles a server from its parts and runs it.

Contains the composition root, the listeners and the process lifecycle.
"""
