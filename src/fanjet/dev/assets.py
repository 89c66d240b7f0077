"""The page of the development server."""

from dataclasses import dataclass
from typing import Final

from fanjet.net.assets import CONTENT_TYPES, HEADERS, assets_of
from fanjet.net.http1.exchange import Exchange
from fanjet.net.router import Endpoint

SDK: Final = "/vendor/centrifuge.js"


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
    pages = {path: Page(path, file.body, file.content_type) for path, file in assets_of("fanjet.dev").items()}
    if SDK not in pages:
        raise SdkMissing("the page's SDK is not in this package; `make setup` or building a wheel puts it there")
    index = pages.pop("/index.html")
    return {**pages, "/": Page("/", index.body, index.content_type)}
