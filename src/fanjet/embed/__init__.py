"""Fanjet as a library: a server embedded in a Python program.

Its event handlers are Python functions.
"""
