"""Parses received Protobuf messages."""

from __future__ import annotations

from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message

from .status import GrpcError, StatusCode

M = TypeVar("M", bound=Message)

UNARY_FAILURE: Final = "error unmarshalling request"
STREAM_FAILURE: Final = "failed to unmarshal the received message"

_BAD_TEXT: Final = "string field contains invalid UTF-8"
_BAD_FORMAT: Final = "proto: cannot parse invalid wire-format data"


def parse(kind: type[M], data: bytes, failure: str = UNARY_FAILURE) -> M:
    """Parse a message. Raises `GrpcError`, whose text starts with `failure`."""
    try:
        return kind.FromString(data)
    except DecodeError as error:
        reason = _BAD_TEXT if "UTF-8" in str(error) else _BAD_FORMAT
        raise GrpcError(StatusCode.INTERNAL, f"grpc: {failure}: {reason}") from error
