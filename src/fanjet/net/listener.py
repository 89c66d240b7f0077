"""A listening socket with the HTTP server behind it."""

import asyncio
import socket
import ssl
from typing import Final

from .http1.server import HttpServer

BACKLOG: Final = 4096
KEEPALIVE_SECONDS: Final = 15
TLS_HANDSHAKE_SECONDS: Final = 10.0


class BindError(OSError):
    """The address cannot be listened on; the text names it."""


class Listener:
    """Accepts connections of one address for one `HttpServer`."""

    __slots__ = ("_servers", "_sockets", "_tls", "http", "port")

    def __init__(self, http: HttpServer, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Bind `host` (empty: every interface, IPv4 and IPv6) and `port` (0: any). Raises `BindError`."""
        self.http = http
        self._tls = tls
        self._sockets = bind(host, port)
        self._servers: list[asyncio.Server] = []
        self.port: int = self._sockets[0].getsockname()[1]
        """The port that was bound."""

    async def start(self) -> None:
        """Accept connections from now on."""
        loop = asyncio.get_running_loop()
        timeout = TLS_HANDSHAKE_SECONDS if self._tls is not None else None
        for each in self._sockets:
            self._servers.append(
                await loop.create_server(
                    self.http.new_connection, sock=each, backlog=BACKLOG, ssl=self._tls, ssl_handshake_timeout=timeout
                )
            )

    def close(self) -> None:
        """Stop accepting. Connections stay."""
        for server in self._servers:
            server.close()
        for each in self._sockets:
            each.close()

    async def stop(self) -> None:
        """Stop accepting, close idle connections, wait for requests that are being received or answered."""
        self.close()
        await self.http.stop()


def bind(host: str, port: int) -> list[socket.socket]:
    """Return sockets bound to every address of `host`, not listening yet. Raises `BindError`."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if not host and socket.has_dualstack_ipv6():
        try:
            return [_bind(socket.AF_INET6, ("::", port), dual=True, where=where)]
        except BindError:
            if _ipv6_works():
                raise
    try:
        addresses = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise BindError(error.errno, f"listen tcp {where}: {error.strerror}") from error
    # One listening socket per host, as a name that resolves to several addresses means one of them.
    family, _, _, _, address = min(addresses, key=lambda info: info[0] != socket.AF_INET)
    return [_bind(family, address, dual=False, where=where)]


def _bind(family: int, address: tuple[object, ...], *, dual: bool, where: str) -> socket.socket:
    created = socket.socket(family, socket.SOCK_STREAM)
    try:
        created.setblocking(False)
        created.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _configure_accepted(created)
        if family == socket.AF_INET6:
            created.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual else 1)
        created.bind(address)
    except OSError as error:
        created.close()
        raise BindError(error.errno, f"listen tcp {where}: bind: {error.strerror}") from error
    return created


def _configure_accepted(listening: socket.socket) -> None:
    """Set what accepted sockets inherit, which costs nothing per connection."""
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
        if hasattr(socket, name):
            listening.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), KEEPALIVE_SECONDS)


def _ipv6_works() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
