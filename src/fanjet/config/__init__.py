"""Configuration: the typed tree, its sources and its validation (04)."""

from fanjet.config.tree.root import Config

__all__ = ["Config"]
