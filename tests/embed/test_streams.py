"""Subscriptions that are fed by async generators."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import fanjet
from tests.embed.servers import connected, make_server
from tests.embed.test_handlers import admitting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def serving(**how: Any) -> fanjet.Server:
    server = make_server(**how)
    admitting(server)
    return server


async def test_yielded_values_reach_the_one_client() -> None:
    server = serving()
    tick: asyncio.Queue[int] = asyncio.Queue()

    @server.on_stream("chat")
    async def stream(event: fanjet.SubscribeEvent) -> AsyncIterator[Any]:
        yield fanjet.SubscribeReply(data={"channel": event.channel})
        while True:
            number = await tick.get()
            yield fanjet.StreamedPublication({"n": number}, {"parity": "odd"}) if number % 2 else {"n": number}

    async with server, connected(server) as client, connected(server) as other:
        assert (await client.subscribe("chat:a"))["data"] == {"channel": "chat:a"}
        tick.put_nowait(0)
        assert (await client.publication())["data"] == {"n": 0}
        await other.subscribe("chat:b")
        tick.put_nowait(1)
        assert await client.publication() == {"data": {"n": 1}, "tags": {"parity": "odd"}}
        assert other.nothing_waits()


async def test_what_the_client_publishes_reaches_the_function() -> None:
    server = serving()

    @server.on_stream("chat", bidirectional=True)
    async def echo(event: fanjet.SubscribeEvent, received: fanjet.Received) -> AsyncIterator[Any]:
        yield
        async for data in received:
            yield {"back": data.decode()}

    @server.on_stream("news")
    async def silent(event: fanjet.SubscribeEvent) -> AsyncIterator[Any]:
        yield
        await asyncio.Event().wait()

    async with server, connected(server) as client:
        await client.subscribe("chat:a")
        await client.subscribe("news:a")
        for number in range(40):
            await client.call(publish={"channel": "chat:a", "data": number})
            assert (await client.publication())["data"] == {"back": str(number)}
        assert await client.error(publish={"channel": "news:a", "data": 1}) == 108


async def test_a_function_may_refuse_before_it_yields() -> None:
    server = serving()

    @server.on_stream("chat")
    async def stream(event: fanjet.SubscribeEvent) -> AsyncIterator[Any]:
        match event.channel:
            case "chat:secret":
                raise fanjet.PermissionDenied
            case "chat:odd":
                raise fanjet.ClientError(4001, "odd")
            case "chat:broken":
                raise RuntimeError("broken")
            case "chat:empty":
                return
            case "chat:wrong":
                yield 1
        yield

    async with server, connected(server) as client:
        for channel, code in (("secret", 103), ("odd", 4001), ("broken", 100), ("empty", 100), ("wrong", 100)):
            assert await client.error(subscribe={"channel": f"chat:{channel}"}) == code
        await client.subscribe("chat:fine")


@pytest.mark.parametrize("fails", [False, True])
async def test_the_end_of_the_function_ends_the_subscription(fails: bool) -> None:
    server = serving()
    end = asyncio.Event()

    @server.on_stream("chat")
    async def stream(event: fanjet.SubscribeEvent) -> AsyncIterator[Any]:
        yield
        yield "last"
        await end.wait()
        if fails:
            raise RuntimeError("broken")

    async with server, connected(server) as client:
        await client.subscribe("chat:a")
        assert (await client.publication())["data"] == "last"
        end.set()
        assert (await client.push())["unsubscribe"]["code"] == (2500 if fails else 2000)


@pytest.mark.parametrize("how", ["unsubscribe", "leave", "shutdown"])
async def test_the_end_of_the_subscription_cancels_the_function(how: str) -> None:
    server = serving()
    heard: asyncio.Queue[str] = asyncio.Queue()

    @server.on_stream("chat")
    async def stream(event: fanjet.SubscribeEvent) -> AsyncIterator[Any]:
        try:
            async with asyncio.timeout(60):
                yield
                await asyncio.Event().wait()
        finally:
            heard.put_nowait("closed")

    async with server:
        async with connected(server) as client:
            await client.subscribe("chat:a")
            if how == "unsubscribe":
                await client.call(unsubscribe={"channel": "chat:a"})
            elif how == "shutdown":
                await server.stop()
        assert await asyncio.wait_for(heard.get(), 10) == "closed"


async def test_a_generator_that_never_waits_does_not_block_others() -> None:
    server = make_server({"client": {"queue_max_size": 100_000}})
    admitting(server)

    @server.on_stream("chat")
    async def stream(event: fanjet.SubscribeEvent) -> AsyncIterator[Any]:
        yield
        while True:
            yield "x" * 1000

    async with server, connected(server) as other, connected(server) as client:
        await other.subscribe("news:x")
        await client.subscribe("chat:a")
        for number in range(5):
            await server.api.publish("news:x", number)
            assert (await other.publication())["data"] == number


async def test_unsuitable_functions_are_refused() -> None:
    server = serving()

    @server.on_subscribe("news")
    async def subscribe(event: fanjet.SubscribeEvent) -> None: ...

    async def no_generator(event: fanjet.SubscribeEvent) -> None: ...

    async def stream(event: fanjet.SubscribeEvent) -> AsyncIterator[Any]:
        yield

    with pytest.raises(TypeError, match="async generator"):
        server.on_stream("chat")(no_generator)  # type: ignore[type-var]
    with pytest.raises(ValueError, match="already"):
        server.on_stream("news")(stream)  # type: ignore[type-var]
    server.on_stream("nowhere")(stream)  # type: ignore[type-var]
    with pytest.raises(fanjet.ConfigError, match="nowhere"):
        await server.start()
