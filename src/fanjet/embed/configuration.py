"""The configuration of an embedded server.

It is a file, a mapping with the keys of files, or a `Config`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from fanjet.config import Config, ConfigError, Loaded, config_of, load_config
from fanjet.server.startup_checks import all_startup_problems, check

Configuration: TypeAlias = str | os.PathLike[str] | Mapping[str, Any] | Config


def load(configuration: Configuration, *, address: str | None = None, port: int | None = None) -> Loaded:
    """Load the configuration, with another address and port if they are given.

    The environment is used for files only, as by the command. Raises `ConfigError`, also if the file does not exist.
    """
    if isinstance(configuration, Config):
        loaded = Loaded(config=configuration)
    elif isinstance(configuration, Mapping):
        loaded = Loaded(config=config_of(configuration))
    else:
        loaded = _load_file(Path(configuration))
    given = {name: value for name, value in (("address", address), ("port", port)) if value is not None}
    if not given:
        return loaded
    http = loaded.config.http_server.model_copy(update=given)
    config = loaded.config.model_copy(update={"http_server": http})
    return Loaded(config=config, path=loaded.path, file_found=loaded.file_found, unknown_keys=loaded.unknown_keys)


def _load_file(path: Path) -> Loaded:
    loaded = load_config(str(path))
    if not loaded.file_found:
        raise ConfigError(f"config file {path} cannot be opened")
    return loaded


def require_servable(config: Config) -> None:
    """Raise `ConfigError` if a server with this configuration cannot start."""
    check(config)
    for problem in all_startup_problems(config):
        details = "; ".join(f"{name}: {value}" for name, value in problem.fields.items())
        raise ConfigError(f"{problem.message} ({details})" if details else problem.message)


def require_single(config: Config) -> None:
    """Raise `ConfigError` if several workers are configured.

    Only `Server.run` can start them.
    """
    if config.fanjet.workers > 1:
        raise ConfigError("fanjet.workers: a server inside a program of yours is one process; `run` starts several")


def require_hostable(config: Config) -> None:
    """Raise `ConfigError` for settings that a host cannot apply.

    The ASGI server in front would have to implement them.
    """
    http = config.http_server
    for name, wanted in (
        ("http_server.tls.enabled", http.tls.enabled),
        ("http_server.tls_autocert.enabled", http.tls_autocert.enabled),
        ("http_server.http3.enabled", http.http3.enabled),
        ("webtransport.enabled", config.webtransport.enabled),
    ):
        if wanted:
            raise ConfigError(f"{name}: this is the business of the ASGI server that listens")
