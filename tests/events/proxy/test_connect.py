"""Who connects is the backend's to say (06 §5)."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.events.proxy.configs import proxied
from tests.support.tokens import token
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.backend import Backend
    from tests.support.server import Server


def accepted(**result: Any) -> dict[str, Any]:
    return {"result": result}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def test_the_backend_is_told_who_connects_and_says_who_that_is(  # 06-1
    server: Server, backend: Backend, name: str
) -> None:
    backend.on("connect", accepted(user=name, channels=[f"open:{name}"]))
    async with opened(server) as client:
        await client.connect()
        presence = await client.call(presence={"channel": f"open:{name}"})
    (request,) = backend.requests
    assert request.headers["content-type"] == "application/json"
    assert request.body == {
        "client": client.client_id,
        "transport": "websocket",
        "protocol": "json",
        "encoding": "json",
    }
    (entry,) = presence["presence"].values()
    assert entry["user"] == name


async def test_what_the_client_says_of_itself_is_passed_on(server: Server, backend: Backend) -> None:
    backend.on("connect", accepted(user="7"))
    async with opened(server) as client:
        await client.connect(data={"a": [1, None]}, name="js", version="2", subs={"open:x": {}, "open:y": {}})
    body = backend.asked("connect")[0]
    assert (body["data"], body["name"], body["version"]) == ({"a": [1, None]}, "js", "2")
    assert sorted(body["channels"]) == ["open:x", "open:y"]


async def test_channels_that_the_client_asks_for_are_the_backends_to_grant(server: Server, backend: Backend) -> None:
    backend.on("connect", accepted(user="7", channels=["open:x"]))
    async with opened(server) as client:
        result = await client.connect(subs={"open:x": {}, "open:y": {}})
    assert list(result["subs"]) == ["open:x"]


async def test_a_token_makes_the_backend_needless(server: Server, backend: Backend) -> None:  # 06-2
    async with connected(server, token("7")):
        assert backend.requests == []


async def test_who_is_unknown_to_the_backend_is_sent_away(server: Server, backend: Backend) -> None:  # 06-3
    async with opened(server) as client:
        await client.send({"id": 1, "connect": {}})
        assert await client.closed() == (3501, "bad request")


async def test_who_is_unknown_to_the_backend_may_be_anonymous(  # 06-3
    shared_server: StartServer, base: str, backend: Backend
) -> None:
    server = shared_server(proxied(base, {"client": {"allow_anonymous_connect_without_token": True}}))
    async with opened(server) as client:
        result = await client.connect(subs={"open:x": {}, "asked:x": {}})
        assert list(result["subs"]) == ["open:x"]
        await client.call(rpc={"method": "who"})
    assert backend.asked("rpc")[0]["user"] == ""


async def test_who_is_unknown_to_the_backend_may_be_named_by_a_header(
    shared_server: StartServer, base: str, backend: Backend
) -> None:
    server = shared_server(proxied(base, {"client": {"user_id_http_header": "X-User"}}))
    async with opened(server, headers={"X-User": "9"}) as client:
        await client.connect()
        await client.call(rpc={"method": "who"})
    assert backend.asked("rpc")[0]["user"] == "9"


async def test_the_backend_may_end_the_connection(server: Server, backend: Backend) -> None:  # 06-4
    backend.on("connect", {"disconnect": {"code": 4501, "reason": "no"}})
    async with opened(server) as client:
        await client.send({"id": 1, "connect": {}})
        assert await client.closed() == (4501, "no")


@pytest.mark.parametrize("temporary", [True, False])
async def test_the_backend_may_answer_with_an_error(server: Server, backend: Backend, temporary: bool) -> None:  # 06-4
    backend.on("connect", {"error": {"code": 1000, "message": "m", "temporary": temporary}})
    async with opened(server) as client:
        reply = await client.call(connect={})
    assert reply["error"] == {"code": 1000, "message": "m"} | ({"temporary": True} if temporary else {})


async def test_subscriptions_come_with_the_answer(server: Server, backend: Backend, name: str) -> None:  # 06-7
    chat = {"data": {"a": 1}, "info": {"r": "x"}, "override": {"presence": {"value": True}}}
    backend.on("connect", accepted(user=name, channels=[f"open:{name}"], subs={f"asked:{name}": chat}))
    async with opened(server) as client:
        result = await client.connect()
        presence = await client.call(presence={"channel": f"asked:{name}"})
    assert result["subs"] == {f"open:{name}": {}, f"asked:{name}": {"data": {"a": 1}}}
    (entry,) = presence["presence"].values()
    assert entry["chan_info"] == {"r": "x"}


async def test_a_namespace_option_may_be_overridden(server: Server, backend: Backend, name: str) -> None:
    override = {"force_recovery": {"value": True}}
    backend.on("connect", accepted(user="7", subs={f"asked:{name}": {"override": override}}))
    async with opened(server) as client:
        result = await client.connect()
    assert result["subs"][f"asked:{name}"]["recoverable"] is True


@pytest.mark.parametrize(("wanted", "publications"), [(True, [{"n": 1}]), (False, [])])
async def test_the_latest_publication_may_come_along(
    server: Server, backend: Backend, name: str, wanted: bool, publications: list[Any]
) -> None:
    channel = f"cache:{name}"
    await server.api("publish", {"channel": channel, "data": {"n": 1}})
    backend.on("connect", accepted(user="7", subs={channel: {"cache_recover": wanted}}))
    async with opened(server) as client:
        result = await client.connect()
    assert [one["data"] for one in result["subs"][channel].get("publications", [])] == publications


@pytest.mark.parametrize("field", ["channels", "subs"])
async def test_a_channel_of_an_unknown_namespace_fails_the_connect(  # 06-7
    server: Server, backend: Backend, field: str
) -> None:
    backend.on("connect", accepted(**{field: ["zz:1"] if field == "channels" else {"zz:1": {}}}))
    async with opened(server) as client:
        assert await client.error(connect={}) == 102


async def test_an_expiry_in_the_past_is_an_error(server: Server, backend: Backend) -> None:  # 06-8
    backend.on("connect", accepted(expire_at=int(time.time()) - 10))
    async with opened(server) as client:
        assert await client.error(connect={}) == 110


async def test_an_expiry_is_the_clients_to_prolong(server: Server, backend: Backend) -> None:  # 06-8
    backend.on("connect", accepted(user="7", expire_at=int(time.time()) + 50))
    async with opened(server) as client:
        result = await client.connect()
    assert result["expires"] is True
    assert result["ttl"] in {49, 50}


@pytest.mark.parametrize("result", [{"b64info": "*"}, {"b64data": "*"}, {"subs": {"open:x": {"b64data": "eA"}}}])
async def test_base64_that_is_none_is_an_error(server: Server, backend: Backend, result: dict[str, Any]) -> None:
    backend.on("connect", accepted(**result))
    async with opened(server) as client:
        assert await client.error(connect={}) == 100


@pytest.mark.parametrize(
    ("result", "code"),
    [
        pytest.param({"channels": ["zz:1"], "subs": {"open:x": {"b64info": "*"}}}, 102, id="another-is-unknown"),
        pytest.param({"subs": {"open:x": {"b64info": "*"}, "zz:1": {"b64data": "*"}}}, 102, id="one-is-unknown"),
        pytest.param({"b64data": "*", "channels": ["zz:1"]}, 100, id="the-clients-own"),
    ],
)
async def test_an_unknown_channel_counts_before_base64_of_subscriptions(
    server: Server, backend: Backend, result: dict[str, Any], code: int
) -> None:
    backend.on("connect", accepted(**result))
    async with opened(server) as client:
        assert await client.error(connect={}) == code


async def test_data_for_the_client_is_passed_on(server: Server, backend: Backend) -> None:
    backend.on("connect", accepted(user="7", data={"plain": 1}, b64data=encoded(b'{"b64":1}')))
    async with opened(server) as client:
        assert (await client.connect())["data"] == {"b64": 1}


async def test_data_that_a_connection_cannot_carry_ends_it(server: Server, backend: Backend) -> None:
    backend.on("connect", accepted(user="7", b64data=encoded(b"\xff")))
    async with opened(server) as client:
        await client.send({"id": 1, "connect": {}})
        assert await client.closed() == (3506, "inappropriate protocol")
    async with opened(server, is_protobuf=True) as client:
        assert (await client.connect())["data"] == b"\xff"


async def test_meta_is_told_to_who_wants_it_and_never_to_the_client(  # 06-10
    server: Server, backend: Backend, name: str
) -> None:
    backend.on("connect", accepted(user="7", meta={"t": 1}))
    async with opened(server) as client:
        assert "meta" not in await client.connect()
        await client.call(rpc={"method": "m"})
        await client.call(publish={"channel": f"any:{name}", "data": 1})
    assert backend.asked("rpc")[0]["meta"] == {"t": 1}
    assert "meta" not in backend.asked("publish")[0]


async def test_meta_of_a_token_is_told_too(server: Server, backend: Backend) -> None:
    async with connected(server, token("7", meta={"t": 2})) as client:
        await client.call(rpc={"method": "m"})
    assert backend.asked("rpc")[0]["meta"] == {"t": 2}


async def test_every_connect_asks_anew(server: Server, backend: Backend) -> None:
    backend.on("connect", accepted(user="7"))
    for _ in range(2):
        async with opened(server) as client:
            await client.connect()
    assert len(backend.asked("connect")) == 2


async def test_a_user_gets_its_personal_channel(shared_server: StartServer, base: str, backend: Backend) -> None:
    personal = {"client": {"subscribe_to_user_personal_channel": {"enabled": True}}}
    server = shared_server(proxied(base, personal))
    backend.on("connect", accepted(user="7"))
    async with opened(server) as client:
        assert list((await client.connect())["subs"]) == ["#7"]


async def test_capabilities_and_labels_hold_as_those_of_tokens(server: Server, backend: Backend, name: str) -> None:
    caps = [{"channels": [f"own:{name}#1"], "allow": ["hst", "pub"]}]
    backend.on("connect", accepted(user="7", caps=caps, labels={"tier": "gold"}))
    async with opened(server) as client:
        await client.connect()
        assert await client.call(publish={"channel": f"own:{name}#1", "data": 1}) == {}
        await client.call(rpc={"method": "m"})
    assert backend.asked("rpc")[0]["labels"] == {"tier": "gold"}
