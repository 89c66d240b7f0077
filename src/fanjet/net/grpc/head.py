"""Parses the headers of gRPC requests."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import TYPE_CHECKING, Final

from .status import GrpcError, StatusCode
from .timeout import decode_timeout

if TYPE_CHECKING:
    from collections.abc import Iterable

Metadata = dict[bytes, list[bytes]]

_CONTENT_TYPE: Final = b"application/grpc"
_OWN_HEADERS: Final = frozenset(
    (b"te", b"grpc-encoding", b"grpc-timeout", b"grpc-message-type", b"grpc-message", b"grpc-status")
)


class NotGrpc(Exception):  # noqa: N818
    """The request is not valid gRPC; the response has an HTTP status as well."""

    def __init__(self, http_status: int, error: GrpcError) -> None:
        super().__init__(str(error))
        self.http_status = http_status
        self.error = error


class CallHead:
    """Path, encoding, timeout and metadata of a call."""

    __slots__ = ("encoding", "metadata", "path", "subtype", "timeout")

    def __init__(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        """Parse header fields. Raises `NotGrpc`."""
        self.path = self.encoding = b""
        self.timeout: float | None = None
        """The client's timeout in seconds, None for none."""
        self.metadata: Metadata = {}
        """Values by lower-case key, in order; those of `-bin` keys are decoded."""
        method = b""
        timeout: str | None = None
        try:
            for name, value in fields:
                if name == b":path":
                    self.path = value
                elif name == b":method":
                    method = value
                elif name == b"grpc-encoding":
                    self.encoding = value
                elif name == b"grpc-timeout":
                    timeout = value.decode("latin-1")
                elif name not in _OWN_HEADERS and (not name.startswith(b":") or name == b":authority"):
                    self.metadata.setdefault(name, []).append(_metadata_value(name, value))
            self.subtype = _subtype(self.first(b"content-type") or b"")
            if timeout is not None:
                self.timeout = decode_timeout(timeout)
        except GrpcError as error:
            raise NotGrpc(400, error) from error
        if method != b"POST":
            reason = f'Received a HEADERS frame with :method "{method.decode("latin-1")}" which should be POST'
            raise NotGrpc(405, GrpcError(StatusCode.INTERNAL, reason))

    def first(self, key: bytes) -> bytes | None:
        """The first value of a key, None if absent."""
        values = self.metadata.get(key)
        return values[0] if values else None


def _subtype(value: bytes) -> bytes:
    """The content subtype: any value is accepted, messages are always Protobuf."""
    rest = value[len(_CONTENT_TYPE) :]
    if not value.startswith(_CONTENT_TYPE) or rest[:1] not in (b"", b"+", b";"):
        reason = f'invalid gRPC request content-type "{value.decode("latin-1")}"'
        raise NotGrpc(415, GrpcError(StatusCode.INVALID_ARGUMENT, reason))
    return rest[1:]


def _metadata_value(name: bytes, value: bytes) -> bytes:
    if not name.endswith(b"-bin"):
        return value
    try:
        return b64decode(value.rstrip(b"=") + b"=" * (-len(value.rstrip(b"=")) % 4), validate=True)
    except binascii.Error as error:
        shown = f'"{value.decode("latin-1")}" in header "{name.decode("latin-1")}"'
        raise GrpcError(StatusCode.INTERNAL, f"malformed binary metadata {shown}") from error
