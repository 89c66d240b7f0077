"""HTTP backends (06 §4.2, §4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from msgspec import Raw
from msgspec.json import Encoder

from fanjet.config.tree.tls import Tls
from fanjet.net.http1.client import HttpClient
from fanjet.net.http1.client_connection import ExchangeFailed
from fanjet.net.http1.client_target import parse_target
from fanjet.net.tls import client_context
from fanjet.protocol.json_encoding.document_decoder import DocumentDecoder
from fanjet.protocol.json_encoding.members_decoder import unknown_keys
from fanjet.protocol.json_encoding.scan import MalformedJSON, is_json

from .backend import NO_CONTEXT, BackendFailed
from .forwarding import Forwarding, merge_context
from .responses import Disconnect, Error, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fanjet.config.tree.proxy import Proxy, StatusTransform
    from fanjet.events.event import Event

    from .requests import Request

R = TypeVar("R", bound=Response)

MAX_RESPONSE_BYTES: Final = 16 << 20
"""Bytes after decompression. No client could receive more."""
_DEFAULT_HEADERS: Final = (("Accept-Encoding", "gzip"), ("User-Agent", "Fanjet"))
_MIN_MEMBER_BYTES: Final = len('{"":0}')
_CONTENT_TYPE: Final = (("Content-Type", "application/json"),)
_HEADERS_WITHOUT_FORWARDING: Final = (*_DEFAULT_HEADERS, *_CONTENT_TYPE)

_encode: Final = Encoder().encode


class HttpBackend(Generic[R]):
    """Posts JSON to one endpoint over persistent connections.

    `on_unknown_keys` is called with the event and the keys of a response without any known key.
    """

    protocol = "http"

    def __init__(
        self, config: Proxy, response_type: type[R], on_unknown_keys: Callable[[Event, Sequence[str]], None]
    ) -> None:
        """Raises `TLSError` for TLS settings that cannot be used."""
        tls = config.http.tls if config.http.tls.enabled else Tls()
        self._endpoint = config.endpoint
        self._client = HttpClient(
            timeout=config.timeout if config.timeout > 0 else None,
            max_body=MAX_RESPONSE_BYTES,
            tls=client_context(tls, "proxy_http") if config.endpoint.startswith("https:") else None,
            server_name=tls.server_name,
        )
        self._forwarding = Forwarding(config, config.http.static_headers)
        self._transforms = _responses_by_status(config.http.status_to_code_transforms, response_type)
        self._decode = DocumentDecoder(response_type).decode
        self._response_type = response_type
        self._empty_response = response_type()
        self._on_unknown_keys = on_unknown_keys

    async def call(self, request: Request, event: Event, context: Mapping[str, str] = NO_CONTEXT) -> R:
        """Send one request. Raises `BackendFailed`."""
        body = _encoded(request)
        forwarded = merge_context(self._forwarding.http_headers(event), context)
        headers = (
            (*_missing_defaults(forwarded, _DEFAULT_HEADERS), *forwarded, *_CONTENT_TYPE)
            if forwarded
            else _HEADERS_WITHOUT_FORWARDING
        )
        try:
            answer = await self._client.post(parse_target(self._endpoint), headers, body)
            if answer.status != 200:
                return self._response_for_status(answer.status)
            response = self._decode(answer.body)
        except MalformedJSON as error:
            raise BackendFailed(f"error decoding response: {error}") from None
        except TimeoutError:
            raise BackendFailed("timeout") from None
        except (ExchangeFailed, ValueError) as error:
            raise BackendFailed(str(error)) from None
        if len(answer.body) >= _MIN_MEMBER_BYTES and response == self._empty_response:
            keys = unknown_keys(self._response_type, answer.body)
            if keys:
                self._on_unknown_keys(event, keys)
        return response

    async def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _response_for_status(self, status: int) -> R:
        """Return the response configured for a status other than 200."""
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


def _missing_defaults(
    given: Sequence[tuple[str, str]], defaults: Sequence[tuple[str, str]]
) -> Sequence[tuple[str, str]]:
    """Return the default headers that are not among the given ones."""
    names = {name for name, _ in given}
    return [default for default in defaults if default[0] not in names]


def _responses_by_status(transforms: tuple[StatusTransform, ...], response_type: type[R]) -> dict[int, R]:
    responses: dict[int, R] = {}
    for transform in transforms:
        error, disconnect = transform.to_error, transform.to_disconnect
        if error.code:
            response = response_type(error=Error(error.code, error.message, error.temporary))
        else:
            response = response_type(disconnect=Disconnect(disconnect.code, disconnect.reason))
        responses.setdefault(transform.status_code, response)
    return responses
