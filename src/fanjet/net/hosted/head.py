"""What a host tells of a request, as endpoints want it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from ..http1.head import CHUNKED, Head

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..asgi.types import Scope

_VERSIONS: Final = {"2": "2.0", "3": "3.0"}
_UNRESERVED: Final = "/%:@!$&'()*+,;=~"
_HOSTS_OWN: Final = frozenset({b"sec-websocket-extensions"})
"""What the host deals with alone: it alone sees frames."""


def parse_scope(scope: Scope) -> Head:
    """The head of the request; its path is the one below where the application is mounted."""
    headers: dict[bytes, bytes] = {}
    repeated: dict[bytes, list[bytes]] = {}
    for sent_name, sent_value in scope["headers"]:
        name, value = bytes(sent_name).lower(), bytes(sent_value)
        if name in _HOSTS_OWN:
            continue
        if name in headers:
            repeated.setdefault(name, [headers[name]]).append(value)
        else:
            headers[name] = value
    raw_path, query = _raw_path(scope), bytes(scope.get("query_string", b""))
    version = str(scope.get("http_version") or "1.1")
    return Head(
        method=scope.get("method", "GET"),
        target=raw_path.encode("latin-1", "replace") + (b"?" + query if query else b""),
        raw_path=raw_path,
        path=_below(scope.get("root_path", ""), scope["path"]),
        query=query,
        headers=headers,
        repeated=repeated,
        version=_VERSIONS.get(version, version),
        content_length=_declared_length(headers),
        keep_alive=True,
        expects_continue=b"100-continue" in headers.get(b"expect", b"").lower(),
        takes_ordinary=False,
    )


def _raw_path(scope: Scope) -> str:
    """The path as sent. Not every host tells it, and not every framework that mounts keeps it."""
    root, path = scope.get("root_path", ""), scope["path"]
    sent = (scope.get("raw_path") or b"").decode("latin-1").partition("?")[0]
    raw = _below(quote(root, safe=_UNRESERVED), sent)
    return raw if sent else quote(_below(root, path), safe=_UNRESERVED)


def _below(root: str, path: str) -> str:
    """The path without `root`, which hosts and frameworks either leave at its beginning or have taken away."""
    root = root.rstrip("/")
    if root and path.startswith(root) and path[len(root) :][:1] in ("", "/"):
        path = path[len(root) :]
    return path or "/"


def _declared_length(headers: Mapping[bytes, bytes]) -> int:
    """Bytes of body; hosts have checked it."""
    if b"transfer-encoding" in headers:
        return CHUNKED
    declared = headers.get(b"content-length", b"")
    return int(declared) if declared.isdigit() else CHUNKED


class Ends(asyncio.Transport):
    """Where a request comes from and where it came to, in the shape that requests ask for."""

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self._ends = {"peername": scope.get("client"), "sockname": scope.get("server")}

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Addresses of both ends, `peername` and `sockname`; nothing else is known."""
        address = self._ends.get(name)
        return default if address is None or address[1] is None else tuple(address)


def is_tls(scope: Scope) -> bool:
    """Whether the client came by TLS, to the host or, if that knows, to a proxy before it."""
    return scope.get("scheme") in ("https", "wss")
