"""Sends TLS alerts for failed handshakes (RFC 8446 section 6).

The event loops close a socket whose handshake has failed without sending the alert written by the TLS library, so that
the peer sees only a lost connection. `AlertingContext` sends it.
"""

from __future__ import annotations

import contextlib
import ssl
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

handshaking: Final[ContextVar[socket.socket | None]] = ContextVar("handshaking", default=None)
"""The socket whose handshake starts in this context. Set by the caller that hands a socket to the event loop."""

_ALERT_RECORD: Final = b"\x15\x03\x01\x00\x02"
_FATAL: Final = 2

PROTOCOL_VERSION: Final = 70
INTERNAL_ERROR: Final = 80
NO_APPLICATION_PROTOCOL: Final = 120


def plain_alert(description: int) -> bytes:
    """A fatal alert sent before the handshake."""
    return _ALERT_RECORD + bytes((_FATAL, description))


class _AlertingObject(ssl.SSLObject):
    outgoing: ssl.MemoryBIO | None = None
    peer: socket.socket | None = None

    def do_handshake(self) -> None:
        """Continue the handshake. Raises as the base class does, after sending the alert."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError:
            self._send_alert()
            raise
        self.peer = None

    def _send_alert(self) -> None:
        if self.peer is not None and self.outgoing is not None:
            with contextlib.suppress(OSError):
                self.peer.send(self.outgoing.read())


class AlertingContext(ssl.SSLContext):
    """An SSL context whose connections send the alert of a failed handshake.

    They send it to the socket in `handshaking`.
    """

    sslobject_class = _AlertingObject
    protocols: tuple[bytes, ...] = ()
    """The application protocols it can negotiate."""

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Set the application protocols in order of preference.

        The caller must refuse clients that offer none of them: the library would continue without.
        """
        names = tuple(alpn_protocols)
        self.protocols = tuple(name.encode() for name in names)
        super().set_alpn_protocols(names)

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *rest: Any, **named: Any) -> ssl.SSLObject:
        """Called by the event loop when a handshake starts; see the base class."""
        wrapped = super().wrap_bio(incoming, outgoing, *rest, **named)
        if isinstance(wrapped, _AlertingObject):
            wrapped.outgoing, wrapped.peer = outgoing, handshaking.get()
        return wrapped
