"""The application backend that a server asks, in the process of the load generator: it answers at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final, cast

from .client import Address
from .errors import BenchError
from .settings import backend_port

_BODY: Final = b'{"result":{"user":"42"}}'
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_BODY),
    _BODY,
)
_LENGTH: Final = b"content-length:"


class _Backend(asyncio.Protocol):
    """Answers every request of one connection alike."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._transport = cast("asyncio.Transport", transport)
        self._received = b""

    def data_received(self, data: bytes) -> None:
        """Answer once a request is there as a whole; a server sends the next one only then."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0]
        if end and len(body) >= int(length or 0):
            self._received = b""
            self._transport.write(_ANSWER)


@contextlib.asynccontextmanager
async def backend_of(server: Address) -> AsyncIterator[None]:
    """Run the backend that a server at this address asks. Raises `BenchError` when its port is taken."""
    host, port = server
    try:
        listening = await asyncio.get_running_loop().create_server(_Backend, host, backend_port(port))
    except OSError as error:
        raise BenchError(f"no backend on port {backend_port(port)}: {error}") from error
    try:
        yield
    finally:
        listening.close()
