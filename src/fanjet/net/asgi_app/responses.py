"""Builds the ASGI messages of responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..http1.response import has_body
from .scope import mount_point

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..asgi_host.types import Message, Scope

_SERVER_HEADERS: Final = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"date"})
"""Headers that the ASGI server sets itself."""


def response_start(
    kind: str, status: int, content_type: bytes, headers: Iterable[tuple[bytes, bytes]], scope: Scope
) -> Message:
    """The start of a response.

    Absolute locations are prefixed with the mount point of the application.
    """
    fields = [(b"content-type", content_type)] if content_type and has_body(status) else []
    for sent, value in headers:
        name = sent.lower()
        if name == b"location" and value.startswith(b"/"):
            fields.append((name, mount_point(scope).encode() + value))
        elif name not in _SERVER_HEADERS:
            fields.append((name, value))
    return {"type": f"{kind}.start", "status": status, "headers": fields}


def full_response(
    kind: str,
    status: int,
    body: bytes,
    content_type: bytes,
    headers: Iterable[tuple[bytes, bytes]],
    *,
    scope: Scope,
    send_body: bool = True,
) -> tuple[Message, Message]:
    """Both messages of a complete response.

    Without `send_body` (HEAD) the body is empty. `kind` is `http.response` or `websocket.http.response`.
    """
    start = response_start(kind, status, content_type, headers, scope)
    if has_body(status) and (body or send_body):
        start["headers"].append((b"content-length", b"%d" % len(body)))
    return start, {"type": f"{kind}.body", "body": body if send_body and has_body(status) else b"", "more_body": False}
