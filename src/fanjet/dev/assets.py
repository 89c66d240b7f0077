"""Serves the files of the development server's demo page."""

from dataclasses import dataclass
from typing import Final

from fanjet.net.assets import CONTENT_TYPES, HEADERS, assets_of
from fanjet.net.http1.exchange import Exchange
from fanjet.net.router import Endpoint

SDK: Final = "/vendor/centrifuge.js"


class SdkMissing(Exception):  # noqa: N818 - a state of the package, not a bug
    """The package was built without the SDK that the page needs."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file at one path.

    The endpoint of `/` receives all unknown paths and responds 404 to them.
    """

    path: str
    body: bytes
    content_type: bytes

    def __call__(self, exchange: Exchange) -> None:
        """Respond to GET and HEAD with the file."""
        if exchange.request.path != self.path:
            exchange.respond(404, b"404 page not found\n", CONTENT_TYPES[".txt"])
        elif exchange.request.method not in ("GET", "HEAD"):
            exchange.respond(405, b"", b"", ((b"Allow", b"GET, HEAD"),))
        else:
            exchange.respond(200, self.body, self.content_type, HEADERS)


def static_routes() -> dict[str, Endpoint]:
    """Return an endpoint for each of the page's files and for `/`.

    Raises `SdkMissing`.
    """
    files_by_path = {
        path: StaticFile(path, file.body, file.content_type) for path, file in assets_of("fanjet.dev").items()
    }
    if SDK not in files_by_path:
        raise SdkMissing("the page's SDK is not in this package; `make setup` or building a wheel puts it there")
    index = files_by_path.pop("/index.html")
    return {**files_by_path, "/": StaticFile("/", index.body, index.content_type)}
