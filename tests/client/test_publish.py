"""Publishing by clients: the cached authorization is used only while it is valid."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from fanjet.channels.namespaces import Namespaces
from fanjet.config import Config
from fanjet.protocol.codes import Unsubscribe
from tests.support.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.client import Client
    from tests.client.harness import Rig

TALK: dict[str, Any] = {
    "name": "talk",
    "allow_subscribe_for_client": True,
    "allow_publish_for_subscriber": True,
}


@pytest.fixture
async def talk(make_rig: Callable[..., Rig]) -> Rig:
    """A node with a namespace where subscribers publish."""
    return make_rig({"channel": {"namespaces": [TALK]}})


def subscribed(rig: Rig, **claims: Any) -> Client:
    client = rig.connected(**claims)
    assert "subscribe" in client.call(subscribe={"channel": "talk:a"})
    return client


def publishes(client: Client, channel: str = "talk:a") -> int:
    """Publish. Returns the error's code, 0 for none."""
    reply = client.call(publish={"channel": channel, "data": 1})
    return int(reply["error"]["code"]) if "error" in reply else 0


def infos(client: Client) -> list[tuple[Any, Any]]:
    pushed = [push["pub"]["info"] for push in client.pushes if "pub" in push]
    return [(info.get("conn_info"), info.get("chan_info")) for info in pushed]


async def test_publications_bear_the_infos_of_the_newest_tokens(talk: Rig) -> None:
    now = int(talk.clock.unix())
    client = talk.connected(info="one", exp=now + 100)
    first = token("ann", channel="talk:a", info="here", exp=now + 100)
    client.call(subscribe={"channel": "talk:a", "token": first})
    assert publishes(client) == publishes(client) == 0
    client.call(refresh={"token": token("ann", info="two", exp=now + 100)})
    assert publishes(client) == 0
    second = token("ann", channel="talk:a", info="there", exp=now + 100)
    client.call(sub_refresh={"channel": "talk:a", "token": second})
    assert publishes(client) == 0
    assert infos(client) == [("one", "here"), ("one", "here"), ("two", "here"), ("two", "there")]


async def test_an_unsubscribed_client_cannot_publish(talk: Rig) -> None:
    client = subscribed(talk)
    assert publishes(client) == 0
    client.call(unsubscribe={"channel": "talk:a"})
    assert publishes(client) == 103


async def test_a_client_being_unsubscribed_cannot_publish(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig({"channel": {"namespaces": [{**TALK, "presence": True}]}})
    client = subscribed(rig)
    assert publishes(client) == 0
    rig.gate.hold("remove")
    ending = rig.start(client.session.unsubscribe_by_server("talk:a", Unsubscribe(2000, "server unsubscribe")))
    await rig.settle()
    assert publishes(client) == 103
    rig.gate.release("remove")
    await ending


async def test_a_reload_decides_anew(talk: Rig) -> None:
    client = subscribed(talk)
    assert publishes(client) == 0
    forbidding = {"namespaces": [{**TALK, "allow_publish_for_subscriber": False}]}
    talk.node.namespaces = Namespaces(Config.model_validate({"channel": forbidding}).channel)
    assert publishes(client) == 103


async def test_a_capability_is_good_for_as_long_as_the_client_has_it(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig({"channel": {"namespaces": [{"name": "talk"}]}})
    caps = {"channels": ["talk:a"], "allow": ["sub", "pub"]}
    client = subscribed(rig, caps=[caps])
    assert publishes(client) == 0
    client.call(refresh={"token": token("ann", caps=[{**caps, "allow": ["sub"]}])})
    assert publishes(client) == 103


@pytest.mark.parametrize(("more", "code"), [({"data": 1, "type": 1}, 103), ({}, 107)], ids=["map", "without data"])
async def test_invalid_data_is_refused_to_authorized_publishers_too(talk: Rig, more: dict[str, Any], code: int) -> None:
    client = subscribed(talk)
    assert publishes(client) == 0
    assert client.call(publish={"channel": "talk:a", **more})["error"]["code"] == code


async def test_an_info_that_is_not_json_disconnects_json_clients(talk: Rig) -> None:
    publisher = subscribed(talk, b64info=base64.b64encode(b"\xff").decode())
    listener = subscribed(talk)
    assert publishes(publisher) == 0
    await talk.settle()
    assert (publisher.code, listener.code) == (3506, 3506)
    assert infos(listener) == []
