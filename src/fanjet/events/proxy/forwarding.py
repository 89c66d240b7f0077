"""Forwarding of headers from a client's connection to the backend (06 §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fanjet.config.tree.proxy import Proxy
    from fanjet.events.event import Event

_HOP_BY_HOP: Final = frozenset(
    ("connection", "content-length", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding",
     "upgrade")
)  # fmt: skip
"""Hop-by-hop headers and those of the message framing, which are never forwarded (RFC 9110 §7.6.1)."""
_NOT_FOR_HTTP: Final = _HOP_BY_HOP | {"content-type"}
_NOT_FOR_GRPC: Final = _HOP_BY_HOP | {"content-type", "user-agent"}


class Forwarding:
    """The headers that one proxy forwards.

    Sources in ascending precedence: static values, emulated headers in the connect request, headers of the connection.
    """

    def __init__(self, config: Proxy, static: Mapping[str, str]) -> None:
        self._static = {name.lower(): (value,) for name, value in static.items()}
        self._emulated = _lowered(config.emulated_headers)
        self._http = _lowered(config.http_headers)
        self._metadata = _lowered(config.grpc_metadata)
        named = {*self._static, *self._emulated, *self._http, *self._metadata}
        self._http_names = {name: _canonical(name) for name in named - _NOT_FOR_HTTP}
        self._grpc_names = {name for name in named - _NOT_FOR_GRPC if not name.startswith(("grpc-", ":"))}

    def http_headers(self, event: Event) -> list[tuple[str, str]]:
        """Return the headers of an HTTP request, except those of its body."""
        return [
            (self._http_names[name], value)
            for name, values in self._values(event).items()
            if name in self._http_names
            for value in values
        ]

    def grpc_metadata(self, event: Event) -> list[tuple[str, str | bytes]]:
        """Return the metadata of a gRPC call. Raises ValueError for invalid values."""
        return [
            (name, value.encode("utf-8", "surrogateescape") if name.endswith("-bin") else _printable(name, value))
            for name, values in self._values(event).items()
            if name in self._grpc_names
            for value in values
        ]

    def _values(self, event: Event) -> Mapping[str, Sequence[str]]:
        emulated = event.emulated_headers
        connection, wanted = event.headers, self._http
        if event.metadata is not None:
            connection, wanted = event.metadata, self._metadata
        if not emulated and not connection:
            return self._static
        values: dict[str, Sequence[str]] = dict(self._static)
        if emulated:
            values.update((name, (emulated[name],)) for name in self._emulated if name in emulated)
        if connection:
            values.update((name, connection[name]) for name in wanted if name in connection)
        return values


def _printable(name: str, value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"metadata {name} cannot be sent")
    return value


def merge_context(forwarded: list[tuple[str, Any]], context: Mapping[str, str]) -> list[tuple[str, Any]]:
    """Add the context headers to forwarded ones and replace those of the same name."""
    if not context:
        return forwarded
    return [*(pair for pair in forwarded if pair[0].lower() not in context), *context.items()]


def _lowered(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(str.lower, names))


def _canonical(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))
