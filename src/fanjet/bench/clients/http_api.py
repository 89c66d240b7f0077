"""One keep-alive connection to the server's HTTP API (contract chapter 05)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, cast

import httptools
import msgspec

from ..errors import BenchError
from ..processes.certificate import HOST, Pair
from .client import TIMEOUT, Address


class ApiCaller(Protocol):
    """A connection to an API, whatever it speaks."""

    def request(
        self, path: bytes, body: bytes, on_answer: Callable[[bytes], None], on_failure: Callable[[BenchError], None], /
    ) -> None:
        """Send a request; one of the callbacks is called with what comes back."""

    def close(self) -> None:
        """Close the connection."""


@dataclass(frozen=True, slots=True)
class ApiDoor:
    """How one of the server's APIs is called."""

    open: Callable[[Address, str], Awaitable[ApiCaller]]
    """The server's address and the API key; returns a connection."""
    publish: bytes
    batch: bytes
    publish_body: Callable[[str, bytes], bytes]
    """Channel and payload."""
    batch_body: Callable[[Sequence[bytes]], bytes]
    """The bodies of the publishes."""


class ApiConnection(asyncio.Protocol):
    """Sends one request at a time; `request` for callbacks in a hurry, `post` for everyone else."""

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
        """Collect the answer's body (called by the parser)."""
        self._body += data

    def on_message_complete(self) -> None:
        """Hand over the answer (called by the parser)."""
        body, self._body = self._body, b""
        status = self._parser.get_status_code()
        if status == 200 and not body.startswith(b'{"error"'):
            self._on_answer(body)
        else:
            self._on_failure(BenchError(f"the API answered {status} {body[:200]!r}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is outstanding."""
        self._on_failure(BenchError(f"API connection closed by the server ({exc or 'end of stream'})"))

    def request(
        self, path: bytes, body: bytes, on_answer: Callable[[bytes], None], on_failure: Callable[[BenchError], None]
    ) -> None:
        """Send a request; one of the callbacks is called with what comes back."""
        self._on_answer = on_answer
        self._on_failure = on_failure
        self._transport.write(b"POST " + path + self._head + b"%d\r\n\r\n" % len(body) + body)

    async def post(self, path: bytes, body: bytes) -> bytes:
        """Send a request and return the answer's body. Raises `BenchError` for anything but a result."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.request(path, body, answer.set_result, answer.set_exception)
        try:
            async with asyncio.timeout(TIMEOUT):  # `wait_for` forgets a cancellation that comes with the answer
                return await answer
        except TimeoutError as error:
            raise BenchError(f"no answer from {path.decode()} within {TIMEOUT:.0f} s") from error
        finally:
            self._on_answer = self._on_failure = _ignore

    def close(self) -> None:
        """Close the connection."""
        self._on_failure = _ignore
        self._transport.close()


def _ignore(_: object) -> None:
    """Nobody waits for this answer."""


async def open_api(address: Address, key: str, trusted: Pair | None = None) -> ApiConnection:
    """Connect to the API, by TLS if there is a certificate to be `trusted`. Raises `BenchError` when nobody listens."""
    host, port = address
    tls = trusted.trust() if trusted else None
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


HTTP_API: Final = ApiDoor(open_api, PUBLISH, BATCH, publish_body, batch_body)
