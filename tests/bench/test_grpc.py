"""Refused calls to the gRPC API and the unidirectional gRPC stream of a real server."""

import asyncio
import os

import pytest

from fanjet.bench.clients.client import hello, open_client
from fanjet.bench.clients.grpc_api import GRPC_API, open_grpc_api
from fanjet.bench.clients.http_api import ApiCaller
from fanjet.bench.clients.transports import UNI_GRPC
from fanjet.bench.errors import BenchError
from fanjet.bench.processes.server import Spawned
from fanjet.bench.settings import API_KEY

ALL_CPUS = frozenset(os.sched_getaffinity(0))
SERVER = Spawned("{python} -m fanjet -c {config}")


async def reply(api: ApiCaller, path: bytes, message: bytes) -> bytes:
    reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    api.request(path, message, reply.set_result, reply.set_exception)
    return await asyncio.wait_for(reply, 10)


async def test_refused_calls_are_reported() -> None:
    publish, wrong = GRPC_API.publish_body("fan", b"{}"), GRPC_API.publish_body("no-such:fan", b"{}")
    async with SERVER.running(ALL_CPUS) as server:
        with pytest.raises(BenchError, match=r"refused: .*invalid token"):
            await open_client(server.address, hello("no token"), transport_spec=UNI_GRPC)
        stranger, api = await open_grpc_api(server.address, "wrong"), await open_grpc_api(server.address, API_KEY)
        with pytest.raises(BenchError, match="answered status 16"):
            await reply(stranger, GRPC_API.publish, publish)
        for _ in range(3):
            assert await reply(api, GRPC_API.publish, publish) == b"\x12\x00"
            with pytest.raises(BenchError, match="unknown channel"):
                await reply(api, GRPC_API.publish, wrong)
            with pytest.raises(BenchError, match="unknown channel"):
                await reply(api, GRPC_API.batch, GRPC_API.batch_body([publish, wrong]))
        for connection in (stranger, api):
            connection.close()
