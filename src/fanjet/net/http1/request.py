"""A request as endpoints see it."""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from .head import Head


class Request(msgspec.Struct, frozen=True, eq=False):
    """One whole request. A struct, as making one costs 50 ns, an object with an `__init__` three times as much."""

    head: Head
    body: bytes
    _transport: asyncio.BaseTransport
    tls: bool

    @property
    def method(self) -> str:
        """The method as sent."""
        return self.head.method

    @property
    def path(self) -> str:
        """The path decoded."""
        return self.head.path

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """Lower-cased names; of several lines with one name the first."""
        return self.head.headers

    @property
    def query(self) -> bytes:
        """What follows the first question mark of the target."""
        return self.head.query

    @property
    def raw_target(self) -> bytes:
        """The target as sent."""
        return self.head.target

    @property
    def raw_path(self) -> str:
        """The path as sent, still percent-encoded."""
        return self.head.raw_path

    @property
    def version(self) -> str:
        """The protocol version, `1.0` or `1.1`."""
        return self.head.version

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants to use the connection again."""
        return self.head.keep_alive

    @property
    def peer(self) -> str:
        """Address and port of the socket's other end; empty where there is none (a Unix socket)."""
        address = self._transport.get_extra_info("peername")
        if not isinstance(address, tuple):
            return ""
        host, port = address[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def address(self, end: str) -> tuple[str, int] | None:
        """Host and port of one end of the socket, `peername` or `sockname`; None where there is none."""
        address = self._transport.get_extra_info(end)
        return address[:2] if isinstance(address, tuple) else None

    def all_values(self, name: bytes) -> Sequence[bytes]:
        """Every value of the header `name` (lower-case), in order."""
        repeated = self.head.repeated.get(name)
        if repeated is not None:
            return repeated
        value = self.headers.get(name)
        return () if value is None else (value,)
