"""Parses a TLS ClientHello without starting TLS.

RFC 8446 section 4.1.2, RFC 6066, RFC 7301.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .byte_fields import ByteFields, TruncatedError

HANDSHAKE_RECORD: Final = 22
RECORD_HEAD_BYTES: Final = 5
LARGEST_RECORD: Final = 1 << 14
LARGEST_HELLO: Final = 1 << 16

_CLIENT_HELLO: Final = 1
_SERVER_NAME: Final = 0
_HOST_NAME: Final = 0
_PROTOCOLS: Final = 16


class NotClientHello(ValueError):  # noqa: N818 (says what was found)
    """The bytes are not the start of a TLS connection."""


@dataclass(frozen=True, slots=True)
class ClientHello:
    """Server name and protocols requested by a client."""

    server_name: str = ""
    """The requested host (SNI) as sent; empty if absent."""

    protocols: tuple[bytes, ...] = ()
    """The offered application protocols (ALPN), in order of preference."""


def read_client_hello(received: bytes) -> ClientHello | int:
    """Return the ClientHello that `received` starts with.

    Returns the number of bytes needed to continue if it is incomplete. Raises `NotClientHello` if no further bytes can
    make it one.
    """
    message = bytearray()
    position = 0
    while True:
        if len(received) < position + RECORD_HEAD_BYTES:
            return position + RECORD_HEAD_BYTES
        length = int.from_bytes(received[position + 3 : position + RECORD_HEAD_BYTES], "big")
        start, position = position + RECORD_HEAD_BYTES, position + RECORD_HEAD_BYTES + length
        if received[start - RECORD_HEAD_BYTES] != HANDSHAKE_RECORD or not 0 < length <= LARGEST_RECORD:
            raise NotClientHello("not a TLS handshake")
        if position > LARGEST_HELLO:
            raise NotClientHello("too long")
        if len(received) < position:
            return position
        message += received[start:position]
        if len(message) >= 4 and len(message) >= 4 + int.from_bytes(message[1:4], "big"):
            return _parse(bytes(message))


def _parse(message: bytes) -> ClientHello:
    if message[0] != _CLIENT_HELLO:
        raise NotClientHello("another handshake message")
    try:
        return _parse_body(ByteFields(message[4:]))
    except TruncatedError:
        raise NotClientHello("malformed") from None


def _parse_body(body: ByteFields) -> ClientHello:
    body.take(2 + 32)  # version, random
    body.prefixed(1)  # session id
    body.prefixed(2)  # cipher suites
    body.prefixed(1)  # compression methods
    server_name = ""
    protocols: tuple[bytes, ...] = ()
    extensions = body.prefixed(2) if body else body
    while extensions:
        kind, content = extensions.number(2), extensions.prefixed(2)
        if kind == _SERVER_NAME:
            server_name = _host_name(content)
        elif kind == _PROTOCOLS:
            protocols = _protocol_names(content)
    return ClientHello(server_name, protocols)


def _host_name(content: ByteFields) -> str:
    names = content.prefixed(2)
    while names:
        kind, name = names.number(1), names.prefixed(2)
        if kind == _HOST_NAME:
            return name.rest().decode("ascii", "replace")
    return ""


def _protocol_names(content: ByteFields) -> tuple[bytes, ...]:
    names, found = content.prefixed(2), []
    while names:
        found.append(names.prefixed(1).rest())
    return tuple(found)
