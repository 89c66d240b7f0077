"""The status of a call: codes, messages, details, and their trailers."""

from __future__ import annotations

from base64 import b64encode
from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

Headers = list[tuple[bytes, bytes]]


class StatusCode(IntEnum):
    """The gRPC status codes."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class GrpcError(Exception):
    """The call ends with a status other than OK.

    `details`: Protobuf messages for clients that know their types.
    """

    def __init__(self, code: StatusCode, message: str, details: Sequence[Message] = ()) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message
        self.details = details

    def trailers(self) -> Headers:
        """The status as trailers."""
        trailers = [(b"grpc-status", b"%d" % self.code), (b"grpc-message", encode_message(self.message))]
        if self.details:
            # Binary metadata has no padding.
            trailers.append((b"grpc-status-details-bin", b64encode(self._packed()).rstrip(b"=")))
        return trailers

    def _packed(self) -> bytes:
        from .proto.status_pb2 import Status  # noqa: PLC0415 (loads the Protobuf library only if needed)

        status = Status(code=self.code, message=self.message)
        for detail in self.details:
            status.details.add().Pack(detail)
        return status.SerializeToString()


OK_TRAILERS: Final[Headers] = [(b"grpc-status", b"0"), (b"grpc-message", b"")]


def encode_message(message: str) -> bytes:
    """Percent-encode everything but printable ASCII, and the percent sign."""
    if message.isascii() and message.isprintable() and "%" not in message:
        return message.encode()
    return b"".join(
        b"%c" % byte if 0x20 <= byte <= 0x7E and byte != 0x25 else b"%%%02X" % byte
        for byte in message.encode("utf-8", "replace")
    )
