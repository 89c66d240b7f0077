"""Serves the package's static files from memory.

They have a strict content security policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.resources.abc import Traversable

CONTENT_TYPES: Final = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".txt": b"text/plain; charset=utf-8",
}

# All content comes from this server, nothing is inline, framing is forbidden. 'self' also covers the WebSocket.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; {connect}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def headers(*, connect_to: Iterable[str] = ()) -> tuple[tuple[bytes, bytes], ...]:
    """Return the response headers of pages.

    `connect_to`: further origins that their scripts may connect to.
    """
    policy = _POLICY.format(connect=" ".join(("connect-src 'self'", *connect_to)))
    return (
        (b"Content-Security-Policy", policy.encode()),
        (b"X-Content-Type-Options", b"nosniff"),
        (b"Referrer-Policy", b"no-referrer"),
        (b"Cross-Origin-Opener-Policy", b"same-origin"),
        (b"Cache-Control", b"no-cache"),
    )


HEADERS: Final = headers()


@dataclass(frozen=True, slots=True)
class Asset:
    """One file."""

    body: bytes
    content_type: bytes


def assets_of(package: str) -> dict[str, Asset]:
    """Read the folder `static` of a package.

    Keys are paths below it, with a leading slash.
    """
    root = files(package) / "static"
    return {path: Asset(file.read_bytes(), CONTENT_TYPES[_suffix(path)]) for path, file in _walk(root, "/")}


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif _suffix(entry.name) in CONTENT_TYPES:
            yield prefix + entry.name, entry


def _suffix(name: str) -> str:
    """The file name extension, dot included."""
    return name[name.rfind(".") :]
