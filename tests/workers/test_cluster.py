"""Workers are nodes of one cluster, with the memory engine's process and with Redis (04 §12)."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from tests.support.metrics import scrape
from tests.support.stream_client import stream_opened
from tests.support.waiting import until
from tests.support.wire_client import WireClient, connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.server import Server

MANY = 24
"""Connections that the kernel shares out so that each worker gets some, but for one chance in eight million."""


@contextlib.asynccontextmanager
async def many(server: Server, channel: str) -> AsyncIterator[list[WireClient]]:
    """Subscribers of a channel, on every worker."""
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(server)) for _ in range(MANY)]
        for client in clients:
            await client.subscribe(channel)

        async def each_has_some() -> bool:
            counts = [node["num_clients"] for node in (await server.api("info"))["nodes"]]
            return len(counts) == 2 and 0 not in counts and sum(counts) == MANY

        await until(each_has_some)
        yield clients


async def test_each_worker_is_a_node_with_its_number_in_the_name(pair: Server) -> None:
    nodes = (await pair.api("info"))["nodes"]
    assert len({node["uid"] for node in nodes}) == 2
    assert sorted(node["name"].rpartition("_")[2] for node in nodes) == ["1", "2"]
    assert len({node["name"].rpartition("_")[0] for node in nodes}) == 1


async def test_messages_presence_history_and_operations_reach_other_workers(pair: Server, name: str) -> None:
    async with many(pair, name) as clients:
        for number in range(8):
            await pair.api("publish", {"channel": name, "data": number})
        for client in clients:
            assert [(await client.publication())["data"] for _ in range(8)] == list(range(8))
        assert len((await clients[0].call(presence={"channel": name}))["presence"]) == MANY
        histories = [await client.call(history={"channel": name, "limit": -1}) for client in clients]
        assert len({(each["epoch"], each["offset"]) for each in histories}) == 1
        assert (await pair.api("channels"))["channels"][name] == {"num_clients": MANY}
        for client in clients:
            await pair.api("disconnect", {"user": "", "client": client.client_id})
        assert {(await client.closed())[0] for client in clients} == {3503}


async def test_emulation_commands_may_reach_any_worker(pair: Server, name: str) -> None:
    async with stream_opened(pair, "http_stream") as client:
        await client.connect()
        for number in range(MANY):
            await client.subscribe(f"{name}-{number}")


async def test_a_scrape_of_any_worker_covers_all(pair: Server, name: str) -> None:
    async with many(pair, name):

        async def all_counted() -> bool:
            page = await scrape(pair)
            return page.value("node_num_clients") == MANY and page.value("node_num_nodes") == 2

        await until(all_counted)
        for _ in range(4):
            page = await scrape(pair)
            assert page.value("node_build") == 1
            assert page.value("client_command_duration_seconds_count", method="subscribe") >= MANY
            assert 0 < page.value("client_command_duration_seconds", method="subscribe", quantile="0.5") < 10
            assert {dict(labels)["worker"] for each, labels in page.numbers if each == "process_open_fds"} == {"1", "2"}


async def test_every_log_line_names_its_process(pair: Server) -> None:
    lines = [json.loads(line) for line in pair.log.splitlines()]
    assert [line["worker"] for line in lines if line["message"].startswith("serving")] == [1, 2]
    assert [line["message"] for line in lines if "worker" not in line] == [
        "using config file",
        "starting Fanjet",
        "all workers accept connections",
    ]
