"""A keep-alive connection to the server's HTTP API (contract chapter 05)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, cast

import httptools
import msgspec

from ..certificate import HOST, CertificatePair
from ..errors import BenchError
from .client import TIMEOUT, Address


class ApiCaller(Protocol):
    """A connection to an API over any protocol."""

    def request(
        self, path: bytes, body: bytes, on_answer: Callable[[bytes], None], on_failure: Callable[[BenchError], None], /
    ) -> None:
        """Send a request; one of the callbacks is called with the reply or the error."""

    def close(self) -> None:
        """Close the connection."""


@dataclass(frozen=True, slots=True)
class ApiSpec:
    """Specifies one of the server's APIs."""

    open: Callable[[Address, str], Awaitable[ApiCaller]]
    """Takes the server's address and the API key; returns a connection."""
    publish: bytes
    batch: bytes
    publish_body: Callable[[str, bytes], bytes]
    """Takes channel and payload."""
    batch_body: Callable[[Sequence[bytes]], bytes]
    """Takes the bodies of the publishes."""


class ApiConnection(asyncio.Protocol):
    """An API connection that sends one request at a time.

    `request` with callbacks is fast, `post` is a coroutine.
    """

    __slots__ = ("_body", "_head", "_on_answer", "_on_failure", "_parser", "_transport")

    _transport: asyncio.Transport

    def __init__(self, host: str, key: str) -> None:
        self._head = (
            f" HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: "
        ).encode()
        self._body = b""
        self._on_answer: Callable[[bytes], None] = _ignore
        self._on_failure: Callable[[BenchError], None] = _ignore
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        """Collect the response body (called by the parser)."""
        self._body += data

    def on_message_complete(self) -> None:
        """Pass on the response (called by the parser)."""
        body, self._body = self._body, b""
        status = self._parser.get_status_code()
        if status == 200 and not body.startswith(b'{"error"'):
            self._on_answer(body)
        else:
            self._on_failure(BenchError(f"the API answered {status} {body[:200]!r}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the outstanding request."""
        self._on_failure(BenchError(f"API connection closed by the server ({exc or 'end of stream'})"))

    def request(
        self, path: bytes, body: bytes, on_answer: Callable[[bytes], None], on_failure: Callable[[BenchError], None]
    ) -> None:
        """Send a request; one of the callbacks is called with the reply or the error."""
        self._on_answer = on_answer
        self._on_failure = on_failure
        self._transport.write(b"POST " + path + self._head + b"%d\r\n\r\n" % len(body) + body)

    async def post(self, path: bytes, body: bytes) -> bytes:
        """Send a request and return the response body. Raises `BenchError` for errors."""
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.request(path, body, reply.set_result, reply.set_exception)
        try:
            async with asyncio.timeout(TIMEOUT):  # `wait_for` loses a cancellation that arrives with the response
                return await reply
        except TimeoutError as error:
            raise BenchError(f"no answer from {path.decode()} within {TIMEOUT:.0f} s") from error
        finally:
            self._on_answer = self._on_failure = _ignore

    def close(self) -> None:
        """Close the connection."""
        self._on_failure = _ignore
        self._transport.close()


def _ignore(_: object) -> None:
    """Ignore the response."""


async def open_api(address: Address, key: str, certificate: CertificatePair | None = None) -> ApiConnection:
    """Connect to the API, over TLS with a `certificate` to trust.

    Raises `BenchError` if the connection fails.
    """
    host, port = address
    tls = certificate.trust() if certificate else None
    try:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: ApiConnection(f"{host}:{port}", key), host, port, ssl=tls, server_hostname=HOST if tls else None
        )
    except OSError as error:
        raise BenchError(f"cannot connect to the API at {host}:{port}: {error}") from error
    return connection


PUBLISH = b"/api/publish"
BATCH = b"/api/batch"
INFO = b"/api/info"


def publish_body(channel: str, payload: bytes) -> bytes:
    """Return the body of a publish."""
    return b'{"channel":%s,"data":%s}' % (msgspec.json.encode(channel), payload)


def batch_body(publishes: Sequence[bytes]) -> bytes:
    """Return the body of a batch of publishes, given their own bodies."""
    return b'{"commands":[' + b",".join(b'{"publish":' + body + b"}" for body in publishes) + b"]}"


HTTP_API: Final = ApiSpec(open_api, PUBLISH, BATCH, publish_body, batch_body)
