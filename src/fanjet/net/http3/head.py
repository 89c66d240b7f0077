"""The head of a request from its HTTP/3 fields (RFC 9114 section 4.3.1)."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from ..http1.errors import BadRequest
from ..http1.head import CHUNKED, Head, decode_path, parse_target

Field = tuple[bytes, bytes]

VERSION: Final = "3"


class Asked(NamedTuple):
    """What a stream asks for."""

    head: Head
    protocol: bytes
    """What an extended CONNECT (RFC 9220) wants to speak, empty for every other request."""


def parse_fields(fields: Sequence[Field]) -> Asked:
    """Parse the fields of a request, whose names and pseudo-headers are known to be in order. Raises `BadRequest`.

    The body of a request without `content-length` ends where its stream ends.
    """
    pseudo = {name: value for name, value in fields if name[:1] == b":"}
    headers, repeated = _collect(fields)
    authority = pseudo.get(b":authority", b"")
    if authority:
        headers.setdefault(b"host", authority)
    method = _token(pseudo[b":method"])
    target = pseudo.get(b":path", authority if method == "CONNECT" else b"")
    raw_path, query = parse_target(method, target)
    length = headers.get(b"content-length")
    if length is not None and (not length.isdigit() or len(length) > 18 or b"content-length" in repeated):
        raise BadRequest
    head = Head(
        method=method,
        target=target,
        raw_path=raw_path,
        path=decode_path(raw_path),
        query=query,
        headers=headers,
        repeated=repeated,
        version=VERSION,
        content_length=CHUNKED if length is None else int(length),
        keep_alive=True,
        expects_continue=False,
        takes_ordinary=False,
    )
    return Asked(head, pseudo.get(b":protocol", b""))


def _collect(fields: Sequence[Field]) -> tuple[dict[bytes, bytes], dict[bytes, list[bytes]]]:
    headers: dict[bytes, bytes] = {}
    repeated: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        if name[:1] == b":":
            continue
        if name not in headers:
            headers[name] = value
        elif name == b"cookie":  # clients may cut it up, so that parts of it compress better
            headers[name] += b"; " + value
        else:
            repeated.setdefault(name, [headers[name]]).append(value)
    return headers, repeated


def _token(method: bytes) -> str:
    if not method.isalpha() and not method.replace(b"-", b"").replace(b"_", b"").isalnum():
        raise BadRequest
    return method.decode("ascii")
