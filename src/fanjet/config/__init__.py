"""Configuration: the typed tree, its sources and its validation (04)."""

from fanjet.config.errors import ConfigError
from fanjet.config.load import Loaded, config_of, load_config, reload_config
from fanjet.config.tree.root import Config

__all__ = ["Config", "ConfigError", "Loaded", "config_of", "load_config", "reload_config"]
