"""The official SDKs and a server that lives inside an ASGI server."""

import asyncio
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sdk.client import Subscribe
from tests.sdk.configs import OPEN
from tests.sdk.conftest import MakeClient
from tests.support.paths import ROOT
from tests.support.server import Server
from tests.support.tokens import token


@pytest.fixture(params=["uvicorn", "hypercorn"])
def server(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    script = shlex.quote(str(ROOT / "tests" / "support" / "hosted.py"))
    monkeypatch.setenv("FANJET_TEST_SERVER", f"{{python}} {script} {request.param} {{config}}")
    hosted = Server(OPEN, tmp_path)
    hosted.start()
    yield hosted
    hosted.stop()


async def test_clients_talk(server: Server, client: MakeClient) -> None:
    ann, ben = client(server.ws_url, token("ann")), client(server.ws_url, token("ben"))
    for each in (ann, ben):
        await each.connect()
        await each.journal.expect("connected")
        await each.subscribe("room:hosted")
        await each.journal.expect("subscribed")
    await ann.publish("room:hosted", {"text": "hello"})
    for each in (ann, ben):
        assert (await each.journal.expect("publication"))["data"] == {"text": "hello"}
    assert sorted(await ann.presence("room:hosted")) == ["ann", "ben"]


async def test_clients_are_told_of_a_shutdown_and_come_back(server: Server, client: MakeClient) -> None:
    ann = client(server.ws_url, token("ann"))
    await ann.connect()
    await ann.journal.expect("connected")
    await ann.subscribe("room:hosted", Subscribe())
    await ann.journal.expect("subscribed")
    await ann.journal.expect("connecting")
    await asyncio.to_thread(server.stop)
    await ann.journal.expect("connecting", code=3001, reason="shutdown")
    await asyncio.to_thread(server.start)
    await ann.journal.expect("connected", patience=40)  # SDKs wait up to 20 s between two attempts
