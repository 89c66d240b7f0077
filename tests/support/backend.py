"""An application backend over HTTP that answers a server's proxies as a test wants it."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from aiohttp import web

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    Answer = Mapping[str, Any] | Callable[[web.Request], Awaitable[web.StreamResponse]]

PATIENCE = 30.0


class Asked(NamedTuple):
    """One request: the last part of its path, its body and its headers by lower-case name."""

    event: str
    body: dict[str, Any]
    headers: dict[str, str]


class Backend:
    """Answers each path with what `on` says, `{}` without. `requests` are those that came, in order."""

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self.cancelled: Counter[str] = Counter()
        """How many requests of each path were given up by their client."""
        self.connections: set[Any] = set()
        """The client side of every connection."""
        self.base = ""
        self._counts: Counter[str] = Counter()
        self._answers: dict[str, Answer] = {}
        self._changed = asyncio.Condition()

    def on(self, event: str, answer: Answer) -> None:
        """Answer `event` with a JSON object, or by a handler."""
        self._answers[event] = answer

    def asked(self, event: str) -> list[dict[str, Any]]:
        """The bodies of an event's requests so far."""
        return [request.body for request in self.requests if request.event == event]

    async def wait_for(self, event: str, count: int = 1) -> dict[str, Any]:
        """Wait until an event was asked about so many times, and return the last body."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: self._counts[event] >= count)
        return self.asked(event)[-1]

    async def wait_cancelled(self, event: str, count: int = 1) -> None:
        """Wait until so many of an event's requests were given up."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: self.cancelled[event] >= count)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        event = request.path.rpartition("/")[2]
        transport = request.transport
        self.connections.add(None if transport is None else transport.get_extra_info("peername"))
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(Asked(event, await request.json(), headers))
        self._counts[event] += 1
        await self._notify()
        answer = self._answers.get(event, {})
        try:
            return await answer(request) if callable(answer) else web.json_response(answer)
        except asyncio.CancelledError:
            self.cancelled[event] += 1
            await self._notify()
            raise

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def http_backend(port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[Backend]:
    """Run a backend on 127.0.0.1."""
    backend = Backend()
    application = web.Application(client_max_size=2**24)
    application.router.add_post("/{event:.*}", backend.handle)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    backend.base = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield backend
    finally:
        await runner.cleanup()


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    """An answer of any status."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=code, body=body, headers=headers)

    return answer


def text(body: str | bytes) -> Answer:
    """An answer with this body, JSON or not."""
    return status(200, body.encode() if isinstance(body, str) else body)


async def never(_: web.Request) -> web.StreamResponse:
    """An answer that does not come."""
    await asyncio.Event().wait()
    raise AssertionError


class Held:
    """An answer that waits until the test releases it."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.body = body
        self.released = asyncio.Event()

    async def __call__(self, _: web.Request) -> web.StreamResponse:
        await self.released.wait()
        return web.json_response(self.body)
