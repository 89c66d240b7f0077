"""Serves Swagger UI for the server API (10 D).

Its files come from npm when the package is built.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

import msgspec

from fanjet.api.openapi import openapi_document
from fanjet.net.http1.response import JSON, NO_SNIFFING, TEXT

if TYPE_CHECKING:
    from fanjet.net.http1 import Exchange
    from fanjet.net.router import Endpoint

INDEX: Final = "index.html"
_FILES: Final = {
    INDEX: b"text/html; charset=utf-8",
    "page.js": b"text/javascript; charset=utf-8",
    "vendor/swagger-ui.css": b"text/css; charset=utf-8",
    "vendor/swagger-ui-bundle.js": b"text/javascript; charset=utf-8",
}
# Everything is loaded from this server. Swagger UI uses inline styles and images in data URLs.
_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"connect-src 'self' http: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (NO_SNIFFING, (b"Content-Security-Policy", _POLICY), (b"Cache-Control", b"no-cache"))


class SwaggerMissing(Exception):  # noqa: N818 (a state of the package, not a bug)
    """The package was built without Swagger UI."""


def swagger_endpoint(prefix: str, api_path: str, version: str) -> Endpoint:
    """An endpoint for all paths below `prefix`, which ends in a slash.

    `api_path`: the path of the server API. Raises `SwaggerMissing`.
    """
    root = files("fanjet.operations") / "static"
    answers = {}
    for name, content_type in _FILES.items():
        file = root.joinpath(*name.split("/"))
        if not file.is_file():
            raise SwaggerMissing("Swagger UI is not in this package; `make setup` or building a wheel puts it there")
        answers[prefix + name] = (file.read_bytes(), content_type)
    answers[prefix] = answers[prefix + INDEX]
    answers[prefix + "swagger.json"] = (msgspec.json.encode(openapi_document(api_path, version)), JSON)

    def endpoint(exchange: Exchange) -> None:
        answer = answers.get(exchange.request.path)
        if answer is None:
            exchange.respond(404, b"404 page not found\n", TEXT, (NO_SNIFFING,))
        else:
            exchange.respond(200, *answer, _HEADERS)

    return endpoint
