"""Log lines about the configuration at startup (04 §8.2, §13)."""

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fanjet.config.load import Loaded
from fanjet.config.tree.root import Config
from fanjet.config.unsupported import unsupported_warnings

_RISK = "make sure you understand risks"


@dataclass(frozen=True, slots=True)
class Notice:
    """A log line: `level` is the name of the logger's method."""

    level: str
    message: str
    fields: dict[str, object] = field(default_factory=dict)


def source_notices(loaded: Loaded) -> Iterator[Notice]:
    """The sources of the configuration: the first lines of a start."""
    if loaded.file_found:
        yield Notice("info", "using config file", {"path": str(Path(loaded.path).absolute())})
    elif loaded.path:
        yield Notice("warn", "config file not found, continue using environment and flag options")
    if loaded.dotenv:
        yield Notice("info", "environment variables have been loaded from .env file")


def starting_notice(config: Config, version: str) -> Notice:
    """The starting server: version, runtime, process and engine."""
    fields: dict[str, object] = {
        "version": version,
        "runtime": f"Python {platform.python_version()}",
        "pid": os.getpid(),
        "workers": config.fanjet.workers,
    }
    if config.broker.enabled:
        fields["broker"] = config.broker.type
    if config.presence_manager.enabled:
        fields["presence_manager"] = config.presence_manager.type
    if not (config.broker.enabled and config.presence_manager.enabled):
        fields["engine"] = config.engine.type
    return Notice("info", "starting Fanjet", fields)


def warnings(loaded: Loaded) -> Iterator[Notice]:
    """Warnings for operators, logged after the listeners have been started."""
    yield from _insecure_switches(loaded.config)
    for key in loaded.unknown_keys:
        yield Notice("warn", "unknown key in configuration file", {"key": key})
    for name in loaded.unknown_vars:
        yield Notice("warn", "unknown var in environment", {"var": name})
    yield from (Notice("warn", text) for text in unsupported_warnings(loaded.config))


def _insecure_switches(config: Config) -> Iterator[Notice]:
    switches = (
        (config.client.insecure, f"INSECURE client mode enabled, {_RISK}"),
        (config.http_api.insecure, f"INSECURE HTTP API mode enabled, {_RISK}"),
        (
            config.grpc_api.enabled and not config.grpc_api.key,
            "grpc_api.key is empty: whoever reaches the GRPC API may use it",
        ),
        (config.admin.insecure, f"INSECURE admin mode enabled, {_RISK}"),
        (
            config.client.insecure_skip_token_signature_verify,
            f"INSECURE skip token signature verify enabled, {_RISK}",
        ),
        (config.debug.enabled, f"DEBUG mode enabled, see on {config.debug.handler_prefix}"),
        (
            config.client.allowed_origins == ("*",),
            "allowed_origins [*] is discouraged: any web page may connect, list the origins of yours",
        ),
    )
    return (Notice("warn", message) for enabled, message in switches if enabled)
