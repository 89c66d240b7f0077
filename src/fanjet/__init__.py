"""Fanjet: a self-hosted real-time messaging server."""

from importlib.metadata import version

__version__ = version("fanjet")
