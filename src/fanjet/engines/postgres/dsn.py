"""Connection strings, as URLs or as keywords and values (08c §1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from msgspec import Struct

from fanjet.config import ConfigError
from fanjet.net.tls import client_context

if TYPE_CHECKING:
    import ssl

    from fanjet.config.tree.tls import Tls

_PAIR: Final = re.compile(r"\s*(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)(?:\s+|$)")
_ESCAPED: Final = re.compile(r"\\(.)")
_NOT_FOR_ASYNCPG: Final = re.compile(
    r"pool_\w+|description_cache_capacity|connect_timeout|sslsni|sslnegotiation|channel_binding|krbspn|servicefile"
    r"|m(in|ax)_protocol_version"
)
"""Parameters of other drivers; here the configuration has a key for each, or nothing needs them."""
_EXECUTION: Final = "default_query_exec_mode"
_CACHE: Final = "statement_cache_capacity"
_EXECUTIONS: Final = ("", "cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol")
_UNPREPARED: Final = ("simple_protocol", "exec")
"""What proxies need that give every transaction another connection."""


class Target(Struct, frozen=True):
    """Where to connect, in the terms of asyncpg. `tls` takes the place of what the string says about TLS."""

    url: str
    tls: ssl.SSLContext | None = None
    prepares: bool = True

    def options(self) -> dict[str, Any]:
        """Arguments of `asyncpg.connect`."""
        options: dict[str, Any] = {"dsn": self.url}
        if self.tls is not None:
            options["ssl"] = self.tls
        if not self.prepares:
            options["statement_cache_size"] = 0
        return options


def target(dsn: str, tls: Tls, key: str) -> Target:
    """Read the connection string under `key`. Raises `ConfigError`, which names it but not its passwords, and
    `TLSError`."""
    url, parameters = _url(dsn, key) if "://" in dsn else _keywords(dsn, key)
    execution, cached = parameters.pop(_EXECUTION, ""), parameters.pop(_CACHE, "")
    if execution not in _EXECUTIONS:
        raise ConfigError(f"{key}: invalid {_EXECUTION}: {execution!r}")
    prepares = execution not in _UNPREPARED and cached != "0"
    kept = {name: value for name, value in parameters.items() if not _NOT_FOR_ASYNCPG.fullmatch(name)}
    context = client_context(tls, "postgres", server_name=tls.server_name) if tls.enabled else None
    return Target(f"{url}?{urlencode(kept)}" if kept else url, context, prepares)


def _url(dsn: str, key: str) -> tuple[str, dict[str, str]]:
    try:
        parts = urlsplit(dsn)
    except ValueError as error:
        raise ConfigError(f"{key}: error parsing postgres DSN: {error}") from None
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    path = "" if "dbname" in parameters or "database" in parameters else parts.path  # as libpq has it
    return urlunsplit(parts._replace(path=path, query="")), parameters


def _keywords(dsn: str, key: str) -> tuple[str, dict[str, str]]:
    if not dsn.strip():
        raise ConfigError(f"{key}: must not be empty")
    pairs: dict[str, str] = {}
    place = 0
    while place < len(dsn):
        match = _PAIR.match(dsn, place)
        if match is None:
            raise ConfigError(f"{key}: error parsing postgres DSN: neither a URL nor keywords with values")
        value = match[2]
        pairs[match[1]] = _ESCAPED.sub(r"\1", value[1:-1] if value.startswith("'") else value)
        place = match.end()
    return "postgresql://", pairs
