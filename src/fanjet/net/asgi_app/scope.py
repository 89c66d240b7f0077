"""Converts an ASGI scope to a request head."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

from ..http1.head import CHUNKED, Head, decode_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..asgi_host.types import Scope

_VERSIONS: Final = {"2": "2.0", "3": "3.0"}
_SAFE: Final = "/%:@!$&'()*+,;=~"
_SERVER_HEADERS: Final = frozenset({b"sec-websocket-extensions"})
"""Headers handled by the ASGI server alone, as only it sees frames."""


def parse_scope(scope: Scope) -> Head:
    """The head of the request.

    Its path is relative to the mount point of the application.
    """
    headers: dict[bytes, bytes] = {}
    repeated: dict[bytes, list[bytes]] = {}
    for sent_name, sent_value in scope["headers"]:
        name, value = bytes(sent_name).lower(), bytes(sent_value)
        if name in _SERVER_HEADERS:
            continue
        if name in headers:
            repeated.setdefault(name, [headers[name]]).append(value)
        else:
            headers[name] = value
    if offered := scope.get("subprotocols"):  # some ASGI servers pass this only here
        headers[b"sec-websocket-protocol"] = ", ".join(offered).encode("latin-1")
    raw_path, query = _locate(scope)[1], bytes(scope.get("query_string", b""))
    version = str(scope.get("http_version") or "1.1")
    return Head(
        method=scope.get("method", "GET"),
        target=raw_path.encode("latin-1", "replace") + (b"?" + query if query else b""),
        raw_path=raw_path,
        path=decode_path(raw_path),
        query=query,
        headers=headers,
        repeated=repeated,
        version=_VERSIONS.get(version, version),
        content_length=_declared_length(headers),
        keep_alive=True,
        expects_continue=b"100-continue" in headers.get(b"expect", b"").lower(),
        ordinary=False,
    )


def mount_point(scope: Scope) -> str:
    """The path that the application is mounted at.

    It has no trailing slash, and is empty at the root.
    """
    return _locate(scope)[0] or str(scope.get("root_path") or "").rstrip("/")


def _locate(scope: Scope) -> tuple[str, str]:
    """The mount point and the application's own path, percent-encoded.

    Servers and frameworks differ in which path they shorten when they mount, and not all pass the path as sent.
    """
    path = _below(str(scope.get("root_path") or "").rstrip("/"), scope["path"])
    sent = (scope.get("raw_path") or b"").decode("latin-1").partition("?")[0]
    whole = unquote(sent)
    for own in (path, path.rstrip("/")):  # some add a trailing slash
        if sent and whole.endswith(own):
            before = whole[: len(whole) - len(own)]
            encoded = quote(before, safe=_SAFE)
            return before, (sent[len(encoded) :] if sent.startswith(encoded) else quote(own, safe=_SAFE)) or "/"
    return "", quote(path, safe=_SAFE)


def _below(root: str, path: str) -> str:
    if root and path.startswith(root) and path[len(root) :][:1] in ("", "/"):
        path = path[len(root) :]
    return path or "/"


def _declared_length(headers: Mapping[bytes, bytes]) -> int:
    """Bytes of the body; the ASGI server has validated the header."""
    if b"transfer-encoding" in headers:
        return CHUNKED
    declared = headers.get(b"content-length", b"")
    return int(declared) if declared.isdigit() else CHUNKED


class ScopeTransport(asyncio.Transport):
    """The addresses of a scope, as a transport for `Request`."""

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self._ends = {"peername": scope.get("client"), "sockname": scope.get("server")}

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Addresses of both ends, `peername` and `sockname`; nothing else is known."""
        address = self._ends.get(name)
        return default if address is None or address[1] is None else tuple(address)


def is_tls(scope: Scope) -> bool:
    """Whether the client uses TLS.

    Up to the ASGI server or, if that knows, a proxy in front of it.
    """
    return scope.get("scheme") in ("https", "wss")
