"""HTTP/3 with several workers: datagrams reach the worker of their connection, whichever the kernel chooses."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import uuid
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("aioquic", reason="the extra fanjet[http3] is not installed")

from tests.support.certificates import issue
from tests.support.family import SLOW, Family
from tests.support.following import Publisher
from tests.support.http3_client import connected
from tests.support.server import Server, merge
from tests.support.waiting import until
from tests.support.webtransport_client import WebTransportClient
from tests.workers.conftest import started

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.conftest import StartServer
    from tests.support.http3_client import Http3Client

REBINDINGS = 16
"""That each comes to the same one of two workers has a chance of one in 65536."""
CLIENTS = 8
PAIR = issue()
HTTP3: dict[str, Any] = {
    "http_server": {
        "tls": {"enabled": True, "cert_pem": PAIR.certificate, "key_pem": PAIR.key},
        "http3": {"enabled": True},
    },
    "webtransport": {"enabled": True},
}


@pytest.fixture
async def server(private_server: StartServer) -> Server:
    """Two workers that speak HTTP/3."""
    return await started(private_server, HTTP3)


async def move(client: Http3Client) -> asyncio.DatagramTransport:
    """Go on from another port, as when a client has changed networks or its NAT has forgotten it."""
    moved = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    moved.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    moved.bind(("::", 0))
    old = client._transport
    new, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: client, sock=moved)
    assert old is not None
    old.close()
    return new


@contextlib.asynccontextmanager
async def sessions(server: Server, count: int) -> AsyncIterator[list[WebTransportClient]]:
    """So many clients over WebTransport, each on a connection of its own."""
    async with contextlib.AsyncExitStack() as stack:
        made = []
        for _ in range(count):
            client = await stack.enter_async_context(connected(server.port))
            session = WebTransportClient(await client.session(), is_protobuf=False)
            stack.callback(session._reader.cancel)
            await session.connect()
            made.append(session)
        yield made


def taken(session: WebTransportClient) -> list[Any]:
    """All messages that have come and were not looked at."""
    waiting = session._messages
    return [waiting.get_nowait()[0] for _ in range(waiting.qsize())]


async def test_a_client_may_change_its_address(server: Server) -> None:
    name = uuid.uuid4().hex
    async with sessions(server, 1) as (session,):
        await session.subscribe(name)
        for number in range(REBINDINGS):
            last = await move(session.session.client)
            await session.call(presence_stats={"channel": name})
            await server.api("publish", {"channel": name, "data": number})
            assert (await session.publication())["data"] == number
        assert session.session.client.closed is None
    last.close()


async def test_a_rolling_restart_serves_connections_until_they_are_closed(private_server: StartServer) -> None:
    """The new worker reads from the socket of the old one, which has connections yet."""
    server = await started(private_server, merge(HTTP3, {"fanjet": {"drain_time": "1s"}}))
    family = Family(server)
    name = uuid.uuid4().hex
    async with sessions(server, CLIENTS) as before:
        for session in before:
            await session.subscribe(name)
        ends = [asyncio.create_task(session.closed()) for session in before]
        family.kill(family.parent, signal.SIGUSR2)
        publisher = Publisher(server, name)
        while not all(end.done() for end in ends):
            await publisher.publish()
            await asyncio.sleep(0.01)
        assert {await end for end in ends} == {(3001, "shutdown")}
        for session in before:
            got = [message["push"]["pub"]["data"] for message in taken(session)]
            assert got == sorted(set(got))
            assert {number for number in publisher.acknowledged if number <= got[-1]} <= set(got)
        await family.logged("rolling restart is done")
    async with sessions(server, CLIENTS) as after:
        for session in after:
            await session.subscribe(name)


async def test_clients_of_a_killed_worker_get_a_reset_when_they_send(server: Server) -> None:
    """Another worker sends the stateless reset of the connection."""
    family = Family(server)
    async with sessions(server, CLIENTS) as clients:
        for number in (1, 2):
            family.kill(family.worker(number))
            await family.logged("serving", 2 + number)
        for session in clients:
            await until(told_of_the_end(session.session.client), SLOW)


def told_of_the_end(client: Http3Client) -> Callable[[], Awaitable[bool]]:
    """Whether a stateless reset has come for its connection; it keeps asking. (aioquic takes no notice of them.)"""
    token = client._quic._peer_cid.stateless_reset_token
    received: list[bytes] = []

    class Listening(type(client)):  # type: ignore[misc]
        def datagram_received(self, data: bytes | str, addr: Any) -> None:
            received.append(data)  # type: ignore[arg-type]

    client.__class__ = Listening

    async def told() -> bool:
        client._quic.send_ping(0)
        client.transmit()
        return any(data.endswith(token) for data in received)

    return told
