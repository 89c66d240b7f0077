"""Two nodes on one NATS server (07 §15)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING, Any

import nats as nats_client
import pytest

from fanjet.engines.proto import broker_pb2 as pb
from tests.support.certificates import issue
from tests.support.nats import Nats
from tests.support.server import ApiError, Server, merge
from tests.support.waiting import until
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import StartServer

OPEN = {
    "allow_subscribe_for_client": True,
    "allow_publish_for_client": True,
    "allow_presence_for_subscriber": True,
    "allow_history_for_client": True,
    "allow_subscribe_for_anonymous": True,
    "allow_publish_for_anonymous": True,
    "allow_presence_for_anonymous": True,
    "allow_history_for_anonymous": True,
}
CONFIG: dict[str, Any] = {
    "client": {"allow_anonymous_connect_without_token": True},
    "http_stream": {"enabled": True},
    "channel": {
        "without_namespace": OPEN,
        "namespaces": [
            {"name": "joins", **OPEN, "join_leave": True, "force_push_join_leave": True},
            {"name": "history", **OPEN, "history_size": 10, "history_ttl": "60s"},
            {"name": "recovery", **OPEN, "history_size": 10, "history_ttl": "60s", "force_recovery": True},
        ],
    },
}


def config_for(nats: Nats, **settings: Any) -> dict[str, Any]:
    return merge(CONFIG, {"broker": {"enabled": True, "type": "nats", "nats": {"url": nats.nats_url, **settings}}})


@pytest.fixture(scope="module")
def pair(nats: Nats, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    servers = tuple(Server(config_for(nats), tmp_path_factory.mktemp(name)) for name in ("a", "b"))
    for server in servers:
        server.start()
    yield servers
    for server in servers:
        server.stop()


async def test_publications_and_joins_cross(pair: tuple[Server, Server], name: str) -> None:
    first, second = pair
    channel = f"joins:{name}"
    async with connected(first) as here, connected(second, is_protobuf=True) as there:
        await here.subscribe(channel)
        assert "join" in await here.push()
        await there.subscribe(channel)
        assert "join" in await here.push()
        assert "join" in await there.push()
        await second.api("publish", {"channel": channel, "data": {"by": "api"}, "tags": {"t": "1"}})
        assert (await here.push())["pub"] == {"data": {"by": "api"}, "tags": {"t": "1"}}
        assert json.loads((await there.push())["pub"]["data"]) == {"by": "api"}
        await here.call(publish={"channel": channel, "data": {"by": "client"}})
        assert (await there.push())["pub"]["info"]["client"] == here.client_id
        await here.push()
    async with connected(first) as here:
        await here.subscribe(channel)


async def test_there_is_no_history(pair: tuple[Server, Server], name: str) -> None:
    first, _ = pair
    with pytest.raises(ApiError) as failure:
        await first.api("history", {"channel": f"history:{name}", "limit": 1})
    assert failure.value.code == 100
    assert await first.api("publish", {"channel": f"history:{name}", "data": 1}) == {}
    async with connected(first) as client:
        await client.subscribe(f"history:{name}")
        assert (await client.call(history={"channel": f"history:{name}"}))["error"]["code"] == 108
        assert (await client.call(subscribe={"channel": f"recovery:{name}"}))["error"]["code"] == 108


@pytest.mark.parametrize("channel", ["news.*", "news.>"])
async def test_patterns_are_refused(pair: tuple[Server, Server], channel: str) -> None:
    first, _ = pair
    async with connected(first) as client:
        assert (await client.call(subscribe={"channel": channel}))["error"]["code"] == 107
        assert (await client.call(publish={"channel": channel, "data": 1}))["error"]["code"] == 107
    with pytest.raises(ApiError) as failure:
        await first.api("publish", {"channel": channel, "data": 1})
    assert failure.value.code == 100


@pytest.mark.parametrize("channel", ["a b", "a..b", ".a", "a."])
async def test_names_that_are_no_subjects_close_who_subscribes_and_harm_nobody_else(
    pair: tuple[Server, Server], channel: str, name: str
) -> None:
    first, second = pair
    async with connected(first) as bystander, opened(first) as client:
        await bystander.subscribe(name)
        await client.connect()
        await client.send({"id": 9, "subscribe": {"channel": channel}})
        assert (await client.closed())[0] == 3004
        await second.api("publish", {"channel": name, "data": 1})
        assert (await bystander.push())["pub"]["data"] == 1


async def test_what_is_sent_has_the_contract_s_bytes(pair: tuple[Server, Server], nats: Nats, name: str) -> None:
    first, _ = pair
    client = await nats_client.connect(nats.nats_url)
    heard = await client.subscribe(f"centrifugo.client.{name}")
    await client.flush()
    await first.api("publish", {"channel": name, "data": {"a": 1}, "delta": True})
    push = pb.Push.FromString((await heard.next_msg(5)).data)
    assert (push.channel, push.pub.data, push.pub.delta, push.pub.offset) == (name, b'{"a": 1}', True, 0)
    assert push.pub.time > 0
    await client.close()


async def test_garbage_harms_nobody(pair: tuple[Server, Server], nats: Nats, name: str) -> None:
    first, second = pair
    client = await nats_client.connect(nats.nats_url)
    async with connected(first) as subscriber:
        await subscriber.subscribe(name)
        for payload in (b"", b"\xff\xff", b"__p1:0__"):
            await client.publish(f"centrifugo.client.{name}", payload)
            await client.publish("centrifugo.control", payload)
        await client.flush()
        await second.api("publish", {"channel": name, "data": 1})
        assert (await subscriber.push())["pub"]["data"] == 1
    await client.close()


async def test_subscriptions_survive_an_outage(
    private_server: StartServer, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    nats = Nats(tmp_path_factory.mktemp("nats"))
    nats.start()
    server = private_server(config_for(nats))
    async with connected(server) as client:
        await client.subscribe(name)
        await asyncio.to_thread(nats.stop)
        with pytest.raises(ApiError):
            await server.api("publish", {"channel": name, "data": 1})
        for channel in (f"{name}-given-up", f"{name}-later"):
            await client.subscribe(channel)
        await client.call(unsubscribe={"channel": f"{name}-given-up"})
        await asyncio.to_thread(nats.start)

        async def published() -> bool:
            try:
                await server.api("publish", {"channel": name, "data": 2})
            except ApiError:
                return False
            return True

        await until(published)
        assert (await client.push())["pub"]["data"] == 2
        await server.api("publish", {"channel": f"{name}-later", "data": 3})
        assert (await client.push())["pub"]["data"] == 3
    server.stop()
    nats.stop()


async def test_a_nats_that_was_stopped_for_a_while_is_heard_again_at_once(
    private_server: StartServer, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    nats = Nats(tmp_path_factory.mktemp("nats"))
    nats.start()
    server = private_server(config_for(nats))
    async with connected(server) as client:
        await client.subscribe(name)
        os.kill(nats.pid, signal.SIGSTOP)
        await client.subscribe(f"{name}-meanwhile")
        os.kill(nats.pid, signal.SIGCONT)
        for channel in (name, f"{name}-meanwhile"):
            await server.api("publish", {"channel": channel, "data": channel})
            assert (await client.push())["pub"]["data"] == channel
    server.stop()
    nats.stop()


async def test_who_may_hear_a_channel_no_more_is_told(
    private_server: StartServer, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    folder = tmp_path_factory.mktemp("nats")

    def deny(*subjects: str) -> None:
        permissions = json.dumps({"subscribe": {"deny": ["none", *subjects]}})
        users = f"[{{ user: u, permissions: {permissions} }}]"
        (folder / "conf").write_text(f"authorization {{ users: {users} }}\nno_auth_user: u\n")

    deny()
    nats = Nats(folder, "-c", str(folder / "conf"))
    nats.start()
    server = private_server(config_for(nats))
    secret = f'Se"cret-{name}'
    async with connected(server) as first, connected(server, is_protobuf=True) as second:
        for client in (first, second):
            await client.subscribe(name)
            await client.subscribe(secret)
        deny(f"centrifugo.client.{secret}")
        os.kill(nats.pid, signal.SIGHUP)
        for client in (first, second):
            push = await client.push()
            assert (push["channel"], push["unsubscribe"]["code"]) == (secret, 2500)
        await server.api("publish", {"channel": name, "data": 1})
        assert (await second.push())["channel"] == name
        await first.send({"id": 9, "subscribe": {"channel": secret}})
        assert (await first.closed())[0] == 3004
    assert "NATS does not permit a subscription any more" in server.log
    server.stop()
    nats.stop()


async def test_a_server_that_cannot_reach_nats_does_not_start(private_server: StartServer, nats: Nats) -> None:
    with pytest.raises(RuntimeError, match="error connecting to NATS"):
        private_server(merge(config_for(nats), {"broker": {"nats": {"url": "nats://127.0.0.1:1"}}}))


async def test_a_star_within_a_name_is_no_pattern(private_server: StartServer, nats: Nats) -> None:
    server = private_server(config_for(nats, allow_wildcards=True))
    async with connected(server) as subscriber:
        for channel in ("a*b", "x>"):
            await subscriber.subscribe(channel)


async def test_a_message_beyond_the_server_s_limit_fails_and_harms_nobody(
    private_server: StartServer, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    folder = tmp_path_factory.mktemp("nats")
    (folder / "conf").write_text("max_payload: 50000")
    nats = Nats(folder, "-c", str(folder / "conf"))
    nats.start()
    server = private_server(config_for(nats))
    async with connected(server) as client:
        await client.subscribe(name)
        with pytest.raises(ApiError) as failure:
            await server.api("publish", {"channel": name, "data": "x" * 50_000})
        assert failure.value.code == 100
        await server.api("publish", {"channel": name, "data": 1})
        assert (await client.push())["pub"]["data"] == 1
    server.stop()
    nats.stop()


async def test_credentials_are_those_of_the_url(
    private_server: StartServer, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    nats = Nats(tmp_path_factory.mktemp("nats"), "--user", "me", "--pass", "secret")
    nats.start()
    address = f"127.0.0.1:{nats.port}"
    server = private_server(config_for(nats, url=f"nats://me:secret@{address}"))
    async with connected(server) as client:
        await client.subscribe(name)
        await server.api("publish", {"channel": name, "data": 1})
        assert (await client.push())["pub"]["data"] == 1
    for url in (f"nats://me:wrong@{address}", f"nats://{address}"):
        with pytest.raises(RuntimeError, match=r"error connecting to NATS: .*Authorization Violation") as refusal:
            private_server(config_for(nats, url=url))
        assert "wrong" not in str(refusal.value)
    server.stop()
    nats.stop()


async def test_tls_is_verified_by_the_configured_name(
    private_server: StartServer, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    folder, pair = tmp_path_factory.mktemp("nats"), issue()
    (folder / "cert").write_text(pair.certificate)
    (folder / "key").write_text(pair.key)
    nats = Nats(folder, "--tls", "--tlscert", str(folder / "cert"), "--tlskey", str(folder / "key"))
    nats.start()
    tls = {"enabled": True, "server_ca_pem": pair.certificate, "server_name": "localhost"}
    server = private_server(config_for(nats, tls=tls))
    async with connected(server) as client:
        await client.subscribe(name)
        await server.api("publish", {"channel": name, "data": 1})
        assert (await client.push())["pub"]["data"] == 1
    for wrong in ({"server_name": "elsewhere"}, {"server_ca_pem": ""}, {"enabled": False}):
        with pytest.raises(RuntimeError, match="error connecting to NATS"):
            private_server(config_for(nats, tls=tls | wrong))
    server.stop()
    nats.stop()


async def test_what_comes_through_raw_subjects_tells_which(private_server: StartServer, nats: Nats, name: str) -> None:
    raw = {"enabled": True, "prefix": "raw.", "channel_replacements": {":": "."}}
    server = private_server(config_for(nats, raw_mode=raw))
    async with connected(server) as subscriber:
        for channel, told in ((name, name), (f"joins:{name}", f"joins.{name}")):
            await subscriber.subscribe(channel)
            await server.api("publish", {"channel": channel, "data": 1})
            assert await subscriber.push() == {"channel": channel, "pub": {"data": 1, "channel": told}}


async def test_a_pattern_brings_what_matches_and_tells_which(
    private_server: StartServer, nats: Nats, pair: tuple[Server, Server], name: str
) -> None:  # 07-41
    server = private_server(config_for(nats, allow_wildcards=True))
    async with connected(server) as subscriber, connected(pair[0]) as elsewhere:
        await subscriber.subscribe(f"{name}.*")
        await subscriber.subscribe(name)
        await elsewhere.subscribe(f"{name}.b")
        for channel, subscribed in ((f"{name}.b", f"{name}.*"), (name, name)):
            for publisher in (server, pair[1]):
                await publisher.api("publish", {"channel": channel, "data": 1, "tags": {"t": "1"}})
                push = await subscriber.push()
                assert push == {"channel": subscribed, "pub": {"data": 1, "tags": {"t": "1"}, "channel": channel}}
        assert await elsewhere.push() == {"channel": f"{name}.b", "pub": {"data": 1, "tags": {"t": "1"}}}
        assert (await subscriber.call(publish={"channel": f"{name}.*", "data": 1}))["error"]["code"] == 107


async def test_patterns_and_raw_subjects(private_server: StartServer, nats: Nats) -> None:
    server = private_server(
        config_for(
            nats,
            allow_wildcards=True,
            raw_mode={"enabled": True, "prefix": "raw.", "channel_replacements": {":": "."}},
        )
    )
    client = await nats_client.connect(nats.nats_url)
    async with connected(server) as subscriber:
        await subscriber.subscribe("*")
        await subscriber.subscribe("joins:a")
        await client.publish("raw.joins.a", b'{"raw":1}')
        assert await subscriber.push() == {
            "channel": "joins:a",
            "pub": {"data": {"raw": 1}, "channel": "joins.a"},
        }
        await client.publish("raw.any", b'{"raw":2}')
        assert await subscriber.push() == {"channel": "*", "pub": {"data": {"raw": 2}, "channel": "any"}}
    await client.close()
