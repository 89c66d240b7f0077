"""systemd integration: passed listening sockets and service state notifications.

See sd_listen_fds(3) and sd_notify(3).
"""

from __future__ import annotations

import logging
import os
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .binding import BindError, bound_address, configure_accepted

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_FIRST_DESCRIPTOR: Final = 3
_EVERY_INTERFACE: Final = ("", "0.0.0.0", "::")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PassedSocket:
    """A bound socket passed at process start."""

    name: str
    """The name given by the socket unit (`FileDescriptorName=`), by default the unit's name."""

    socket: socket.socket

    @property
    def is_unix(self) -> bool:
        """Whether it is a Unix socket."""
        return self.socket.family == socket.AF_UNIX

    def listens_on(self, host: str, port: int) -> bool:
        """Whether the socket is bound as binding `host` and `port` would do."""
        if self.is_unix:
            return False
        bound_host, bound_port = self.socket.getsockname()[:2]
        if bound_port != port:
            return False
        return bound_host in (_EVERY_INTERFACE if host in _EVERY_INTERFACE else _resolved(host))


class PassedSockets:
    """The passed sockets that no listener has claimed yet."""

    def __init__(self, passed: list[PassedSocket]) -> None:
        self._unclaimed = passed

    def take(self, name: str, host: str, port: int) -> list[socket.socket]:
        """Claim the TCP sockets named `name`.

        If there are none, claims those bound to the address.
        """
        found = [each for each in self._unclaimed if each.name == name and not each.is_unix]
        return self._taken(found or [each for each in self._unclaimed if each.listens_on(host, port)])

    def take_unix(self, name: str, path: str) -> list[socket.socket]:
        """Claim the Unix sockets named `name`, and the one bound to `path`."""
        return self._taken(
            [
                each
                for each in self._unclaimed
                if each.is_unix and (each.name == name or each.socket.getsockname() == path)
            ]
        )

    def reject_unused(self) -> None:
        """Raise `BindError` if a socket is unclaimed.

        Its connections would never be accepted.
        """
        if self._unclaimed:
            first = self._unclaimed[0]
            where = bound_address(first.socket)
            raise BindError(
                f'the socket "{first.name}" passed by systemd, on {where}, belongs to no listener: '
                "name it external or internal (FileDescriptorName=), or configure its address"
            )

    def _taken(self, found: list[PassedSocket]) -> list[socket.socket]:
        self._unclaimed = [each for each in self._unclaimed if each not in found]
        return [each.socket for each in found]


def passed_sockets(environment: MutableMapping[str, str]) -> PassedSockets:
    """Take over the sockets passed to this process.

    Removes the variables that describe them. Raises `BindError` for a socket that cannot be a listener.
    """
    pid, count, names = (environment.pop(f"LISTEN_{each}", "") for each in ("PID", "FDS", "FDNAMES"))
    if pid != str(os.getpid()) or not count.isdecimal():
        return PassedSockets([])
    called = names.split(":") + [""] * int(count)
    return PassedSockets([_take_over(_FIRST_DESCRIPTOR + each, called[each]) for each in range(int(count))])


def _take_over(descriptor: int, name: str) -> PassedSocket:
    try:
        os.set_inheritable(descriptor, False)
        passed = socket.socket(fileno=descriptor)
    except OSError as error:
        raise BindError(f'"{name}", passed by systemd, is no socket: {error.strerror}') from error
    if passed.type != socket.SOCK_STREAM or not passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise BindError(f'"{name}", passed by systemd, is no listening stream socket (ListenStream=, Accept=no)')
    passed.setblocking(False)
    if passed.family != socket.AF_UNIX:
        configure_accepted(passed)
    return PassedSocket(name, passed)


def _resolved(host: str) -> set[str]:
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return set()


class ServiceManager:
    """Notifies systemd of the service state; does nothing without systemd."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Remove NOTIFY_SOCKET from the environment.

        Child processes then do not send notifications.
        """
        self._address = environment.pop("NOTIFY_SOCKET", "")

    def notify_ready(self) -> None:
        """Connections are accepted, or a reload has ended, successful or not."""
        self._notify("READY=1")

    def notify_reloading(self) -> None:
        """The configuration is being reloaded."""
        self._notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def notify_stopping(self) -> None:
        """The shutdown has begun."""
        self._notify("STOPPING=1")

    def _notify(self, state: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.setblocking(False)
                out.sendto(state.encode(), address)
        except OSError as error:
            log.warning("service manager cannot be told %s: %s", state.partition("\n")[0], error.strerror or error)
