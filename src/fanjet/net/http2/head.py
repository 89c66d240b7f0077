"""Builds a request head from HTTP/2 header fields (RFC 9113 section 8.3.1)."""

from collections.abc import Sequence
from typing import Final

from ..http1.errors import BadRequest
from ..http1.head import CHUNKED, Head, decode_path, parse_target
from .header_blocks import Field
from .request_fields import MalformedRequest

VERSION: Final = "2.0"

_CONNECTION_SPECIFIC: Final = (b"connection", b"proxy-connection", b"transfer-encoding", b"upgrade", b"keep-alive")


def parse_head(fields: Sequence[Field], version: str = VERSION) -> Head:
    """Return the head of a request with validated fields.

    Raises `MalformedRequest`, and `BadRequest` for errors that get a response.
    """
    pseudo: dict[bytes, bytes] = {}
    headers: dict[bytes, bytes] = {}
    repeated: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        if name[:1] == b":":
            pseudo[name] = value
        elif name not in headers:
            headers[name] = value
        elif name == b"cookie":  # clients may split it for better compression
            headers[name] += b"; " + value
        else:
            repeated.setdefault(name, [headers[name]]).append(value)
    if authority := pseudo.get(b":authority"):
        headers[b"host"] = authority
        repeated.pop(b"host", None)
    method = pseudo[b":method"].decode("latin-1")
    target = pseudo.get(b":path", authority or b"")
    try:
        raw_path, query = parse_target(method, target)
    except BadRequest as fault:
        raise MalformedRequest from fault
    _refuse_connection_headers(headers)
    return Head(
        method=method,
        target=target,
        raw_path=raw_path,
        path=decode_path(raw_path),
        query=query,
        headers=headers,
        repeated=repeated,
        version=version,
        content_length=_declared_length(headers),
        keep_alive=True,
        expects_continue=b"100-continue" in headers.get(b"expect", b"").lower(),
        ordinary=False,
    )


def protocol_of(fields: Sequence[Field]) -> bytes:
    """The protocol of an extended CONNECT (RFC 8441), empty for other requests."""
    return next((value for name, value in fields if name == b":protocol"), b"")


def _refuse_connection_headers(headers: dict[bytes, bytes]) -> None:
    for name in _CONNECTION_SPECIFIC:
        if name in headers:
            shown = name.title().decode()
            raise BadRequest(400, f'request header "{shown}" is not valid in HTTP/2')
    if headers.get(b"te", b"trailers").lower() not in (b"trailers", b""):
        raise BadRequest(400, 'request header "TE" may only be "trailers" in HTTP/2')


def _declared_length(headers: dict[bytes, bytes]) -> int:
    declared = headers.get(b"content-length")
    if declared is None:
        return CHUNKED
    return int(declared) if declared.isdigit() and len(declared) <= 18 else 0
