"""HTTP/2 server (RFC 9113): frames, streams and their receivers."""

from .connection import Http2Connection
from .header_blocks import Field
from .keepalive import NEVER, ConnectionTimeouts
from .server import Http2Server
from .stream import Http2Stream, StreamReceiver

__all__ = ["NEVER", "ConnectionTimeouts", "Field", "Http2Connection", "Http2Server", "Http2Stream", "StreamReceiver"]
