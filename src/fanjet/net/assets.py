"""Files of the package that browsers show, served from memory under a strict content policy."""

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

# Everything comes from this server, nothing is inline, and nobody frames the page. 'self' covers the WebSocket, too.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; {connect}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def headers(*, connect_to: Iterable[str] = ()) -> tuple[tuple[bytes, bytes], ...]:
    """What pages are served with. `connect_to`: whom their scripts may talk to beside this server."""
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
    """Read the folder `static` of a package: the files that browsers may ask for, by their path below it, which begins
    with a slash."""
    root = files(package) / "static"
    return {path: Asset(file.read_bytes(), CONTENT_TYPES[_suffix(path)]) for path, file in _walk(root, "/")}


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif _suffix(entry.name) in CONTENT_TYPES:
            yield prefix + entry.name, entry


def _suffix(name: str) -> str:
    """What follows the last dot, dot included."""
    return name[name.rfind(".") :]
