"""A proxy backend in a separate process.

It responds at once, over keep-alive connections.

    python -m fanjet.bench.processes.backend HOST PORT

It runs on the generator's processor, never on the server's if they are pinned.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Final, cast

from ..clients.client import TIMEOUT, Address
from ..errors import BenchError
from ..settings import backend_port

_BODY: Final = b'{"result":{"user":"42"}}'
_LENGTH: Final = b"content-length:"
_READY: Final = b"ready\n"


class _Backend(asyncio.Protocol):
    """Sends the same response, with a Date header, to every request of a connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._received = b""

    def data_received(self, data: bytes) -> None:
        """Respond once a request is complete; requests are not pipelined."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0]
        if end and len(body) >= int(length or 0):
            self._received = b""
            self._transport.write(_answer(int(time.time())))


def _answer(now: int) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nDate: {formatdate(now, usegmt=True)}\r\nServer: bench\r\nContent-Type: application/json"
    return f"{head}\r\nContent-Length: {len(_BODY)}\r\n\r\n".encode() + _BODY


@contextlib.asynccontextmanager
async def running_backend(server: Address) -> AsyncIterator[None]:
    """Run the backend of the server at this address.

    Raises `BenchError` when its port is in use.
    """
    host, port = server[0], str(backend_port(server[1]))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fanjet.bench.processes.backend", host, port),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        if await asyncio.wait_for(process.stdout.readline(), TIMEOUT) != _READY:
            raise BenchError(f"no backend on port {port}: {(await process.stderr.read()).decode().strip()[-200:]}")
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _serve(host: str, port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Backend, host, port)
    sys.stdout.buffer.write(_READY)
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
