"""Binds sockets for listeners: TCP and UDP addresses, and Unix socket files."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from typing import Final

KEEPALIVE_SECONDS: Final = 15

RECEIVE_BUFFER: Final = 4 << 20
"""Requested size of the kernel's receive buffer of a UDP socket, in bytes."""

_ONLY_OWNER: Final = 0o177


class BindError(OSError):
    """The address cannot be bound; the text names it."""


def bind_tcp(host: str, port: int, *, shared: bool = False) -> list[socket.socket]:
    """Return sockets bound to `host` and `port`, not listening yet.

    An empty `host` is every interface, IPv4 and IPv6; `port` 0 is any. `shared`: other sockets of this user may be
    bound there if they are shared too. Raises `BindError`.
    """
    where = join_address(host, port)
    if not host and socket.has_dualstack_ipv6():
        try:
            return [_bind_tcp(socket.AF_INET6, ("::", port), dual=True, where=where, shared=shared)]
        except BindError:
            if _ipv6_works():
                raise
    try:
        addresses = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise BindError(error.errno, f"listen tcp {where}: {error.strerror}") from error
    # One listening socket per host, as a name that resolves to several addresses means one of them.
    family, _, _, _, address = min(addresses, key=lambda info: info[0] != socket.AF_INET)
    return [_bind_tcp(family, address, dual=False, where=where, shared=shared)]


def join_address(host: str, port: int) -> str:
    """Format host and port as `host:port`, IPv6 hosts in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bound_address(bound: socket.socket) -> str:
    """The address that a socket is bound to, for log lines."""
    address = bound.getsockname()
    return f"unix:{address}" if bound.family == socket.AF_UNIX else join_address(*address[:2])


def _bind_tcp(family: int, address: tuple[object, ...], *, dual: bool, where: str, shared: bool) -> socket.socket:
    created = socket.socket(family, socket.SOCK_STREAM)
    try:
        created.setblocking(False)
        created.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            created.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        configure_accepted(created)
        if family == socket.AF_INET6:
            created.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual else 1)
        created.bind(address)
    except OSError as error:
        created.close()
        raise BindError(error.errno, f"listen tcp {where}: bind: {error.strerror}") from error
    return created


def bind_beside(tcp: socket.socket, *, shared: bool = False) -> socket.socket:
    """Return a UDP socket bound to the address of a TCP socket. Raises `BindError`."""
    address = tcp.getsockname()
    created = socket.socket(tcp.family, socket.SOCK_DGRAM)
    try:
        created.setblocking(False)
        with contextlib.suppress(OSError):
            created.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        if shared:
            created.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if tcp.family == socket.AF_INET6:
            only = tcp.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
            created.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        created.bind(address)
    except OSError as error:
        created.close()
        raise BindError(error.errno, f"listen udp {join_address(*address[:2])}: bind: {error.strerror}") from error
    return created


def configure_accepted(listening: socket.socket) -> None:
    """Set the options that accepted sockets inherit.

    This saves system calls per connection.
    """
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


def bind_unix(path: str, mode: int) -> socket.socket:
    """Return a socket bound to the file `path`, not listening yet.

    The file has the permissions `mode`. A stale socket file, on which no process listens, is replaced. Raises
    `BindError`.
    """
    try:
        return _bind_unix(path, mode)
    except OSError as error:
        raise BindError(error.errno, f"listen unix {path}: bind: {error.strerror or error}") from error


def _bind_unix(path: str, mode: int) -> socket.socket:
    created = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        created.setblocking(False)
        _bind_private(created, path)
        os.chmod(path, mode)
    except OSError:
        created.close()
        raise
    return created


def _bind_private(created: socket.socket, path: str) -> None:
    """Bind with a umask that denies others access until the permissions are set."""
    before = os.umask(_ONLY_OWNER)
    try:
        try:
            created.bind(path)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not _is_stale(path):
                raise
            os.unlink(path)
            created.bind(path)
    finally:
        os.umask(before)


def _is_stale(path: str) -> bool:
    """Whether this is a socket file on which no process listens."""
    if not stat.S_ISSOCK(os.stat(path).st_mode):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        return probe.connect_ex(path) == errno.ECONNREFUSED


class SocketFile:
    """The file of a Unix socket bound by this process, to be removed at shutdown."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._identity = _identity(path)

    def remove(self) -> None:
        """Remove the file unless another process has replaced it."""
        with contextlib.suppress(OSError):
            if _identity(self.path) == self._identity:
                os.unlink(self.path)


def _identity(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino
