"""Backends reached over HTTP (06 §4.2, §4.3)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from msgspec import Raw
from msgspec.json import Encoder
from yarl import URL

from fanjet.net.tls import client_context
from fanjet.protocol.json_document import DocumentDecoder
from fanjet.protocol.json_scan import MalformedJSON, is_json

from .backend import BackendFailed
from .forwarding import Forwarding
from .responses import Disconnect, Error, Response

if TYPE_CHECKING:
    from aiohttp import ClientResponse

    from fanjet.config.tree.proxy import Proxy, StatusTransform
    from fanjet.events.event import Event

    from .requests import Request

R = TypeVar("R", bound=Response)

LONGEST_RESPONSE: Final = 16 << 20
"""Bytes, unpacked. Nothing that long could be sent on to a client."""
IDLE_SECONDS: Final = 300.0
"""How long an unused connection is kept."""
MOST_REDIRECTS: Final = 10

_encode: Final = Encoder().encode


class HttpBackend(Generic[R]):
    """Posts JSON to one endpoint. Its connections are kept for the next calls."""

    protocol = "http"

    def __init__(self, config: Proxy, response_type: type[R]) -> None:
        """Raises `TLSError` for TLS settings that cannot be used."""
        tls = config.http.tls
        self._url = URL(config.endpoint, encoded=True)
        self._timeout = ClientTimeout(total=config.timeout if config.timeout > 0 else None)
        self._tls = client_context(tls, "proxy_http") if tls.enabled else True
        self._server_name = tls.server_name if tls.enabled and tls.server_name else None
        self._forwarding = Forwarding(config, config.http.static_headers)
        self._transforms = _first_of_each_status(config.http.status_to_code_transforms, response_type)
        self._decode = DocumentDecoder(response_type).decode
        self._session: ClientSession | None = None

    async def call(self, request: Request, event: Event) -> R:
        """Ask once. Raises `BackendFailed`."""
        body = _encoded(request)
        headers = [*self._forwarding.http_headers(event), ("Content-Type", "application/json")]
        await asyncio.sleep(0)  # the client library needs a task, which only begins where a command first waits
        try:
            async with self._open_session().post(
                self._url, data=body, headers=headers, server_hostname=self._server_name, max_redirects=MOST_REDIRECTS
            ) as response:
                if response.status != 200:
                    return self._transformed(response.status)
                return self._decode(await _body_of(response))
        except MalformedJSON as error:
            raise BackendFailed(f"error decoding response: {error}") from None
        except TimeoutError:
            raise BackendFailed("timeout") from None
        except (ClientError, OSError, ValueError) as error:
            raise BackendFailed(str(error) or type(error).__name__) from None

    async def close(self) -> None:
        """Let the connections go."""
        if self._session is not None:
            await self._session.close()

    def _open_session(self) -> ClientSession:
        if self._session is None:
            connector = TCPConnector(limit=0, ssl=self._tls, keepalive_timeout=IDLE_SECONDS)
            self._session = ClientSession(
                connector=connector,
                timeout=self._timeout,
                cookie_jar=DummyCookieJar(),
                headers={"Accept-Encoding": "gzip", "User-Agent": "Fanjet"},
            )
        return self._session

    def _transformed(self, status: int) -> R:
        """What a status other than 200 stands for."""
        response = self._transforms.get(status)
        if response is None:
            raise BackendFailed(f"unexpected HTTP status code: {status}")
        return response


def _encoded(request: Request) -> bytes:
    for name in ("data", "meta"):
        payload = getattr(request, name, None)
        if isinstance(payload, Raw) and (text := bytes(payload)) and not is_json(text):
            raise BackendFailed(f"error encoding request: {name} is not JSON")
    return _encode(request)


async def _body_of(response: ClientResponse) -> bytes:
    body = await response.content.readany()
    if response.content.at_eof():
        return body
    pieces, size = [body], len(body)
    while size <= LONGEST_RESPONSE:
        piece = await response.content.readany()
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        size += len(piece)
    raise BackendFailed(f"response longer than {LONGEST_RESPONSE} bytes")


def _first_of_each_status(transforms: tuple[StatusTransform, ...], response_type: type[R]) -> dict[int, R]:
    responses: dict[int, R] = {}
    for transform in transforms:
        error, disconnect = transform.to_error, transform.to_disconnect
        if error.code:
            response = response_type(error=Error(error.code, error.message, error.temporary))
        else:
            response = response_type(disconnect=Disconnect(disconnect.code, disconnect.reason))
        responses.setdefault(transform.status_code, response)
    return responses
