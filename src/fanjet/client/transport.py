"""How a session's frames reach its client: the interface each client transport implements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fanjet.protocol.codes import Disconnect
    from fanjet.protocol.wire import WireFormat


class Transport(Protocol):
    """One client connection's way out (02 §4). It calls the session's on_bytes, on_blocked, on_writable, on_finished
    (where it can still write then) and on_lost."""

    name: str
    """As in logs, metrics and proxy requests: `websocket`, …"""
    wire: WireFormat
    """Encoding, framing and compression of this connection's messages."""
    emulated: bool
    """Commands come over other requests: the connect result names session and node."""
    pushes_disconnect: bool
    """The client learns of a disconnect by a push before the connection ends."""
    app_pings: bool
    """The session pings with empty messages and expects empty commands in return."""
    write_timeout: float
    """Seconds that one write may wait for the peer."""

    def write(self, data: bytes) -> None:
        """Write ready-made frames; what the kernel does not take at once makes the transport call `on_blocked`."""

    def end(self, disconnect: Disconnect) -> None:
        """End the connection after what has been written; the client learns code and reason (02 §4.3)."""

    def abort(self) -> None:
        """End the connection at once: nothing more can be written."""

    def abandon(self) -> None:
        """The connect was answered with an error: discard input and end the connection if the client does not (01
        §6.1).
        """

    def pause_reading(self) -> None:
        """Deliver nothing more until `resume_reading`; what has been read waits."""

    def resume_reading(self) -> None:
        """Deliver again, in order."""
