"""The NATS client of the library with corrections."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import ParseResult, unquote, urlsplit

from nats import errors
from nats.aio.client import Client

if TYPE_CHECKING:
    from typing import Any


class NatsClient(Client):
    """The NATS library's client, with two corrections.

    A PONG after the timeout of its flush does not end the reader, and errors keep the case of the server's text,
    because the library lower-cases them, which makes subjects ambiguous.

    User and password in a URL may be percent-encoded, and are also used for servers that the first one announces. With
    TLS, requested by the configuration or by `tls://`, nothing is sent unencrypted.
    """

    server_error = ""
    """The error being reported, if the server sent it."""

    @staticmethod
    def _parse_server_uri(connect_url: str) -> ParseResult:
        return _Server(*Client._parse_server_uri(connect_url))

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        known = {(server.uri.hostname, server.uri.port) for server in self._server_pool}
        new_urls = [url for url in info.get("connect_urls") or () if _host_and_port(url) not in known]
        await super()._process_info({**info, "connect_urls": new_urls}, initial_connection)
        assert self._current_server is not None
        user_info, has_user, _ = self._current_server.uri.netloc.rpartition("@")
        for server in self._server_pool:
            if has_user and server.uri.username is None:
                server.uri = _Server(*server.uri._replace(netloc=f"{user_info}@{server.uri.netloc}"))
        if initial_connection and self._wants_tls:
            if not (info.get("tls_required") or info.get("tls_available")):
                raise errors.Error("nats: secure connection not available")
            self._server_info["tls_required"] = True

    @property
    def _wants_tls(self) -> bool:
        return "tls" in self.options or any(server.uri.scheme == "tls" for server in self._server_pool)

    async def _process_err(self, err_msg: str) -> None:
        self.server_error = self._ps.buf.partition(b"\r\n")[0].decode()  # the parser still has the line
        try:
            await super()._process_err(err_msg)
        finally:
            self.server_error = ""

    async def _process_pong(self) -> None:
        if self._pongs and self._pongs[0].done():
            self._pongs.pop(0)
            self._pings_outstanding = 0
        else:
            await super()._process_pong()


class _Server(ParseResult):
    """A URL with percent-decoded user and password."""

    @property
    def username(self) -> str | None:
        return _decoded(super().username)

    @property
    def password(self) -> str | None:
        return _decoded(super().password)


def _decoded(encoded: str | None) -> str | None:
    return None if encoded is None else unquote(encoded)


def _host_and_port(server: str) -> tuple[str | None, int | None]:
    parts = urlsplit(f"//{server}")
    return parts.hostname, parts.port
