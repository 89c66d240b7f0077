"""The opening handshake over HTTP/1.1 (02 sections 6.2, 6.3 and 6.7): pure functions over the request's headers."""

import base64
import binascii
import hashlib
from collections.abc import Collection, Sequence
from typing import Final

from ..http1.request import Request
from ..origin import OriginPredicate

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SUCCESS: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
)
_DEFLATE: Final = (
    b"\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"
)

REFUSAL_HEADERS: Final = ((b"Sec-Websocket-Version", b"13"),)
"""Goes with every refused handshake."""


def refused_status(request: Request, origin_allowed: OriginPredicate) -> int | None:
    """Return the status to refuse this handshake with, None when it is in order. The first failing check decides."""
    if not _lists_token(request.all_values(b"connection"), b"upgrade"):
        return 400
    if not _lists_token(request.all_values(b"upgrade"), b"websocket"):
        return 400
    if request.method != "GET":
        return 405
    if not _lists_token(request.all_values(b"sec-websocket-version"), b"13"):
        return 400
    if not _is_key(request.headers.get(b"sec-websocket-key", b"")):
        return 400
    return None if origin_allowed(request.headers.get(b"origin")) else 403


def accept_head(request: Request, *, subprotocol: bytes | None = None, deflate: bool = False) -> bytes:
    """The 101 response to a handshake that is in order."""
    digest = hashlib.sha1(request.headers[b"sec-websocket-key"] + _GUID, usedforsecurity=False).digest()
    head = _SUCCESS + base64.b64encode(digest)
    if subprotocol is not None:
        head += b"\r\nSec-WebSocket-Protocol: " + subprotocol
    if deflate:
        head += _DEFLATE
    return head + b"\r\n\r\n"


def select_subprotocol(request: Request, supported: Collection[bytes]) -> bytes | None:
    """The first subprotocol in the client's order that is supported; only its first header line counts."""
    offered = request.headers.get(b"sec-websocket-protocol")
    if offered is None:
        return None
    return next((name for item in offered.split(b",") if (name := item.strip(b" \t")) in supported), None)


def offers_deflate(request: Request) -> bool:
    """Whether the client offers permessage-deflate, with whatever parameters."""
    offers = b",".join(request.all_values(b"sec-websocket-extensions"))
    return any(offer.partition(b";")[0].strip(b" \t") == b"permessage-deflate" for offer in offers.split(b","))


def _lists_token(lines: Sequence[bytes], wanted: bytes) -> bool:
    return any(item.strip(b" \t") == wanted for line in lines for item in line.lower().split(b","))


def _is_key(key: bytes) -> bool:
    if len(key) != 24:
        return False
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except binascii.Error:
        return False
