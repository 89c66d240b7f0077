"""PostgreSQL connection strings: URLs, or keywords and values (08c §1)."""

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
_UNSUPPORTED: Final = re.compile(
    r"pool_\w+|description_cache_capacity|connect_timeout|sslsni|sslnegotiation|channel_binding|krbspn|servicefile"
    r"|m(in|ax)_protocol_version"
)
"""Parameters of other drivers, which the configuration replaces or nothing needs."""
_EXECUTION: Final = "default_query_exec_mode"
_CACHE: Final = "statement_cache_capacity"
_EXECUTIONS: Final = ("", "cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol")
_UNPREPARED: Final = ("simple_protocol", "exec")
"""Execution modes without prepared statements, for proxies in transaction pooling mode."""


class Target(Struct, frozen=True):
    """Connection parameters of asyncpg.

    `tls` overrides the TLS parameters of the string.
    """

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
    """Parse the connection string under the configuration key `key`.

    Raises `ConfigError`, which names the key but no passwords, and `TLSError`.
    """
    url, parameters = _url(dsn, key) if "://" in dsn else _keywords(dsn, key)
    execution, cached = parameters.pop(_EXECUTION, ""), parameters.pop(_CACHE, "")
    if execution not in _EXECUTIONS:
        raise ConfigError(f"{key}: invalid {_EXECUTION}: {execution!r}")
    prepares = execution not in _UNPREPARED and cached != "0"
    kept = {name: value for name, value in parameters.items() if not _UNSUPPORTED.fullmatch(name)}
    context = client_context(tls, "postgres", server_name=tls.server_name) if tls.enabled else None
    return Target(f"{url}?{urlencode(kept)}" if kept else url, context, prepares)


def _url(dsn: str, key: str) -> tuple[str, dict[str, str]]:
    try:
        parts = urlsplit(dsn)
    except ValueError as error:
        raise ConfigError(f"{key}: error parsing postgres DSN: {error}") from None
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    path = "" if "dbname" in parameters or "database" in parameters else parts.path  # as in libpq
    return urlunsplit(parts._replace(path=path, query="")), parameters


def _keywords(dsn: str, key: str) -> tuple[str, dict[str, str]]:
    if not dsn.strip():
        raise ConfigError(f"{key}: must not be empty")
    pairs: dict[str, str] = {}
    position = 0
    while position < len(dsn):
        match = _PAIR.match(dsn, position)
        if match is None:
            raise ConfigError(f"{key}: error parsing postgres DSN: neither a URL nor keywords with values")
        value = match[2]
        pairs[match[1]] = _ESCAPED.sub(r"\1", value[1:-1] if value.startswith("'") else value)
        position = match.end()
    return "postgresql://", pairs
