"""Backends that speak gRPC (06 §4.2)."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from fanjet.events.proxy.proto import proxy_pb2 as pb
from tests.events.proxy.configs import TIMEOUT, proxied, proxy
from tests.support.certificates import issue
from tests.support.grpc_backend import grpc_backend
from tests.support.server import free_port
from tests.support.tokens import token
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.grpc_backend import GrpcBackend
    from tests.support.server import Server

INTERNAL = {"code": 100, "message": "internal server error", "temporary": True}


async def test_connect(grpc_server: Server, grpc_application: GrpcBackend, name: str) -> None:
    sub = pb.SubscribeOptions(data=b'{"a":1}', override=pb.SubscribeOptionOverride(presence=pb.BoolValue(value=True)))
    result = pb.ConnectResult(user="7", data=b"[1]", meta=b'{"m":1}', channels=["open:x"], subs={f"asked:{name}": sub})
    grpc_application.on("Connect", pb.ConnectResponse(result=result))
    async with opened(grpc_server) as client:
        connect = await client.connect(data={"d": 1}, name="js", version="2", subs={"open:x": {}})
        await client.call(rpc={"method": "m"})
    assert connect["data"] == [1]
    assert connect["subs"] == {"open:x": {}, f"asked:{name}": {"data": {"a": 1}}}
    assert grpc_application.called("Connect")[0].request == pb.ConnectRequest(
        client=client.client_id,
        transport="websocket",
        protocol="json",
        encoding="json",
        data=b'{"d": 1}',
        name="js",
        version="2",
        channels=["open:x"],
    )
    assert grpc_application.called("RPC")[0].request.meta == b'{"m":1}'


async def test_subscribe(grpc_server: Server, grpc_application: GrpcBackend, name: str) -> None:
    grpc_application.on("Subscribe", pb.SubscribeResponse(result=pb.SubscribeResult(data=b'{"k":1}')))
    async with connected(grpc_server, token("7")) as client:
        assert await client.subscribe(f"asked:{name}") == {"data": {"k": 1}}
    request = grpc_application.called("Subscribe")[0].request
    assert (request.user, request.channel, request.data) == ("7", f"asked:{name}", b"")


async def test_publish(grpc_server: Server, grpc_application: GrpcBackend, name: str) -> None:
    result = pb.PublishResult(data=b"[2]", tags={"a": "b"}, version=2**64 - 1)
    grpc_application.on("Publish", pb.PublishResponse(result=result))
    async with connected(grpc_server, token("7")) as client:
        await client.subscribe(f"any:{name}")
        await client.call(publish={"channel": f"any:{name}", "data": 1})
        publication = await client.publication()
    assert (publication["data"], publication["tags"]) == ([2], {"a": "b"})


async def test_rpc_carries_any_bytes(grpc_server: Server, grpc_application: GrpcBackend) -> None:
    grpc_application.on("RPC", lambda request, _: pb.RPCResponse(result=pb.RPCResult(data=request.data[::-1])))
    async with connected(grpc_server, token("7"), is_protobuf=True) as client:
        assert await client.call(rpc={"method": "m", "data": b"\xff\x00"}) == {"data": b"\x00\xff"}
    async with connected(grpc_server, token("7")) as client:
        await client.send({"id": 9, "rpc": {"method": "m", "data": {"a": 1}}})
        assert await client.closed() == (3506, "inappropriate protocol")


async def test_sub_refresh(grpc_server: Server, grpc_application: GrpcBackend, name: str) -> None:
    soon = pb.SubscribeResult(expire_at=int(time.time()) + 2)
    grpc_application.on("Subscribe", pb.SubscribeResponse(result=soon))
    grpc_application.on("SubRefresh", pb.SubRefreshResponse(result=pb.SubRefreshResult(expired=True)))
    async with connected(grpc_server, token("7")) as client:
        assert await client.subscribe(f"brief:{name}") == {}
        assert (await client.push())["unsubscribe"]["code"] == 2501


async def test_refresh(shared_server: StartServer, grpc_application: GrpcBackend) -> None:
    target = f"127.0.0.1:{grpc_application.port}"
    server = shared_server(proxied(target, {"client": {"proxy": {"refresh": {"enabled": True, **proxy(target)}}}}))
    async with connected(server, token("7", exp=int(time.time()) + 2)) as client:
        assert await client.closed() == (3005, "connection expired")
    assert grpc_application.called("Refresh")[0].request.user == "7"


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (pb.RPCResponse(error=pb.Error(code=7, message="e")), {"code": 7, "message": "e"}),
        (pb.RPCResponse(error=pb.Error(code=7, message="e", temporary=True), result=pb.RPCResult()), None),
    ],
)
async def test_errors(grpc_server: Server, grpc_application: GrpcBackend, response: Any, error: Any) -> None:
    grpc_application.on("RPC", response)
    async with connected(grpc_server, token("7")) as client:
        reply = await client.call(rpc={"method": "m"})
    assert reply["error"] == (error or {"code": 7, "message": "e", "temporary": True})


async def test_disconnects(grpc_server: Server, grpc_application: GrpcBackend) -> None:
    grpc_application.on("RPC", pb.RPCResponse(disconnect=pb.Disconnect(code=4501, reason="no"), error=pb.Error(code=1)))
    async with connected(grpc_server, token("7")) as client:
        await client.send({"id": 9, "rpc": {"method": "m"}})
        assert await client.closed() == (4501, "no")


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INVALID_ARGUMENT])
async def test_any_other_status_than_ok_is_a_failure(
    grpc_server: Server, grpc_application: GrpcBackend, code: grpc.StatusCode
) -> None:
    grpc_application.on("RPC", lambda _, context: context.abort(code, "for the log"))
    async with connected(grpc_server, token("7")) as client:
        assert (await client.call(rpc={"method": "m"}))["error"] == INTERNAL
    assert f"{code.name}: for the log" in grpc_server.log


async def test_a_slow_backend_is_late(grpc_server: Server, grpc_application: GrpcBackend) -> None:
    over = threading.Event()

    def answer(_request: Any, context: grpc.ServicerContext) -> Any:
        context.add_callback(over.set)
        over.wait(10)
        return pb.RPCResponse()

    grpc_application.on("RPC", answer)
    async with connected(grpc_server, token("7")) as client:
        started = time.monotonic()
        assert (await client.call(rpc={"method": "m"}))["error"] == INTERNAL
        assert TIMEOUT * 0.9 < time.monotonic() - started < TIMEOUT + 3


async def test_a_response_that_is_too_long_is_a_failure(grpc_server: Server, grpc_application: GrpcBackend) -> None:
    grpc_application.on("RPC", pb.RPCResponse(result=pb.RPCResult(data=b"1" * (5 << 20))))
    async with connected(grpc_server, token("7")) as client:
        assert (await client.call(rpc={"method": "m"}))["error"] == INTERNAL


async def test_a_backend_that_is_not_there(shared_server: StartServer) -> None:
    server = shared_server(
        {"rpc": {"proxy": proxy(f"grpc://127.0.0.1:{free_port()}"), "without_namespace": {"proxy_enabled": True}}}
    )
    async with connected(server, token("7")) as client:
        assert (await client.call(rpc={"method": "m"}))["error"] == INTERNAL


async def test_metadata(shared_server: StartServer, grpc_application: GrpcBackend) -> None:  # 06-13
    options = {
        "http_headers": ["X-Request-Id", "User-Agent", "grpc-x", "Connection"],
        "emulated_headers": ["Authorization"],
        "grpc": {
            "credentials_key": "Api-Key",
            "credentials_value": "secret",
            "compression": True,
            "static_metadata": {"authorization": "static", "fixed": "f"},
        },
    }
    target = f"grpc://127.0.0.1:{grpc_application.port}"
    rpc = {"proxy": proxy(target, **options), "without_namespace": {"proxy_enabled": True}}
    server = shared_server({"rpc": rpc})
    async with opened(server, headers={"X-Request-Id": "1", "grpc-x": "no"}) as client:
        await client.connect(token=token("7"), headers={"authorization": "e"})
        assert await client.call(rpc={"method": "m", "data": "x" * 1000}) == {}
    metadata = grpc_application.called("RPC")[0].metadata
    expected = {"x-request-id": "1", "api-key": "secret", "authorization": "e", "fixed": "f"}
    assert {key: metadata[key] for key in expected} == expected
    assert metadata["user-agent"].startswith("grpc-")
    assert "grpc-x" not in metadata


async def test_with_concurrency_a_close_gives_the_call_up(
    shared_server: StartServer, grpc_application: GrpcBackend
) -> None:
    begun, given_up = threading.Event(), threading.Event()

    def answer(_request: Any, context: grpc.ServicerContext) -> Any:
        context.add_callback(given_up.set)
        begun.set()
        given_up.wait(10)
        return pb.RPCResponse()

    grpc_application.on("RPC", answer)
    server = shared_server(
        proxied(
            f"127.0.0.1:{grpc_application.port}", {"client": {"concurrency": 8}, "rpc": {"proxy": {"timeout": "20s"}}}
        )
    )
    async with connected(server, token("7")) as client:
        await client.send({"id": 9, "rpc": {"method": "m"}})
        assert await asyncio.to_thread(begun.wait, 10)
    assert await asyncio.to_thread(given_up.wait, 10)
    assert "error proxying rpc" not in server.log


@pytest.mark.parametrize("trust", ["authority", "name", "anybody"])
async def test_tls(shared_server: StartServer, trust: str) -> None:
    pair = issue()
    host = "localhost" if trust == "authority" else "127.0.0.1"
    tls: dict[str, Any] = {
        "authority": {"server_ca_pem": pair.certificate},
        "name": {"server_ca_pem": pair.certificate, "server_name": "localhost"},
        "anybody": {"insecure_skip_verify": True},
    }[trust]
    with grpc_backend(grpc.ssl_server_credentials([(pair.key.encode(), pair.certificate.encode())])) as application:
        options = proxy(f"{host}:{application.port}", grpc={"tls": {"enabled": True, **tls}})
        server = shared_server({"rpc": {"proxy": options, "without_namespace": {"proxy_enabled": True}}})
        async with connected(server, token("7")) as client:
            assert await client.call(rpc={"method": "m"}) == {}


async def test_a_server_that_nobody_vouches_for_is_not_talked_to(shared_server: StartServer) -> None:
    pair = issue()
    with grpc_backend(grpc.ssl_server_credentials([(pair.key.encode(), pair.certificate.encode())])) as application:
        options = proxy(f"localhost:{application.port}", grpc={"tls": {"enabled": True}})
        server = shared_server({"rpc": {"proxy": options, "without_namespace": {"proxy_enabled": True}}})
        async with connected(server, token("7")) as client:
            assert (await client.call(rpc={"method": "m"}))["error"] == INTERNAL
        assert application.calls == []


def test_certificates_that_cannot_be_used_keep_the_server_from_starting(private_server: StartServer) -> None:
    tls = {"enabled": True, "cert_pem": issue().certificate, "key_pem": issue().key}
    options = proxy("localhost:1", grpc={"tls": tls})
    with pytest.raises(RuntimeError, match=r"error make TLS config \(for proxy_grpc\)"):
        private_server({"rpc": {"proxy": options, "without_namespace": {"proxy_enabled": True}}})


@pytest.mark.parametrize("value", ["caf\u00e9", "a\tb", "a\nb"])
async def test_what_metadata_cannot_hold_fails_the_call(
    shared_server: StartServer, grpc_application: GrpcBackend, value: str
) -> None:
    options = proxy(f"127.0.0.1:{grpc_application.port}", emulated_headers=["X-App"])
    server = shared_server({"rpc": {"proxy": options, "without_namespace": {"proxy_enabled": True}}})
    async with opened(server) as client:
        await client.connect(token=token("7"), headers={"x-app": value})
        assert (await client.call(rpc={"method": "m"}))["error"] == INTERNAL
    assert grpc_application.calls == []
