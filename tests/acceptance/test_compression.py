"""permessage-deflate (02 §6.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.configs import ALL_MAY
from tests.support.wire_client import connected

if TYPE_CHECKING:
    from websockets.frames import Frame

    from tests.conftest import StartServer
    from tests.support.server import Server
    from tests.support.wire_client import WireClient

CONFIG: dict[str, Any] = {
    "client": {"allow_anonymous_connect_without_token": True},
    "channel": {"without_namespace": ALL_MAY},
    "websocket": {"compression": True, "compression_min_size": 100},
}
ANSWER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"


@pytest.fixture
def compressing(shared_server: StartServer) -> Server:
    return shared_server(CONFIG)


def extensions(client: WireClient) -> str | None:
    assert client.socket.response is not None
    return client.socket.response.headers.get("Sec-WebSocket-Extensions")


@pytest.mark.parametrize("is_protobuf", [pytest.param(False, id="json"), pytest.param(True, id="protobuf")])
async def test_messages_may_be_deflated_both_ways(compressing: Server, name: str, is_protobuf: bool) -> None:  # 02-11
    async with connected(compressing, is_protobuf=is_protobuf, compression="deflate") as client:
        assert extensions(client) == ANSWER
        await client.subscribe(name)
        for text in ("a" * 50, "b" * 5000, "c"):
            data = f'"{text}"'.encode() if is_protobuf else text
            await client.call(publish={"channel": name, "data": data})
            assert (await client.publication())["data"] == data


async def test_without_the_option_nothing_is_negotiated(server: Server) -> None:  # 02 6.7
    async with connected(server, compression="deflate") as client:
        assert extensions(client) is None


async def test_without_the_offer_nothing_is_deflated(compressing: Server, name: str) -> None:
    async with connected(compressing) as client:
        assert extensions(client) is None
        await client.subscribe(name)
        await client.call(publish={"channel": name, "data": "b" * 5000})
        assert (await client.publication())["data"] == "b" * 5000


async def test_only_what_is_longer_than_the_minimum_is_deflated(compressing: Server, name: str) -> None:  # 02-12
    async with connected(compressing, compression="deflate") as client:
        await client.subscribe(name)
        deflated = first_reserved_bits(client)
        overhead = len(f'{{"push":{{"channel":"{name}","pub":{{"data":""}}}}}}')
        for length in (100, 101):
            payload = "x" * (length - overhead)
            await compressing.api("publish", {"channel": name, "data": payload})
            assert (await client.publication())["data"] == payload
            assert len(client.text) == length
        assert deflated == [False, True]


def first_reserved_bits(client: WireClient) -> list[bool]:
    """Whether each frame that comes has its first reserved bit set."""
    seen: list[bool] = []
    receive = client.socket.protocol.extensions[0].decode

    def decode(frame: Frame, **options: Any) -> Frame:
        seen.append(frame.rsv1)
        return receive(frame, **options)

    client.socket.protocol.extensions[0].decode = decode  # type: ignore[method-assign]
    return seen


async def test_what_inflates_too_far_closes_with_1009(compressing: Server) -> None:  # 02-11
    def command(size: int) -> str:
        return '{"id":2,"rpc":{"data":"%s"}}' % ("x" * size)

    async with connected(compressing, compression="deflate") as client:
        await client.socket.send(command(600_000))
        assert (await client.receive())["error"]["code"] == 108
        await client.socket.send(command(1_000_000))
        assert await client.closed() == (1009, "message too big after decompression")
