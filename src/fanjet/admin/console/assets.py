"""Serves the console's files.

Their URLs are relative, so they work under any prefix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fanjet.net.assets import assets_of, headers
from fanjet.net.http1.response import NO_SNIFFING, TEXT

from ..static_files import redirect

if TYPE_CHECKING:
    from fanjet.net.http1 import Exchange

CHARTS = "/vendor/uPlot.esm.js"


class ScriptsMissing(Exception):  # noqa: N818 - a state of the package, not a bug
    """The package was built without the console's scripts."""


class ConsoleAssets:
    """Serves the console under paths that begin with `prefix`, which ends in a slash.

    `provider`: the URL of the OpenID Connect provider if the browser contacts it directly.
    """

    def __init__(self, prefix: str, *, provider: str = "") -> None:
        """Raises `ScriptsMissing`."""
        self._assets = assets_of("fanjet.admin")
        if CHARTS not in self._assets:
            raise ScriptsMissing(
                "the console's scripts are not in this package; `make setup` or building a wheel puts them there"
            )
        self._prefix = prefix
        # The provider's other endpoints may be on any host and are not known yet.
        self._headers = headers(connect_to=(_origin(provider), "https:") if provider else ())

    def __call__(self, exchange: Exchange) -> None:
        """Respond with the file, whatever the method."""
        below = "/" + exchange.request.path.removeprefix(self._prefix)
        if below == "/index.html":
            redirect(exchange, "./")
            return
        asset = self._assets.get("/index.html" if below == "/" else below)
        if asset is None:
            exchange.respond(404, b"404 page not found\n", TEXT, (NO_SNIFFING,))
        else:
            exchange.respond(200, asset.body, asset.content_type, self._headers)


def _origin(address: str) -> str:
    split = urlsplit(address)
    return f"{split.scheme}://{split.netloc}"
