"""The interface of client transports to a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fanjet.protocol.codes import Disconnect
    from fanjet.protocol.wire import WireFormat


class Transport(Protocol):
    """The sending side of one client connection (02 §4).

    A transport calls the session's on_bytes, on_blocked, on_writable, on_finished (if it can still write then) and
    on_lost.
    """

    name: str
    """The name in logs, metrics and proxy requests: `websocket`, …"""
    wire: WireFormat
    """Encoding, framing and compression of this connection's messages."""
    emulated: bool
    """Commands arrive in separate requests: the connect result contains session and node."""
    pushes_disconnect: bool
    """A disconnect push is sent before the connection ends."""
    app_pings: bool
    """The session pings with empty messages and expects empty commands as pongs."""
    write_timeout: float
    """Seconds within which the peer has to accept one write."""

    def write(self, data: bytes) -> None:
        """Write encoded frames.

        For bytes that the kernel does not take at once the transport calls `on_blocked`.
        """

    def end(self, disconnect: Disconnect) -> None:
        """End the connection after pending writes.

        The client gets code and reason (02 §4.3).
        """

    def abort(self) -> None:
        """End the connection at once, without pending writes."""

    def abandon(self) -> None:
        """Discard input after the connect was answered with an error.

        Ends the connection if the client does not (01 §6.1).
        """

    def pause_reading(self) -> None:
        """Stop delivering data until `resume_reading`; data already read is kept."""

    def resume_reading(self) -> None:
        """Deliver data again, in order."""
