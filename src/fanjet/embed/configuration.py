"""What an embedded server is configured by: a file, a mapping in the words of files, or a typed configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from fanjet.config import Config, ConfigError, Loaded, config_of, load_config
from fanjet.server.startup_checks import check, refusals

Configuration: TypeAlias = str | os.PathLike[str] | Mapping[str, Any] | Config


def load(configuration: Configuration, *, address: str | None = None, port: int | None = None) -> Loaded:
    """The configuration with another address and port, if they are given. The environment counts for files alone, as it
    does for the command. Raises `ConfigError`, also where a file is not there."""
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
    """Raise `ConfigError` for what keeps a server from starting."""
    check(config)
    for refusal in refusals(config):
        details = "; ".join(f"{name}: {value}" for name, value in refusal.fields.items())
        raise ConfigError(f"{refusal.message} ({details})" if details else refusal.message)


def require_single(config: Config) -> None:
    """Raise `ConfigError` where several processes are wanted: only a server that is the program itself has any."""
    if config.fanjet.workers > 1:
        raise ConfigError("fanjet.workers: a server inside a program of yours is one process; `run` starts several")


def require_hostable(config: Config) -> None:
    """Raise `ConfigError` for what an ASGI server in front would have to do."""
    http = config.http_server
    for name, wanted in (
        ("http_server.tls.enabled", http.tls.enabled),
        ("http_server.tls_autocert.enabled", http.tls_autocert.enabled),
        ("http_server.http3.enabled", http.http3.enabled),
        ("webtransport.enabled", config.webtransport.enabled),
    ):
        if wanted:
            raise ConfigError(f"{name}: this is the business of the ASGI server that listens")
