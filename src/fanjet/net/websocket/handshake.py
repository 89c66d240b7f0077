"""The opening handshake: pure functions of the request headers.

02 sections 6.2, 6.3, 6.7, 6.9.
"""

from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Collection, Sequence
from hashlib import sha1
from typing import Final

from ..http1.request import Request
from ..http1.response import NO_SNIFFING
from ..origin import OriginPredicate

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SUCCESS: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
)
_DEFLATE: Final = b"permessage-deflate; server_no_context_takeover; client_no_context_takeover"
_DEFLATE_LINE: Final = b"\r\nSec-WebSocket-Extensions: " + _DEFLATE

# Values sent by common clients: a set lookup is some five times as fast as parsing a token list.
_COMMON_CONNECTION: Final = frozenset({b"Upgrade", b"upgrade", b"keep-alive, Upgrade"})
_COMMON_UPGRADE: Final = frozenset({b"websocket", b"WebSocket"})
_COMMON_VERSION: Final = frozenset({b"13"})

REFUSAL_HEADERS: Final = ((b"Sec-Websocket-Version", b"13"), NO_SNIFFING)
"""Headers of every refused handshake."""


def handshake_error_status(request: Request, origin_allowed: OriginPredicate) -> int | None:
    """Return the status to refuse this handshake with, None if it is valid.

    The first failing check decides.
    """
    header = request.head.headers.get  # properties cost twice what calls do
    if not (header(b"connection") in _COMMON_CONNECTION or _lists_token(request, b"connection", b"upgrade")):
        return 400
    if not (header(b"upgrade") in _COMMON_UPGRADE or _lists_token(request, b"upgrade", b"websocket")):
        return 400
    if request.head.method != "GET":
        return 405
    if not (
        header(b"sec-websocket-version") in _COMMON_VERSION or _lists_token(request, b"sec-websocket-version", b"13")
    ):
        return 400
    if not _is_key(header(b"sec-websocket-key", b"")):
        return 400
    return None if origin_allowed(header(b"origin")) else 403


def accept_head(request: Request, *, subprotocol: bytes | None = None, deflate: bool = False) -> bytes:
    """The 101 response to a valid handshake."""
    digest = sha1(request.head.headers[b"sec-websocket-key"] + _GUID, usedforsecurity=False).digest()
    head = _SUCCESS + b2a_base64(digest, newline=False)
    if subprotocol is not None:
        head += b"\r\nSec-WebSocket-Protocol: " + subprotocol
    if deflate:
        head += _DEFLATE_LINE
    return head + b"\r\n\r\n"


def tunnel_handshake_error_status(request: Request, protocol: bytes, origin_allowed: OriginPredicate) -> int | None:
    """`handshake_error_status` for an extended CONNECT that requests `protocol`.

    It has no key (RFC 8441).
    """
    if protocol != b"websocket":
        return 400
    if request.method != "CONNECT":
        return 405
    if not _lists_token(request, b"sec-websocket-version", b"13"):
        return 400
    return None if origin_allowed(request.headers.get(b"origin")) else 403


def accept_headers(*, subprotocol: bytes | None = None, deflate: bool = False) -> Sequence[tuple[bytes, bytes]]:
    """Headers of the 200 response to a valid extended CONNECT."""
    headers = []
    if subprotocol is not None:
        headers.append((b"Sec-WebSocket-Protocol", subprotocol))
    if deflate:
        headers.append((b"Sec-WebSocket-Extensions", _DEFLATE))
    return headers


def select_subprotocol(request: Request, supported: Collection[bytes]) -> bytes | None:
    """The first supported subprotocol in the client's order.

    Only its first header line counts.
    """
    offered = request.head.headers.get(b"sec-websocket-protocol")
    if offered is None:
        return None
    return next((name for item in offered.split(b",") if (name := item.strip(b" \t")) in supported), None)


def offers_deflate(request: Request) -> bool:
    """Whether the client offers permessage-deflate, with any non-empty parameters."""
    offers = b",".join(request.all_values(b"sec-websocket-extensions"))
    return any(_is_deflate([part.strip(b" \t") for part in offer.split(b";")]) for offer in offers.split(b","))


def _is_deflate(offer: list[bytes]) -> bool:
    return offer[0] == b"permessage-deflate" and all(offer)


def _lists_token(request: Request, header: bytes, token: bytes) -> bool:
    """Whether a header lists a token, in any of its lines."""
    return any(item.strip(b" \t") == token for line in request.all_values(header) for item in line.lower().split(b","))


def _is_key(key: bytes) -> bool:
    if len(key) != 24:
        return False
    try:
        return len(a2b_base64(key, strict_mode=True)) == 16
    except Error:
        return False
