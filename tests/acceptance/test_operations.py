"""Health, debug pages, the API's description, logs (10 D, G, L 1-3, 14, 15, 18, 19, 30)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.support.server import free_port
from tests.support.waiting import until
from tests.support.wire_client import connected

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.server import Server

OPERATED: dict[str, Any] = {
    "health": {"enabled": True},
    "debug": {"enabled": True},
    "swagger": {"enabled": True},
    "log": {"level": "trace"},
    "client": {"allow_anonymous_connect_without_token": True},
}


@pytest.fixture
def operated(shared_server: StartServer) -> Server:
    return shared_server(OPERATED)


async def get(server: Server, path: str, method: str = "GET", port: int = 0) -> tuple[int, str, str]:
    """Status, content type and text of an answer; redirects are not followed."""
    url = f"http://127.0.0.1:{port or server.port}{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, allow_redirects=False) as response,
    ):
        return response.status, response.headers.get("Content-Type", ""), await response.text()


@pytest.mark.parametrize("path", ["/metrics", "/health", "/health/ready", "/swagger/", "/debug/pprof/", "/admin/init"])
async def test_nothing_of_it_is_served_unless_enabled(server: Server, path: str) -> None:  # 1
    assert (await get(server, path))[0] == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/health", "/health/ready"])
async def test_a_server_that_serves_is_healthy_and_ready(operated: Server, method: str, path: str) -> None:  # 2
    assert await get(operated, path, method) == (200, "application/json", "{}")


async def test_what_operators_ask_is_served_on_the_internal_port_alone(private_server: StartServer) -> None:  # 3
    port = free_port()
    config = {
        "http_server": {"internal_port": str(port)},
        "health": {"enabled": True},
        "prometheus": {"enabled": True},
        "debug": {"enabled": True},
        "swagger": {"enabled": True},
    }
    server = await asyncio.to_thread(private_server, config)
    for path in ("/health", "/health/ready", "/metrics", "/debug/pprof/", "/swagger/"):
        assert (await get(server, path, port=port))[0] == 200
        assert (await get(server, path))[0] == 404


async def test_the_debug_index_leads_to_every_page(operated: Server) -> None:
    status, content_type, index = await get(operated, "/debug/pprof/")
    assert (status, content_type) == (200, "text/html; charset=utf-8")
    assert (await get(operated, "/debug/pprof"))[0] == 307
    assert (await get(operated, "/debug/pprof/nothing"))[0] == 404
    for page, content in (("threads", "MainThread"), ("tasks", "_serve"), ("census", "frozen"), ("cmdline", "-m")):
        assert f'href="{page}"' in index
        assert content in (await get(operated, f"/debug/pprof/{page}"))[2]


async def test_allocations_are_told_once_they_are_watched(operated: Server) -> None:
    assert "started" in (await get(operated, "/debug/pprof/allocs"))[2]
    assert "bytes now" in (await get(operated, "/debug/pprof/allocs"))[2]
    assert "stopped" in (await get(operated, "/debug/pprof/allocs?stop=1"))[2]


async def test_a_profile_tells_where_time_went(operated: Server) -> None:
    status, _, text = await get(operated, "/debug/pprof/profile?seconds=0.3")
    profile = json.loads(text)
    assert status == 200
    assert profile["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert any(frame["name"].startswith("Runner.run") for frame in profile["shared"]["frames"])
    assert len(profile["profiles"][0]["samples"]) == len(profile["profiles"][0]["weights"])
    collapsed = (await get(operated, "/debug/pprof/profile?seconds=0.1&format=collapsed"))[2]
    assert collapsed.splitlines()[0].rpartition(" ")[2].isdigit()


async def test_one_profile_is_taken_at_a_time(operated: Server) -> None:
    first = asyncio.create_task(get(operated, "/debug/pprof/profile?seconds=1"))

    async def has_begun() -> bool:
        return "profiler" in (await get(operated, "/debug/pprof/threads"))[2]

    await until(has_begun)
    assert (await get(operated, "/debug/pprof/profile?seconds=1"))[0] == 409
    assert (await first)[0] == 200


@pytest.mark.parametrize("seconds", ["x", "0", "-1", "nan"])
async def test_a_profile_takes_a_time(operated: Server, seconds: str) -> None:
    assert (await get(operated, f"/debug/pprof/profile?seconds={seconds}"))[0] == 400


async def test_the_api_is_described_with_all_its_methods(operated: Server) -> None:
    assert (await get(operated, "/swagger"))[0] == 307
    status, content_type, page = await get(operated, "/swagger/")
    assert (status, content_type) == (200, "text/html; charset=utf-8")
    for source in ("vendor/swagger-ui.css", "vendor/swagger-ui-bundle.js", "page.js"):
        assert f'"{source}"' in page
        assert (await get(operated, f"/swagger/{source}"))[0] == 200
    document = json.loads((await get(operated, "/swagger/swagger.json"))[2])
    assert {"/api/publish", "/api/batch", "/api/info"} <= document["paths"].keys()
    schemas = document["components"]["schemas"]
    assert schemas["PublishRequest"]["properties"]["tags"]["additionalProperties"] == {"type": "string"}
    for text in json.dumps(document).split('"$ref": "#/components/schemas/')[1:]:
        assert text.partition('"')[0] in schemas


async def test_logs_tell_requests_frames_and_who_was_sent_away(operated: Server) -> None:  # 19
    await get(operated, "/health?a=b")
    async with connected(operated) as client:
        await client.send_frame('{"id":5,"rpc":{"method":"nothing"}}')
        await client.receive()
        await client.send_frame("{")
        await client.closed()
    found: dict[str, list[dict[str, Any]]] = {}

    async def all_are_there() -> bool:
        found.clear()
        for line in operated.log.splitlines():
            entry = json.loads(line)
            assert {"level", "time", "message"} <= entry.keys()
            found.setdefault(entry["message"], []).append(entry)
        return "client disconnected by server" in found

    await until(all_are_there)
    request = next(entry for entry in found["http request"] if (entry["path"], entry["method"]) == ("/health", "GET"))
    assert (request["level"], request["status"]) == ("debug", 200)
    assert request["addr"].startswith("127.0.0.1:")
    assert any('"rpc":{"method":"nothing"}' in entry["frame"] for entry in found["frame received"])
    assert any('"error":{"code":108' in entry["frame"] for entry in found["frames sent"])
    failed = found["client command error"][-1]
    assert (failed["level"], failed["command"], failed["code"]) == ("info", "rpc", 108)
    ended = found["client disconnected by server"][-1]
    assert (ended["level"], ended["code"], ended["reason"], ended["command"]) == ("info", 3501, "bad request", "rpc")


async def test_graphite_gets_lines_every_interval(private_server: StartServer) -> None:  # 14
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.put_nowait(await reader.read())
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as graphite:
        port = graphite.sockets[0].getsockname()[1]
        settings = {"enabled": True, "host": "127.0.0.1", "port": port, "interval": "0.5s", "tags": True}
        config = {"graphite": settings, "node": {"name": "a.b"}}
        await asyncio.to_thread(private_server, config)
        lines = (await asyncio.wait_for(received.get(), 10)).decode().splitlines()
    assert any(line.startswith("centrifugo.a_b.centrifugo.node.num_clients 0.000000 ") for line in lines)
    assert any(";method=connect 0.000000 " in line for line in lines)


async def test_a_shutdown_is_not_a_storm_of_lines(private_server: StartServer) -> None:  # 30
    server = await asyncio.to_thread(private_server, OPERATED | {"log": {"level": "info"}})
    async with connected(server):
        assert await asyncio.to_thread(server.stop) == 0
    assert "client disconnected by server" not in server.log
