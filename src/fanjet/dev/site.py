"""The page of the development server: files of the package, served from memory under a strict content policy."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from fanjet.net.http1.exchange import Exchange
from fanjet.net.router import Endpoint

SDK: Final = "/vendor/centrifuge.js"

CONTENT_TYPES: Final = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".txt": b"text/plain; charset=utf-8",
}

# Everything comes from this server, nothing is inline, and nobody frames the page. 'self' covers the WebSocket, too.
POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = (
    (b"Content-Security-Policy", POLICY),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
    (b"Cache-Control", b"no-cache"),
)


class SdkMissing(Exception):  # noqa: N818 - a state of the package, not a bug
    """The package was put together without the SDK that its page needs."""


@dataclass(frozen=True, slots=True)
class Page:
    """One file at one path. As the endpoint of `/`, which catches all paths, it answers 404 to the others."""

    path: str
    body: bytes
    content_type: bytes

    def __call__(self, exchange: Exchange) -> None:
        """Answer GET and HEAD with the file."""
        if exchange.request.path != self.path:
            exchange.respond(404, b"404 page not found\n", CONTENT_TYPES[".txt"])
        elif exchange.request.method not in ("GET", "HEAD"):
            exchange.respond(405, b"", b"", ((b"Allow", b"GET, HEAD"),))
        else:
            exchange.respond(200, self.body, self.content_type, HEADERS)


def static_routes() -> dict[str, Endpoint]:
    """Read the page's files and return an endpoint for each path, `/` among them. Raises SdkMissing."""
    root = files("fanjet.dev") / "static"
    pages = {path: Page(path, file.read_bytes(), content_type(path)) for path, file in walk(root, "/")}
    if SDK not in pages:
        raise SdkMissing("the page's SDK is not in this package; `make setup` or building a wheel puts it there")
    index = pages.pop("/index.html")
    return {**pages, "/": Page("/", index.body, index.content_type)}


def walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    """Yield the files below a folder that browsers may ask for, with their paths."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from walk(entry, f"{prefix}{entry.name}/")
        elif suffix(entry.name) in CONTENT_TYPES:
            yield prefix + entry.name, entry


def content_type(path: str) -> bytes:
    """Return what a file is, by its name."""
    return CONTENT_TYPES[suffix(path)]


def suffix(name: str) -> str:
    """Return what follows the last dot, dot included."""
    return name[name.rfind(".") :]
