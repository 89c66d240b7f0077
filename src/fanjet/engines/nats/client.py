"""The library's client, mended where that does not do."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import ParseResult, unquote, urlsplit

from nats import errors
from nats.aio.client import Client

if TYPE_CHECKING:
    from typing import Any


class NatsClient(Client):
    """Goes on when the answer to a flush comes after its time, which ends the reader of the library's client, and keeps
    errors as the server has told them: the library hands them on in lower case, in which subjects are not told apart.

    User and password may be escaped in a URL, as any can be that hold `@` or `/`, and go to the servers that the first
    one tells of as well. Where TLS is asked for, by the configuration or by `tls://`, nothing is sent without.
    """

    told = ""
    """The error that is being handed on, if it is the server's."""

    @staticmethod
    def _parse_server_uri(connect_url: str) -> ParseResult:
        return _Server(*Client._parse_server_uri(connect_url))

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        known = {(server.uri.hostname, server.uri.port) for server in self._server_pool}
        told = [url for url in info.get("connect_urls") or () if _host_and_port(url) not in known]
        await super()._process_info({**info, "connect_urls": told}, initial_connection)
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
        self.told = self._ps.buf.partition(b"\r\n")[0].decode()  # its parser still has it
        try:
            await super()._process_err(err_msg)
        finally:
            self.told = ""

    async def _process_pong(self) -> None:
        if self._pongs and self._pongs[0].done():
            self._pongs.pop(0)
            self._pings_outstanding = 0
        else:
            await super()._process_pong()


class _Server(ParseResult):
    """A URL whose user and password are as they were before they were escaped."""

    @property
    def username(self) -> str | None:
        return _plain(super().username)

    @property
    def password(self) -> str | None:
        return _plain(super().password)


def _plain(escaped: str | None) -> str | None:
    return None if escaped is None else unquote(escaped)


def _host_and_port(server: str) -> tuple[str | None, int | None]:
    parts = urlsplit(f"//{server}")
    return parts.hostname, parts.port
