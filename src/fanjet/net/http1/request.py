"""A request as endpoints see it."""

import asyncio
from collections.abc import Mapping, Sequence

from .head import Head


class Request:
    """One whole request. `headers` has lower-cased names, and of repeated ones the first value."""

    __slots__ = ("_head", "_transport", "body", "headers", "method", "path", "tls")

    def __init__(self, head: Head, body: bytes, transport: asyncio.BaseTransport, *, tls: bool) -> None:
        self._head = head
        self._transport = transport
        self.method: str = head.method
        self.path: str = head.path
        self.headers: Mapping[bytes, bytes] = head.headers
        self.body = body
        self.tls = tls

    @property
    def query(self) -> bytes:
        """What follows the first question mark of the target."""
        return self._head.query

    @property
    def raw_target(self) -> bytes:
        """The target as sent."""
        return self._head.target

    @property
    def raw_path(self) -> str:
        """The path as sent, still percent-encoded."""
        return self._head.raw_path

    @property
    def version(self) -> str:
        """The protocol version, `1.0` or `1.1`."""
        return self._head.version

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants to use the connection again."""
        return self._head.keep_alive

    @property
    def peer(self) -> str:
        """Address and port of the socket's other end; empty where there is none (a Unix socket)."""
        address = self._transport.get_extra_info("peername")
        if not isinstance(address, tuple):
            return ""
        host, port = address[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def all_values(self, name: bytes) -> Sequence[bytes]:
        """Every value of the header `name` (lower-case), in order."""
        repeated = self._head.repeated.get(name)
        if repeated is not None:
            return repeated
        value = self.headers.get(name)
        return () if value is None else (value,)
