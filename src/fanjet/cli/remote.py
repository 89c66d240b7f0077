"""Calls the API of a running server, whose address and key are in its configuration file."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from fanjet.cli.options import load_or_fail

if TYPE_CHECKING:
    from fanjet.config import Config

SECONDS = 15
DEFAULT_CONFIG = "config.json"

Url = Annotated[
    str, typer.Option("--url", help="address of the server's API, such as http://127.0.0.1:8000/api", metavar="URL")
]
Key = Annotated[str, typer.Option("--key", help="API key; else that of the configuration", metavar="KEY")]
ConfigFile = Annotated[str, typer.Option("--config", "-c", help="configuration of that server", metavar="PATH")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON, one document a line")]


class ApiRefused(Exception):  # noqa: N818
    """The API returned an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"error {code}: {message}")
        self.code = code


class NoServer(Exception):  # noqa: N818
    """The API cannot be reached; the text contains the reason."""


@dataclass(frozen=True, slots=True)
class Remote:
    """The API of a running server."""

    url: str
    key: str

    def call(self, method: str, **params: object) -> Any:
        """Return a method's result. Raises `ApiRefused` and `NoServer`."""
        request = urllib.request.Request(
            f"{self.url}/{method}",
            data=json.dumps(params).encode(),
            headers={"X-API-Key": self.key, "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=SECONDS, context=self._tls()) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            raise NoServer(_explain(error.code, self.url)) from None
        except (OSError, ValueError) as error:
            raise NoServer(f"{self.url} cannot be reached: {getattr(error, 'reason', error)}") from None
        if "error" in answer:
            raise ApiRefused(answer["error"]["code"], answer["error"]["message"])
        return answer["result"]

    def _tls(self) -> ssl.SSLContext | None:
        """Certificates are not verified on this machine, where server names rarely match them."""
        if not self.url.startswith(("https://127.0.0.1", "https://localhost", "https://[::1]")):
            return None
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


def remote(url: str, key: str, config_path: str) -> Remote:
    """The server of the options: at the URL, or that of the configuration."""
    config = load_or_fail(config_path, "error getting config").config
    return Remote((url or api_url(config)).rstrip("/"), key or config.http_api.key)


def call(server: Remote, method: str, **params: object) -> Any:
    """Return a method's result. Prints errors and exits."""
    try:
        return server.call(method, **params)
    except (ApiRefused, NoServer) as failure:
        stop(failure)


def stop(failure: object) -> NoReturn:
    """Print an error and exit with status 1."""
    typer.echo(f"error: {failure}", err=True)
    raise typer.Exit(1)


def api_url(config: Config) -> str:
    """The API URL of a server with this configuration, as seen from this machine."""
    http = config.http_server
    address, port = http.address, str(http.port)
    if not config.http_api.external:
        address, port = http.internal_address or address, http.internal_port or port
    separate = (address, port) != (http.address, str(http.port))
    encrypted = http.internal_tls.enabled if separate else http.tls.enabled or http.tls_autocert.enabled
    return f"{'https' if encrypted else 'http'}://{_host(address)}:{port}{_prefix(config.http_api.handler_prefix)}"


def websocket_url(config: Config) -> str:
    """The WebSocket URL of a server with this configuration, as seen from this machine."""
    http = config.http_server
    encrypted = http.tls.enabled or http.tls_autocert.enabled
    prefix = _prefix(config.websocket.handler_prefix)
    return f"{'wss' if encrypted else 'ws'}://{_host(http.address)}:{http.port}{prefix}"


def _host(address: str) -> str:
    if address in ("", "0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{address}]" if ":" in address else address


def _prefix(configured: str) -> str:
    return configured.rstrip("/")


def _explain(status: int, url: str) -> str:
    if status == 401:
        return f"{url} does not take the API key (http_api.key, or --key)"
    if status == 404:
        return f"there is no API at {url} (http_api.handler_prefix, http_api.disabled, or --url)"
    return f"{url} answered with status {status}"
