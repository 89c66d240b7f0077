"""The HTTP client: requests it sends and responses it accepts."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from fanjet.net.http1.client import HttpClient
from fanjet.net.http1.client_connection import ExchangeFailed
from fanjet.net.http1.client_target import parse_target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MAX_BODY = 1000
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Peer:
    """A server that answers each request with the next of its scripted answers, the last one for ever. An answer that
    ends with None closes the connection after it."""

    def __init__(self, *answers: bytes | list[bytes | None]) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.connections = 0
        self.base = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                response = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                for piece in response if isinstance(response, list) else [response]:
                    if piece is None:
                        return
                    writer.write(piece)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def peer(*answers: bytes | list[bytes | None]) -> AsyncIterator[Peer]:
    running = Peer(*answers)
    server = await asyncio.start_server(running.serve, "127.0.0.1", 0)
    running.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield running


@pytest.fixture
def client() -> HttpClient:
    return HttpClient(timeout=5.0, max_body=MAX_BODY)


async def test_a_request_has_what_it_needs_and_no_more(client: HttpClient) -> None:
    async with peer(OK) as server:
        response = await client.post(parse_target(f"{server.base}/a b?c=ü#d"), (("X-A", "ü"),), b"[1]")
        client.close()
    assert response == (200, b"{}", "")
    host = server.base.removeprefix("http://")
    head = f"POST /a%20b?c=%C3%BC HTTP/1.1\r\nHost: {host}\r\nX-A: ü\r\nContent-Length: 3\r\n\r\n"
    assert server.requests == [head.encode() + b"[1]"]


async def test_connections_are_kept(client: HttpClient) -> None:
    async with peer(OK) as server:
        target = parse_target(f"{server.base}/")
        for _ in range(10):
            await client.post(target, (), b"")
        await asyncio.gather(*(client.post(target, (), b"") for _ in range(5)))
        for _ in range(10):
            await client.post(target, (), b"")
        client.close()
    assert server.connections == 5


async def test_a_connection_that_the_server_closed_is_not_used_again(client: HttpClient) -> None:
    async with peer([OK, None]) as server:
        for _ in range(3):
            await client.post(parse_target(f"{server.base}/"), (), b"")
            await asyncio.sleep(0.05)  # for the close to come in
        client.close()
    assert server.connections == 3


async def test_not_even_when_the_loop_was_too_busy_to_notice(client: HttpClient) -> None:
    answered = threading.Event()

    def serve(listening: socket.socket) -> None:
        for _ in range(3):
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(OK)
            answered.set()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        target = parse_target(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        for _ in range(3):
            assert (await client.post(target, (), b"")).body == b"{}"
            answered.wait(5)  # holds the loop until the connection is closed
            answered.clear()
        thread.join()


@pytest.mark.parametrize(
    ("response", "body"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\n{}", b"{}", id="length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", b"{}", id="chunks"
        ),
        pytest.param([b"HTTP/1.1 200 OK\r\n\r\n{", b"}", None], b"{}", id="until-the-end"),
        pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", b"{}", id="lines-without-cr"),
        pytest.param(b"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"{}", id="http-1.2"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            b"{}",
            id="chunks-and-length",
        ),
        pytest.param([b"HTTP/1.0 200 OK\r\n\r\n", None], b"", id="http-1.0"),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nLink: x\r\n\r\n" + OK, b"{}", id="interim-responses"
        ),
        pytest.param(
            [b"H", b"TTP/1.1 200 ", b"OK\r\nContent-Le", b"ngth: 2\r\n\r", b"\n{", b"}"], b"{}", id="in-pieces"
        ),
    ],
)
async def test_bodies(client: HttpClient, response: bytes, body: bytes) -> None:
    async with peer(response) as server:
        assert (await client.post(parse_target(f"{server.base}/"), (), b"")).body == body
        assert (await client.post(parse_target(f"{server.base}/"), (), b"")).body == body
        client.close()


@pytest.mark.parametrize("split", [False, True])
async def test_a_head_that_comes_again_says_the_same(client: HttpClient, split: bool) -> None:
    short = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
    again: list[bytes | None] = [short + b"[", b"3]"] if split else [short + b"[3]"]
    last = b"HTTP/1.1 500 E\r\nContent-Length: 3\r\n\r\n[4]"
    async with peer(short + b"[1]", short + b"[2]", again, last, short + b"[5]") as server:
        answers = [await client.post(parse_target(f"{server.base}/"), (), b"") for _ in range(5)]
        client.close()
    assert [response.body for response in answers] == [b"[1]", b"[2]", b"[3]", b"[4]", b"[5]"]
    assert [response.status for response in answers] == [200, 200, 200, 500, 200]
    assert server.connections == 1


async def test_more_than_a_known_head_promises_is_not_taken_for_the_body(client: HttpClient) -> None:
    async with peer(OK, OK, OK + b"x", OK) as server:
        for _ in range(4):
            assert (await client.post(parse_target(f"{server.base}/"), (), b"")).body == b"{}"
        client.close()
    assert server.connections == 2


async def test_no_head_of_a_packed_body_is_known(client: HttpClient) -> None:
    texts = (bytes(range(varied)) + b"x" * alike for varied in range(50, 60) for alike in range(100))
    plain = next(text for text in texts if len(gzip.compress(text)) == len(text))
    async with peer(packed(plain)) as server:
        for _ in range(3):
            assert (await client.post(parse_target(f"{server.base}/"), (), b"")).body == plain
        client.close()


def packed(content: bytes, cut: int = 0) -> bytes:
    data = gzip.compress(content)
    data = data[: len(data) - cut]
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data)


async def test_packed_bodies_are_unpacked(client: HttpClient) -> None:
    async with peer(packed(b"[1]")) as server:
        assert (await client.post(parse_target(f"{server.base}/"), (), b"")).body == b"[1]"
        client.close()


@pytest.mark.parametrize(
    "response",
    [
        pytest.param([None], id="nothing"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}", None], id="cut-off"),
        pytest.param([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", None], id="cut-off-chunk"),
        pytest.param(b"no http at all\r\n\r\n", id="no-http"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", id="bad-length"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", id="upgrade"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001, id="too-long"),
        pytest.param([b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000, None], id="too-long-without-length"),
        pytest.param(packed(b"x" * 100_000), id="too-long-unpacked"),
        pytest.param(packed(b"[1]", cut=4), id="packed-cut-off"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", id="not-packed"),
    ],
)
async def test_what_is_no_answer(client: HttpClient, response: bytes | list[bytes | None]) -> None:
    async with peer(response, OK) as server:
        with pytest.raises(ExchangeFailed):
            await client.post(parse_target(f"{server.base}/"), (), b"")
        assert (await client.post(parse_target(f"{server.base}/"), (), b"")).body == b"{}"
        client.close()


async def test_an_unsolicited_response_is_dropped(client: HttpClient) -> None:
    forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
    async with peer(OK + forged, OK) as server:
        for _ in range(2):
            assert (await client.post(parse_target(f"{server.base}/"), (), b"")).body == b"{}"
        client.close()
    assert server.connections == 2


async def never(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await asyncio.sleep(60)
    finally:
        writer.close()


async def test_time_is_limited() -> None:
    client = HttpClient(timeout=0.1, max_body=MAX_BODY)
    server = await asyncio.start_server(never, "127.0.0.1", 0)
    target = parse_target(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    with pytest.raises(TimeoutError):
        await client.post(target, (), b"")
    server.close()


async def test_each_exchange_has_its_own_time() -> None:
    client = HttpClient(timeout=0.3, max_body=MAX_BODY)
    lasted: list[float] = []
    server = await asyncio.start_server(never, "127.0.0.1", 0)
    target = parse_target(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    async def call() -> None:
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            await client.post(target, (), b"")
        lasted.append(time.monotonic() - start)

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(call())
            await asyncio.sleep(0.1)
    assert min(lasted) >= 0.29
    server.close()


async def test_an_exchange_keeps_its_time_when_the_client_is_closed() -> None:
    client = HttpClient(timeout=0.2, max_body=MAX_BODY)
    server = await asyncio.start_server(never, "127.0.0.1", 0)
    target = parse_target(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    call = asyncio.create_task(client.post(target, (), b""))
    await asyncio.sleep(0)
    client.close()
    ended, _ = await asyncio.wait({call}, timeout=20)
    assert isinstance(ended.pop().exception(), TimeoutError)
    server.close()


async def test_being_cancelled_ends_the_connection(client: HttpClient) -> None:
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.read() == b""
        ended.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    target = parse_target(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    call = asyncio.create_task(client.post(target, (), b""))
    await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.wait_for(ended.wait(), 5)
    server.close()


def moved(code: int, location: str) -> bytes:
    return b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (code, location.encode())


async def test_redirects_keep_what_they_should(client: HttpClient) -> None:
    secrets = (("Authorization", "a"), ("Cookie", "c"), ("X-A", "1"))
    async with peer(OK) as other, peer(moved(307, "/second"), moved(307, f"{other.base}/third")) as first:
        await client.post(parse_target(f"{first.base}/first"), secrets, b"[1]")
        client.close()
    assert [request.split()[1] for request in first.requests] == [b"/first", b"/second"]
    assert all(b"Cookie: c" in request and request.endswith(b"[1]") for request in first.requests)
    (last,) = other.requests
    assert b"X-A: 1" in last
    assert b"Cookie" not in last
    assert b"Authorization" not in last


@pytest.mark.parametrize(("code", "kept"), [(302, False), (307, True)])
async def test_a_redirect_says_where_it_came_from_and_what_it_brings(client: HttpClient, code: int, kept: bool) -> None:
    async with peer(moved(code, "/second"), OK, moved(code, "/second"), OK) as server:
        named = server.base.replace("http://", "http://me:secret@")
        await client.post(parse_target(f"{named}/first#part"), (("Content-Type", "a/b"),), b"[1]")
        await client.post(parse_target(f"{server.base}/first"), (("referer", "own"),), b"[1]")
        client.close()
    _, second, _, fourth = server.requests
    assert f"Referer: {server.base}/first\r\n".encode() in second
    assert (b"Content-Type: a/b" in second) is kept
    assert second.endswith(b"[1]" if kept else b"Content-Length: 0\r\n\r\n")
    assert fourth.count(b"eferer: ") == 1
    assert b"referer: own\r\n" in fourth


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/", "http://", "/loop"])
async def test_redirects_that_lead_nowhere(client: HttpClient, location: str) -> None:
    async with peer(moved(307, location)) as server:
        with pytest.raises(ExchangeFailed):
            await client.post(parse_target(f"{server.base}/"), (), b"")
        client.close()


async def test_a_header_cannot_smuggle_others_in(client: HttpClient) -> None:
    async with peer(OK) as server:
        with pytest.raises(ValueError, match="X-A"):
            await client.post(parse_target(f"{server.base}/"), (("X-A", "1\r\nX-B: 2"),), b"")
        client.close()
    assert server.requests == []


async def test_who_is_named_in_the_address_is_authorized(client: HttpClient) -> None:
    async with peer(OK) as server:
        target = parse_target(server.base.replace("http://", "http://me:p%20w@") + "/")
        await client.post(target, (), b"")
        await client.post(target, (("Authorization", "other"),), b"")
        client.close()
    assert b"Authorization: Basic bWU6cCB3\r\n" in server.requests[0]
    assert b"me" not in server.requests[0].split(b"\r\n")[1]
    assert b"Authorization: other\r\n" in server.requests[1]
    assert b"Basic" not in server.requests[1]


@pytest.mark.parametrize("url", ["ftp://a/", "http://", "//a/", "a", "http://a:x/", "https:///path"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_target(url)
