"""Framing of gRPC messages: a flag, the length in four bytes, then the message."""

from __future__ import annotations

import zlib
from gzip import compress
from struct import Struct
from typing import TYPE_CHECKING, Final

from .status import GrpcError, StatusCode

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_MAX_MESSAGE: Final = 4 * 1024 * 1024

_prefix: Final = Struct(">BI")
_PLAIN: Final = 0
_COMPRESSED: Final = 1
_GZIP_LEVEL: Final = 1
_GZIP_MAGIC: Final = b"\x1f\x8b\x08"
_GZIP_HEADER_BYTES: Final = 10


def frame(message: bytes) -> bytes:
    """Frame a message uncompressed."""
    return _prefix.pack(_PLAIN, len(message)) + message


def gzip_frame(message: bytes) -> bytes:
    """Frame a message compressed; an empty one stays uncompressed."""
    if not message:
        return frame(message)
    compressed = compress(message, _GZIP_LEVEL, mtime=0)
    return _prefix.pack(_COMPRESSED, len(compressed)) + compressed


class MessageReader:
    """Splits the request body into decompressed messages.

    A message has up to `max_size` bytes.
    """

    __slots__ = ("_gzip", "_max_size", "_unfinished", "_wanted")

    def __init__(self, max_size: int, *, gzip: bool) -> None:
        """`gzip`: the request allows gzip compression."""
        self._max_size = max_size
        self._gzip = gzip
        self._unfinished: bytearray | None = None
        self._wanted = 0

    @property
    def inside_message(self) -> bool:
        """Whether the received bytes end inside a message, after its prefix."""
        return self._unfinished is not None and len(self._unfinished) >= _prefix.size

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the messages completed by `data`.

        Raises `GrpcError`, after which the reader must not be used.
        """
        if self._unfinished is not None:
            self._unfinished += data
            if len(self._unfinished) < self._wanted:
                return
            data = bytes(self._unfinished)
            self._unfinished = None
        at, end = 0, len(data)
        while at < end:
            flag, size = self._prefix_at(data, at)
            self._wanted = _prefix.size + size
            if end - at < self._wanted:
                self._unfinished = bytearray(data[at:])
                return
            at += self._wanted
            yield self._message(flag, data[at - size : at])

    def _prefix_at(self, data: bytes, at: int) -> tuple[int, int]:
        """Flag and length, both 0 if incomplete."""
        if len(data) - at < _prefix.size:
            return 0, 0
        flag, size = _prefix.unpack_from(data, at)
        if size > self._max_size:
            reason = f"grpc: received message larger than max ({size} vs. {self._max_size})"
            raise GrpcError(StatusCode.RESOURCE_EXHAUSTED, reason)
        return flag, size

    def _message(self, flag: int, content: bytes) -> bytes:
        if flag == _PLAIN:
            return content
        if flag != _COMPRESSED:
            raise GrpcError(StatusCode.INTERNAL, f"grpc: received unexpected payload format {flag}")
        if not self._gzip:
            raise GrpcError(StatusCode.INTERNAL, "grpc: compressed flag set with identity or empty encoding")
        return _gunzip(content, self._max_size)


def _gunzip(content: bytes, max_size: int) -> bytes:
    """Decompress little more than `max_size` bytes. Raises `GrpcError`."""
    if len(content) < _GZIP_HEADER_BYTES:
        reason = "unexpected EOF" if content else "EOF"
        raise GrpcError(StatusCode.INTERNAL, f"grpc: failed to decompress the message: {reason}")
    if not content.startswith(_GZIP_MAGIC):
        raise GrpcError(StatusCode.INTERNAL, "grpc: failed to decompress the message: gzip: invalid header")
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        message = stream.decompress(content, max_size + 1)
    except zlib.error as error:
        raise GrpcError(StatusCode.INTERNAL, f"grpc: failed to read decompressed data: {error}") from error
    if len(message) > max_size:
        reason = f"grpc: received message after decompression larger than max {max_size}"
        raise GrpcError(StatusCode.RESOURCE_EXHAUSTED, reason)
    if not stream.eof:
        raise GrpcError(StatusCode.INTERNAL, "grpc: failed to read decompressed data: unexpected EOF")
    if stream.unused_data:
        raise GrpcError(StatusCode.INTERNAL, "grpc: failed to read decompressed data: more than one gzip stream")
    return message
