"""Fanjet as a library: a server inside a Python program, whose functions answer its events."""
