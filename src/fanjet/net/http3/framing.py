"""HTTP/3 framing with limits on client input (RFC 9114, RFC 9204)."""

from typing import Final

import pylsqpack
from aioquic.h3.connection import ErrorCode, H3Connection, ProtocolError, Setting
from aioquic.h3.events import Headers

from .quic import ServerQuic

MAX_FIELD_BYTES: Final = 128 * 1024
"""Limit of a request's headers, counted as in RFC 9114 section 4.2.2 with 32 bytes per field. HTTP/1.1's megabyte is
too much: a megabyte of references to QPACK's static table expands 70 times."""

MAX_PARTIAL_BYTES: Final = 128 * 1024
"""Bytes of incomplete frames per connection."""

FIELD_OVERHEAD: Final = 32

WEBTRANSPORT_ENABLED: Final = 0x2C7CF000
WEBTRANSPORT_MAX_SESSIONS: Final = 0x14E9CD29


class ExcessiveLoad(ProtocolError):  # noqa: N818 (says what is wrong, like its siblings)
    """The client exceeds a limit."""

    error_code = ErrorCode.H3_EXCESSIVE_LOAD


class ServerFraming(H3Connection):
    """aioquic's HTTP/3 without a dynamic table for request headers.

    With it, a few bytes could expand to kilobytes, requests could wait for its updates, and every connection would need
    more memory.
    """

    def __init__(self, quic: ServerQuic, *, webtransport: bool) -> None:
        super().__init__(quic, enable_webtransport=webtransport)

    @property
    def partial_bytes(self) -> int:
        """Bytes of incomplete frames on all streams."""
        return sum(len(stream.buffer) for stream in self._stream.values())

    def knows(self, stream_id: int) -> bool:
        """Whether a stream is open and has received data."""
        return stream_id in self._stream

    def finish_sending(self, stream_id: int) -> None:
        """Record the end of a stream that was ended below this layer."""
        stream = self._stream.get(stream_id)
        if stream is not None:
            stream.sending_ended = True
            if stream.is_ended():
                del self._stream[stream_id]

    def _init_connection(self) -> None:
        self._max_table_capacity = 0
        self._blocked_streams = 0
        self._decoder = pylsqpack.Decoder(0, 0)
        super()._init_connection()

    def _get_local_settings(self) -> dict[int, int]:
        """Announce WebTransport for one session.

        As of draft 02, used by Chromium, and as of the newest draft.
        """
        settings = super()._get_local_settings()
        settings[Setting.MAX_FIELD_SECTION_SIZE] = MAX_FIELD_BYTES
        if self._enable_webtransport:
            settings[WEBTRANSPORT_ENABLED] = 1
            settings[WEBTRANSPORT_MAX_SESSIONS] = 1
        else:
            del settings[Setting.ENABLE_CONNECT_PROTOCOL]
        return settings

    def _decode_headers(self, stream_id: int, frame_data: bytes | None) -> Headers:
        """Check the size before aioquic validates each character."""
        headers = super()._decode_headers(stream_id, frame_data)
        if sum(len(name) + len(value) + FIELD_OVERHEAD for name, value in headers) > MAX_FIELD_BYTES:
            raise ExcessiveLoad("header section too large")
        return headers
