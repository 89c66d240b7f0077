"""gRPC on top of `http2`: starts calls and reads their messages."""

from collections.abc import Iterator
from typing import Final

import hpack

from . import http2

_PREFIX: Final = 5


def call_fields(host: str, method: str, **metadata: str) -> list[tuple[str, str]]:
    """Return the header fields of a call to `method`, given as /SERVICE/METHOD."""
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method),
        (":authority", host),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "fanjet-bench"),
        *metadata.items(),
    ]


def call(stream: int, header_block: bytes, message: bytes) -> bytes:
    """Return the frames of a call with one message.

    `header_block` holds its HPACK-encoded fields.
    """
    body = b"\0" + len(message).to_bytes(4, "big") + message
    return http2.frame(http2.HEADERS, http2.END_HEADERS, stream, header_block) + http2.frame(
        http2.DATA, http2.END_STREAM, stream, body
    )


class MessageReader:
    """Splits the data of a call into messages.

    None of them is compressed because no encoding was accepted.
    """

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    def messages(self, data: bytes) -> Iterator[bytes]:
        """Yield every message that `data` completes."""
        self._buffer += data
        while len(self._buffer) >= _PREFIX:
            end = _PREFIX + int.from_bytes(self._buffer[1:_PREFIX], "big")
            if len(self._buffer) < end:
                return
            yield self._buffer[_PREFIX:end]
            self._buffer = self._buffer[end:]


class StatusReader:
    """Reads the status of calls from header blocks.

    It must see all blocks of a connection in order.
    """

    __slots__ = ("_decoder",)

    def __init__(self) -> None:
        self._decoder = hpack.Decoder()

    def failure(self, header_block: bytes) -> tuple[int, str] | None:
        """Return code and message of a failed call.

        Returns None for a block without an error status.
        """
        found = {str(name): str(value) for name, value in self._decoder.decode(header_block)}
        code = int(found.get("grpc-status", 0))
        return (code, found.get("grpc-message", "")) if code else None
