"""Fixtures: a server with the admin endpoints, an admin login, and WebSocket clients."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio

from tests.admin.console_page import PASSWORD
from tests.admin.oidc import logins, vouching  # noqa: F401
from tests.support.browsing import browser, executable  # noqa: F401
from tests.support.server import Server
from tests.support.tokens import token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager

CONFIG = {
    "admin": {"enabled": True, "password": PASSWORD, "secret": "the secret", "api_key": "the admin key"},
    "health": {"enabled": True},
    "channel": {
        "without_namespace": {
            "allow_subscribe_for_client": True,
            "presence": True,
            "history_size": 10,
            "history_ttl": "60s",
            "allow_recovery": True,
            "allow_tags_filter": True,
            "allow_presence_for_subscriber": True,
        },
        "namespaces": [{"name": "private"}],
    },
}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Shared by tests that use their own channels and users."""
    running = Server(CONFIG, tmp_path_factory.mktemp("admin"))
    running.start()
    yield running
    running.stop()


class Admin:
    """A client of the admin endpoints."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url
        self.headers: dict[str, str] = {}

    async def log_in(self, password: str = PASSWORD) -> int:
        """Log in and return the status; after 200 all requests carry the token."""
        async with self.session.post(f"{self.url}/admin/auth", data={"password": password}) as answer:
            if answer.status == 200:
                self.headers = {"Authorization": f"token {(await answer.json())['token']}"}
            return answer.status

    async def get_json(self, path: str, **parameters: object) -> Any:
        """Return the JSON response of a console endpoint."""
        given = {name: str(value) for name, value in parameters.items()}
        async with self.session.get(f"{self.url}/admin/{path}", params=given, headers=self.headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def get_error(self, path: str, **parameters: object) -> tuple[int, str]:
        """Return status and error text of a refused console request."""
        given = {name: str(value) for name, value in parameters.items()}
        async with self.session.get(f"{self.url}/admin/{path}", params=given, headers=self.headers) as answer:
            return answer.status, (await answer.json())["error"]

    async def command(self, body: str) -> tuple[int, str]:
        """Post to the admin API."""
        async with self.session.post(f"{self.url}/admin/api", data=body.encode(), headers=self.headers) as answer:
            return answer.status, await answer.text()

    @contextlib.asynccontextmanager
    async def trace(self, kind: str, entity: str) -> AsyncIterator[Trace]:
        """Open a trace."""
        body = json.dumps({"type": kind, "entity": entity})
        async with self.session.post(f"{self.url}/admin/trace", data=body, headers=self.headers) as answer:
            assert answer.status == 200, await answer.text()
            assert await answer.content.readline() == b"null\n"
            yield Trace(answer.content)


class Trace:
    """The events of a trace."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    async def event(self, kind: str) -> dict[str, Any]:
        """Return the next event of a type."""
        async with asyncio.timeout(10):
            while True:
                event = json.loads(await self._content.readline())
                if event is not None and event["type"] == kind:
                    return dict(event)


@pytest_asyncio.fixture
async def anonymous(server: Server) -> AsyncIterator[Admin]:
    """An admin client without a login."""
    async with aiohttp.ClientSession() as session:
        yield Admin(session, server.url)


@pytest_asyncio.fixture
async def admin(anonymous: Admin) -> Admin:
    """An admin client with a login."""
    assert await anonymous.log_in() == 200
    return anonymous


class Client:
    """A client over WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.id = ""
        self._sent = 0

    async def call(self, **command: object) -> dict[str, Any]:
        """Send a command and return its reply."""
        self._sent += 1
        await self.socket.send_str(json.dumps({"id": self._sent, **command}))
        while True:
            reply = await self.receive()
            if reply.get("id") == self._sent:
                return reply

    async def receive(self) -> dict[str, Any]:
        """Return the next message."""
        message = await self.socket.receive(timeout=10)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return dict(json.loads(message.data.splitlines()[0]))


class Clients:
    """Opens clients."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def open(self, user: str, *channels: str, **subscription: object) -> AbstractAsyncContextManager[Client]:
        """Open a client of a user with subscriptions."""
        return self._open(user, channels, subscription)

    @contextlib.asynccontextmanager
    async def _open(self, user: str, channels: tuple[str, ...], subscription: dict[str, Any]) -> AsyncIterator[Client]:
        async with aiohttp.ClientSession() as session, session.ws_connect(self._server.ws_url) as socket:
            client = Client(socket)
            connected = await client.call(connect={"token": token(user), "name": "js", "version": "5"})
            client.id = connected["connect"]["client"]
            for channel in channels:
                assert "error" not in await client.call(subscribe={"channel": channel, **subscription})
            yield client


@pytest.fixture
def clients(server: Server) -> Clients:
    """Opens clients of the shared server."""
    return Clients(server)
