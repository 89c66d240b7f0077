"""Tells clients why their handshake was refused (RFC 8446 section 6).

The event loops close a socket whose handshake has failed without sending what the TLS library wrote for the peer, so
that it sees nothing but a lost connection. `AlertingContext` sends it.
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
"""The socket whose handshake begins in this context. Whoever hands a socket to the event loop sets it."""

_ALERT_RECORD: Final = b"\x15\x03\x01\x00\x02"
_FATAL: Final = 2

PROTOCOL_VERSION: Final = 70
INTERNAL_ERROR: Final = 80
NO_APPLICATION_PROTOCOL: Final = 120


def plain_alert(description: int) -> bytes:
    """A fatal alert before anything was agreed on."""
    return _ALERT_RECORD + bytes((_FATAL, description))


class _AlertingObject(ssl.SSLObject):
    outgoing: ssl.MemoryBIO | None = None
    peer: socket.socket | None = None

    def do_handshake(self) -> None:
        """Go on with the handshake. Raises as the base class does, after the peer has got its alert."""
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
    """A context whose connections send the alert of a handshake that fails to the socket in `handshaking`."""

    sslobject_class = _AlertingObject
    protocols: tuple[bytes, ...] = ()
    """The application protocols it may agree on."""

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Agree on one of these, the first ones rather. A client that speaks none of them is for the caller to refuse:
        the library would go on without."""
        names = tuple(alpn_protocols)
        self.protocols = tuple(name.encode() for name in names)
        super().set_alpn_protocols(names)

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *rest: Any, **named: Any) -> ssl.SSLObject:
        """As the base class does it; the event loop calls this when a handshake begins."""
        wrapped = super().wrap_bio(incoming, outgoing, *rest, **named)
        if isinstance(wrapped, _AlertingObject):
            wrapped.outgoing, wrapped.peer = outgoing, handshaking.get()
        return wrapped
