"""Downloads key sets over HTTP (03 §6.3)."""

from dataclasses import dataclass
from ssl import SSLContext
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

TIMEOUT: Final = ClientTimeout(total=1.0)
"""Seconds for one attempt, including the body."""

ATTEMPTS: Final = 2
LARGEST_DOCUMENT: Final = 1 << 20
"""Bytes."""


class EndpointDown(Exception):  # noqa: N818 (says what was found)
    """The endpoint cannot be reached, or its status is not 200."""


@dataclass(frozen=True, slots=True)
class ClientTLS:
    """TLS settings for an endpoint.

    `server_name`, if set, replaces the host of the address in SNI and verification.
    """

    context: SSLContext
    server_name: str = ""


async def download(url: str, tls: ClientTLS | None = None) -> bytes:
    """Download the body at `url`, cut at `LARGEST_DOCUMENT`. Raises `EndpointDown`.

    Must run in a task. Connections are not reused: key sets are fetched too rarely.
    """
    connector = TCPConnector(force_close=True, ssl=tls.context if tls else True)
    async with ClientSession(connector=connector, timeout=TIMEOUT, cookie_jar=DummyCookieJar()) as session:
        for _ in range(ATTEMPTS):
            try:
                return await _get(session, url, tls.server_name if tls else "")
            except (EndpointDown, ClientError, TimeoutError, OSError, ValueError) as error:
                reason = str(error) or type(error).__name__
    raise EndpointDown(reason)


async def _get(session: ClientSession, url: str, server_name: str) -> bytes:
    async with session.get(url, server_hostname=server_name or None) as response:
        if response.status != 200:
            raise EndpointDown(f"unexpected status code: {response.status}")
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) >= LARGEST_DOCUMENT:
                break
        return bytes(body[:LARGEST_DOCUMENT])
