"""Logs every frame of every connection at level trace.

Inactive at other levels (10 G).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from .transport import Transport

log = get_logger(__name__)


def traces_frames() -> bool:
    """Whether frames are logged."""
    return log.traces()


def trace_incoming(client: str, frame: bytes) -> None:
    """Log a frame received from a client."""
    log.trace("frame received", client=client, frame=_readable(frame))


class TracedTransport:
    """A `Transport` that logs written frames and delegates to another transport."""

    def __init__(self, transport: Transport, client: str) -> None:
        self._transport = transport
        self._client = client

    def write(self, data: bytes) -> None:
        """See `Transport.write`."""
        log.trace("frames sent", client=self._client, frame=_readable(data))
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _readable(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
