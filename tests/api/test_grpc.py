"""The API over gRPC on a whole server (05 §3, checks 30 to 32), called by the official client library."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse
from grpc_status.rpc_status import from_call

from fanjet.api.grpc import GrpcApi
from fanjet.api.methods import METHODS
from fanjet.api.proto.api_pb2 import Error, PublishRequest
from fanjet.net.grpc.head import CallHead
from tests.api.fake_node import FakeNode
from tests.support.certificates import issue
from tests.support.grpc_client import API, BY_STATUS, KEY, api_call, as_json, channel, without_zeros
from tests.support.server import API_KEY, ApiError, Server, free_port, merge
from tests.support.tokens import token
from tests.support.wire_client import opened

if TYPE_CHECKING:
    from tests.conftest import StartServer

PORT = free_port()
CONFIG: dict[str, Any] = {
    "grpc_api": {"enabled": True, "address": "127.0.0.1", "port": PORT, "key": API_KEY, "reflection": True},
    "channel": {
        "namespaces": [
            {"name": "ns", "history_size": 10, "history_ttl": "60s", "presence": True},
            {"name": "binary", "publication_data_format": "binary", "history_size": 10, "history_ttl": "60s"},
            {"name": "map", "subscription_type": "map", "map": {"mode": "recoverable", "key_ttl": "60s"}},
        ],
    },
}
CONNECTIONS = (
    "Connections UpdateUserStatus GetUserStatus DeleteUserStatus BlockUser UnblockUser RevokeToken InvalidateUserTokens"
)


@pytest.fixture
def server(shared_server: StartServer) -> Server:
    return shared_server(CONFIG)


@pytest.fixture
def name() -> str:
    """A channel or user that no other test uses."""
    return uuid.uuid4().hex


def grpc_name(method: str) -> str:
    return next(each.name for each in API.methods if each.name.lower() == method.replace("_", ""))


async def refused(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value


# ---------------------------------------------------------------------------------------------- the same as over HTTP

SAME: tuple[tuple[str, dict[str, Any]], ...] = (
    ("publish", {"channel": "a", "data": {"n": 1}}),
    ("publish", {"channel": "ns:{name}", "data": {"n": 1}, "tags": {"a": "b"}, "idempotency_key": "same"}),
    ("publish", {"channel": "a"}),
    ("publish", {"data": 1}),
    ("publish", {"channel": "nowhere:a", "data": 1}),
    ("publish", {"channel": "a", "b64data": "aGk="}),
    ("publish", {"channel": "a", "b64data": "***"}),
    ("publish", {"channel": "map:a", "data": 1}),
    ("broadcast", {"channels": ["a", "nowhere:b", "", "map:1"], "data": 1}),
    ("broadcast", {"channels": [], "data": 1}),
    ("subscribe", {"user": "{name}", "channel": "a", "data": {"d": 1}, "override": {"presence": {"value": True}}}),
    ("subscribe", {"user": "{name}", "channel": "nowhere:a"}),
    ("unsubscribe", {"user": "{name}", "channel": "a"}),
    ("disconnect", {"user": "{name}", "disconnect": {"code": 4500, "reason": "bye"}, "whitelist": ["x"]}),
    ("refresh", {"user": "{name}", "expire_at": 1, "info": {"i": 1}}),
    ("history", {"channel": "ns:{name}", "limit": -1}),
    ("history", {"channel": "ns:{name}", "since": {"offset": 0, "epoch": "other"}}),
    ("history", {"channel": "a"}),
    ("history_remove", {"channel": "ns:{name}"}),
    ("history_remove", {"channel": ""}),
    ("presence", {"channel": "ns:{name}"}),
    ("presence", {"channel": "a"}),
    ("presence_stats", {"channel": "ns:{name}"}),
    ("channels", {"pattern": "{name}*"}),
    ("channels", {"pattern": "[a"}),
    ("info", {}),
    ("rpc", {"method": "x", "params": {"p": 1}}),
    ("rpc", {}),
    ("map_publish", {"channel": "a", "key": "k", "data": 1}),
    ("map_publish", {"channel": "map:a", "key": "k", "data": 1}),
    ("map_remove", {"channel": "map:a", "key": "k"}),
    ("map_read_state", {"channel": "map:a", "limit": -1}),
    ("map_read_stream", {"channel": "a"}),
    ("map_stats", {"channel": "map:a"}),
    ("map_clear", {"channel": ""}),
    ("shared_poll_publish", {"channel": "a", "key": "k", "version": 1}),
)


def named(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return value.replace("{name}", name)
    if isinstance(value, dict):
        return {key: named(item, name) for key, item in value.items()}
    return [named(item, name) for item in value] if isinstance(value, list) else value


def as_message(method: str, fields: dict[str, Any]) -> Any:
    """The request with payloads as the HTTP API would take them."""
    kind = GetMessageClass(API.methods_by_name[grpc_name(method)].input_type)
    payloads = {f.name for f in kind.DESCRIPTOR.fields if f.type == f.TYPE_BYTES}
    return kind(**{k: repr(v).replace("'", '"').encode() if k in payloads else v for k, v in fields.items()})


async def over_http(server: Server, method: str, fields: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"result": without_zeros(await server.api(method, fields))}
    except ApiError as error:
        return {"error": {"code": error.code, "message": str(error).split(" ", 1)[1]}}


@pytest.mark.parametrize(("method", "fields"), SAME)
async def test_answers_are_those_of_http(server: Server, name: str, method: str, fields: dict[str, Any]) -> None:
    fields = named(fields, name)
    expected = await over_http(server, method, fields)
    async with channel(PORT) as to:
        answer = as_json(await api_call(to, grpc_name(method), as_message(method, fields)))
    for node in (*answer.get("result", {}).get("nodes", ()), *expected.get("result", {}).get("nodes", ())):
        node.pop("uptime", None)
        node.pop("metrics", None)
    assert answer == expected


def test_every_method_is_compared() -> None:
    assert {method for method, _ in SAME} == set(METHODS)


@pytest.mark.parametrize(("deadline", "seconds"), [([], 10), ([(b"grpc-timeout", b"30S")], 30)])
async def test_the_client_s_deadline_is_that_of_the_question_to_other_nodes(
    deadline: list[tuple[bytes, bytes]], seconds: int
) -> None:
    node = FakeNode()
    methods: Any = GrpcApi(node, key="").service().methods
    head = [(b":method", b"POST"), (b"content-type", b"application/grpc"), *deadline]
    await methods["Channels"].keywords["handler"](b"", CallHead(head))
    assert node.survey_timeout == [seconds]


async def test_a_batch_is_answered_in_order(server: Server, name: str) -> None:
    commands = [
        {"publish": {"channel": f"ns:{name}", "data": b"1"}},
        {"publish": {"channel": "nowhere:a", "data": b"1"}},
        {},
        {"connections": {"user": "u"}},
        {"history": {"channel": f"ns:{name}", "limit": 1}},
    ]
    async with channel(PORT) as to:
        for parallel in (False, True):
            answer = await api_call(to, "Batch", {"commands": commands, "parallel": parallel}, (KEY, BY_STATUS))
            first, second, third, fourth, fifth = answer.replies
            assert first.publish.offset > 0
            assert [each.error.code for each in (second, third, fourth)] == [102, 104, 104]
            assert fifth.history.publications[0].data == b"1"


async def test_payloads_may_be_anything(server: Server, name: str) -> None:
    async with channel(PORT) as to:
        await api_call(to, "Publish", {"channel": f"binary:{name}", "data": b"\xff\0"})
        history = await api_call(to, "History", {"channel": f"binary:{name}", "limit": 1})
        assert history.result.publications[0].data == b"\xff\0"


async def test_connections_are_reached(server: Server, name: str) -> None:
    async with opened(server) as client, channel(PORT) as to:
        await client.connect(token=token(name))
        await api_call(to, "Disconnect", {"user": name, "disconnect": {"code": 4500, "reason": "bye"}})
        assert await client.closed() == (4500, "bye")


# ---------------------------------------------------------------------------------------------- who is let in


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", f"ApiKey {API_KEY}"),),
        (("authorization", f"apikey  {API_KEY}"),),
        (("authorization", f"Bearer {API_KEY}"),),
        (("authorization", API_KEY),),
        (("x-api-key", API_KEY),),
        (("authorization", "no"), KEY),
    ],
)
async def test_without_the_key_nobody_is_let_in(server: Server, metadata: tuple[tuple[str, str], ...]) -> None:
    async with channel(PORT) as to:
        for method in ("Publish", "Batch", "Connections"):
            error = await refused(api_call(to, method, {}, metadata))
            assert (error.code(), error.details()) == (grpc.StatusCode.UNAUTHENTICATED, "unauthenticated")


async def test_a_server_without_a_key_warns_and_lets_everybody_in(shared_server: StartServer) -> None:
    port = free_port()
    server = shared_server({"grpc_api": {"enabled": True, "address": "127.0.0.1", "port": port}})
    async with channel(port) as to:
        assert (await api_call(to, "Info", {}, ())).result.nodes
    assert "grpc_api.key is empty" in server.log
    assert f"serving GRPC API service on 127.0.0.1:{port}" in server.log


# ---------------------------------------------------------------------------------------------- errors as statuses


@pytest.mark.parametrize(
    ("method", "fields", "status", "code"),
    [
        ("Publish", {"channel": "nowhere:a", "data": b"1"}, grpc.StatusCode.NOT_FOUND, 102),
        ("RPC", {"method": "x"}, grpc.StatusCode.NOT_FOUND, 104),
        ("Publish", {"channel": "a"}, grpc.StatusCode.INVALID_ARGUMENT, 107),
        ("History", {"channel": "a"}, grpc.StatusCode.INVALID_ARGUMENT, 108),
        ("History", {"channel": "ns:a", "since": {"epoch": "other"}}, grpc.StatusCode.OUT_OF_RANGE, 112),
        ("Channels", {"pattern": "[a"}, grpc.StatusCode.INTERNAL, 100),
    ],
)
async def test_errors_are_statuses_where_that_is_asked_for(
    server: Server, method: str, fields: dict[str, Any], status: grpc.StatusCode, code: int
) -> None:
    async with channel(PORT) as to:
        call = api_call(to, method, fields, (KEY, BY_STATUS))
        error = await refused(call)
        assert error.code() is status
        described = from_call(error)
        detail = Error()
        assert described is not None
        assert described.details[0].Unpack(detail)
        assert (detail.code, detail.message) == (code, error.details())
        # Another value of the header means nothing.
        answer = await api_call(to, method, fields, (KEY, ("x-centrifugo-error-mode", "Transport")))
        assert answer.error.code == code


async def test_the_error_mode_of_the_configuration_holds_for_all(shared_server: StartServer) -> None:
    port = free_port()
    section = merge(CONFIG["grpc_api"], {"port": port, "error_mode": "transport"})
    shared_server(merge(CONFIG, {"grpc_api": section}))
    async with channel(port) as to:
        error = await refused(api_call(to, "Publish", {"channel": "nowhere:a", "data": b"1"}))
        assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "unknown channel")
        batch = await api_call(to, "Batch", {"commands": [{"publish": {"channel": "a"}}]})
        assert batch.replies[0].error.code == 107
        broadcast = await api_call(to, "Broadcast", {"channels": ["nowhere:a"], "data": b"1"})
        assert broadcast.result.responses[0].error.code == 102


@pytest.mark.parametrize("method", CONNECTIONS.split())
async def test_what_is_not_built_says_so(server: Server, method: str) -> None:
    async with channel(PORT) as to:
        error = await refused(api_call(to, method, {}))
        assert (error.code(), error.details()) == (grpc.StatusCode.UNIMPLEMENTED, f"method {method} not implemented")


@pytest.mark.parametrize(
    ("path", "details"),
    [
        (f"/{API.full_name}/Nope", f"unknown method Nope for service {API.full_name}"),
        ("/other.Service/Nope", "unknown service other.Service"),
    ],
)
async def test_unknown_methods_are_unimplemented(server: Server, path: str, details: str) -> None:
    async with channel(PORT) as to:
        error = await refused(to.unary_unary(path)(b""))
        assert (error.code(), error.details()) == (grpc.StatusCode.UNIMPLEMENTED, details)


@pytest.mark.parametrize(
    ("request_", "details"),
    [
        (b"\xff\xff\xff", "proto: cannot parse invalid wire-format data"),
        (b"\x0a\x02\xff\xff", "string field contains invalid UTF-8"),
    ],
)
async def test_garbage_is_refused(server: Server, request_: bytes, details: str) -> None:
    async with channel(PORT) as to:
        call = to.unary_unary(f"/{API.full_name}/Publish")
        error = await refused(call(request_, metadata=(KEY,)))
        expected = f"grpc: error unmarshalling request: {details}"
        assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, expected)


# ---------------------------------------------------------------------------------------------- messages


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_requests_of_four_mebibytes_are_taken_and_no_larger_ones(
    server: Server, compression: grpc.Compression
) -> None:
    rest = 4 * 1024 * 1024 - PublishRequest(channel="a", data=b"x" * (4 * 1024 * 1024)).ByteSize()
    data = b"x" * (4 * 1024 * 1024 + rest)
    async with channel(PORT) as to:
        assert not (await api_call(to, "Publish", {"channel": "a", "data": data}, compression=compression)).HasField(
            "error"
        )
        call = api_call(to, "Publish", {"channel": "a", "data": data + b"x"}, compression=compression)
        assert (await refused(call)).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert not (await api_call(to, "Info", {})).HasField("error"), "the connection goes on"


async def test_the_limit_can_be_raised(shared_server: StartServer) -> None:
    port = free_port()
    section = merge(CONFIG["grpc_api"], {"port": port, "max_receive_message_size": 20_000_000})
    shared_server(merge(CONFIG, {"grpc_api": section}))
    async with channel(port) as to:
        await api_call(to, "Publish", {"channel": "ns:large", "data": b"x" * 10_000_000})
        history = await api_call(to, "History", {"channel": "ns:large", "limit": 1})
        assert len(history.result.publications[0].data) == 10_000_000


async def test_other_encodings_are_unimplemented(server: Server) -> None:
    async with channel(PORT) as to:
        call = api_call(to, "Publish", {"channel": "a", "data": b"x" * 100}, compression=grpc.Compression.Deflate)
        error = await refused(call)
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED


# ---------------------------------------------------------------------------------------------- many at once


async def test_a_thousand_calls_at_once(server: Server, name: str) -> None:
    async with channel(PORT) as to:
        calls = [api_call(to, "Publish", {"channel": f"{name}{n}", "data": b"1"}) for n in range(1000)]
        answers = await asyncio.gather(*calls)
    assert not any(answer.HasField("error") for answer in answers)


async def test_cancelled_calls_disturb_nobody(server: Server, name: str) -> None:
    async with channel(PORT) as to:
        calls = [api_call(to, "Publish", {"channel": f"ns:{name}", "data": b"x" * 100_000}) for _ in range(200)]
        await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        assert (await api_call(to, "History", {"channel": f"ns:{name}"})).result.epoch
    assert "Traceback" not in server.log


# ---------------------------------------------------------------------------------------------- TLS


async def test_tls_with_client_certificates(shared_server: StartServer) -> None:
    port, server_pair, client_pair = free_port(), issue(), issue()
    tls = {
        "enabled": True,
        "cert_pem": server_pair.certificate,
        "key_pem": server_pair.key,
        "client_ca_pem": client_pair.certificate,
    }
    shared_server(merge(CONFIG, {"grpc_api": merge(CONFIG["grpc_api"], {"port": port, "tls": tls})}))
    root = server_pair.certificate.encode()
    known = grpc.ssl_channel_credentials(root, client_pair.key.encode(), client_pair.certificate.encode())
    async with grpc.aio.secure_channel(f"localhost:{port}", known) as to:
        assert (await api_call(to, "Info", {})).result.nodes
    async with grpc.aio.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(root)) as to:
        assert (await refused(api_call(to, "Info", {}, timeout=5))).code() is grpc.StatusCode.UNAVAILABLE


# ---------------------------------------------------------------------------------------------- reflection


def call_by_reflection(name: str) -> tuple[list[str], bytes]:
    """Do what grpcurl does: learn the services, then the method's messages, then call it."""
    intercepted = grpc.intercept_channel(grpc.insecure_channel(f"127.0.0.1:{PORT}"), _WithKey())
    with intercepted:
        database = ProtoReflectionDescriptorDatabase(intercepted)
        pool = DescriptorPool(database)
        method = pool.FindServiceByName(API.full_name).FindMethodByName("Publish")
        request = GetMessageClass(method.input_type)(channel=f"ns:{name}", data=b"1")
        stub = intercepted.unary_unary(
            f"/{API.full_name}/Publish",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        return list(database.get_services()), stub(request).result.offset


class _WithKey(grpc.UnaryUnaryClientInterceptor, grpc.StreamStreamClientInterceptor):  # type: ignore[misc]
    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return continuation(details._replace(metadata=[KEY]), request)

    def intercept_stream_stream(self, continuation: Any, details: Any, requests: Any) -> Any:
        return continuation(details._replace(metadata=[KEY]), requests)


async def test_clients_learn_the_services_by_reflection(server: Server, name: str) -> None:
    services, offset = await asyncio.to_thread(call_by_reflection, name)
    assert services == [
        API.full_name,
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ]
    assert offset == 1


async def ask(version: str, requests: list[ServerReflectionRequest], *metadata: tuple[str, str]) -> list[Any]:
    async with channel(PORT) as to:
        stub = to.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=ServerReflectionRequest.SerializeToString,
            response_deserializer=ServerReflectionResponse.FromString,
        )
        return [answer async for answer in stub(iter(requests), metadata=metadata)]


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_files_are_described_once(server: Server, version: str) -> None:
    file = "file_descriptor_response"
    symbols = [f"{API.full_name}.Publish", "centrifugal.centrifugo.api.Error", "nope"]
    answers = await ask(version, [ServerReflectionRequest(file_containing_symbol=each) for each in symbols], KEY)
    assert [answer.WhichOneof("message_response") for answer in answers] == [file, file, "error_response"]
    assert [len(answer.file_descriptor_response.file_descriptor_proto) for answer in answers] == [1, 1, 0]
    assert answers[2].error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


async def test_reflection_needs_the_key(server: Server) -> None:
    # Without a question: grpcio has an error of its own for one that it sends after it was refused.
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await ask("v1", [])
    assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_question_without_content_ends_the_conversation(server: Server) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await ask("v1", [ServerReflectionRequest()], KEY)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
