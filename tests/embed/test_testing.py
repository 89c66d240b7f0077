"""The pytest plugin."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TESTS = """
import pytest
import fanjet
from fanjet.testing import Refused, TestServer


async def test_publications_arrive(fanjet_server):
    async with fanjet_server.client("news") as client:
        await fanjet_server.api.publish("news", {"n": 1})
        assert await client.publication() == {"n": 1}
        await client.publish("news", 2)
        assert await client.publication() == 2


async def test_servers_of_ones_own(start_fanjet):
    server = TestServer({})

    @server.on_connect
    async def connect(event):
        if event.json() != {"key": 1}:
            raise fanjet.ClientError(4000, "no key")
        return fanjet.ConnectReply(user="u")

    @server.rpc("double")
    async def double(event):
        return event.json() * 2

    await start_fanjet(server)
    async with server.client(data={"key": 1}) as client:
        assert await client.rpc("double", 4) == 8
        with pytest.raises(Refused, match="103 permission denied"):
            await client.subscribe("news")
    with pytest.raises(Refused, match="4000 no key"):
        async with server.client():
            raise AssertionError


class TestConfigured:
    @pytest.fixture
    def fanjet_config(self):
        return {"client": {"insecure": True}, "channel": {"namespaces": [{"name": "chat"}]}}

    async def test_it_counts(self, fanjet_server):
        with pytest.raises(fanjet.ApiError, match="102"):
            await fanjet_server.api.publish("b:x", 1)
        async with fanjet_server.client() as client:
            await client.subscribe("chat:x")
"""


def test_the_fixtures_serve_the_tests_of_applications(tmp_path: Path) -> None:
    (tmp_path / "test_app.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "fanjet.pytest_plugin", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
