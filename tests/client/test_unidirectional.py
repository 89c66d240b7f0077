"""A unidirectional session: one connect, then pushes (02 §9.1)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Raw

from fanjet.client.unidirectional import UnidirectionalSession
from fanjet.node.connection_filter import ConnectionFilter
from fanjet.protocol.codes import (
    DISCONNECT_FORCE,
    ERROR_EXPIRED,
    ERROR_INTERNAL,
    ERROR_PERMISSION_DENIED,
    ERROR_TOKEN_EXPIRED,
    ERROR_TOO_MANY_REQUESTS,
    ERROR_UNKNOWN_CHANNEL,
    Error,
    ReplyError,
)
from fanjet.protocol.json_encoding.codec import UNIDIRECTIONAL_JSON
from fanjet.protocol.messages import ConnectRequest, SubscribeRequest
from fanjet.protocol.wire import WireFormat
from tests.client.client import FakeTransport
from tests.support.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.harness import Rig

LINES = WireFormat("uni-lines", UNIDIRECTIONAL_JSON, lambda message: message + b"\n")


class Listener:
    """A unidirectional client."""

    def __init__(self, rig: Rig, **options: Any) -> None:
        self.transport = FakeTransport()
        self.transport.wire = LINES
        self.transport.pushes_disconnect = True
        self.session = UnidirectionalSession(rig.context, self.transport, **options)
        self.transport.session = self.session

    @property
    def messages(self) -> list[Any]:
        return [json.loads(line) for line in b"".join(self.transport.writes).splitlines()]

    def connect(self, user: str = "ann", **request: Any) -> Any:
        """Connect and return the content of the connect push."""
        self.session.connect(ConnectRequest(token=token(user), **request))
        return self.messages[0]["connect"]


async def test_the_first_message_is_the_connect_push(rig: Rig) -> None:
    one = Listener(rig)
    session = one.session
    assert one.connect() == {"client": session.client_id, "version": "0", "ping": 25, "session": session.session_id}
    assert session.session_id != session.client_id
    assert rig.node.connections.select(ConnectionFilter("ann", session=session.session_id)) == [session]


async def test_wishes_are_granted_and_recover(rig: Rig) -> None:
    first = await rig.publish("full:a", b'"one"')
    await rig.publish("full:a", b'"two"')
    one = Listener(rig)
    wishes = {"full:a": SubscribeRequest(recover=True, offset=1, epoch=first.position.epoch)}
    subs = one.connect(subs=wishes | {"news": SubscribeRequest(), "$private": SubscribeRequest()})["subs"]
    assert subs.keys() == {"full:a", "news"}
    assert subs["full:a"]["recovered"] is True
    assert subs["full:a"]["publications"] == [{"data": "two", "offset": 2}]
    await rig.publish("full:a", b'"three"')
    await rig.settle()
    assert {"channel": "full:a", "pub": {"data": "three", "offset": 3}} in one.messages


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        pytest.param(ERROR_TOKEN_EXPIRED, 3005, "connection expired", id="109"),
        pytest.param(ERROR_EXPIRED, 3005, "connection expired", id="110"),
        pytest.param(ERROR_TOO_MANY_REQUESTS, 3013, "too many requests", id="111"),
        pytest.param(ERROR_PERMISSION_DENIED, 3507, "permission denied", id="103"),
        pytest.param(ERROR_UNKNOWN_CHANNEL, 3004, "internal server error", id="102"),
        pytest.param(ERROR_INTERNAL, 3004, "internal server error", id="100"),
    ],
)
async def test_an_error_becomes_a_disconnect(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, error: Error, code: int, reason: str
) -> None:
    async def refuse(*_: object) -> None:
        raise ReplyError(error)

    monkeypatch.setattr("fanjet.client.commands.connect.authenticate", refuse)
    one = Listener(rig)
    one.session.connect(ConnectRequest())
    assert one.messages == [{"disconnect": {"code": code, "reason": reason}}]
    assert one.session.refused_with is error
    rig.assert_nothing_left()


async def test_an_unexpected_error_is_logged_and_becomes_3004(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("fanjet.client.commands.connect.authenticate", fail)
    one = Listener(rig)
    one.session.connect(ConnectRequest())
    assert one.messages == [{"disconnect": {"code": 3004, "reason": "internal server error"}}]
    assert one.session.refused_with is ERROR_INTERNAL


async def test_a_configured_disconnect_takes_precedence(make_rig: Callable[..., Rig]) -> None:
    transforms = [
        {"code": 109, "to": {"code": 4108, "reason": "earlier"}},
        {"code": 109, "to": {"code": 4109, "reason": "renew"}},
    ]
    rig = make_rig(
        {"client": {"connect_code_to_unidirectional_disconnect": {"enabled": True, "transforms": transforms}}}
    )
    one = Listener(rig)
    one.session.connect(ConnectRequest(token=token("ann", exp=1)))
    assert one.messages == [{"disconnect": {"code": 4109, "reason": "renew"}}]


@pytest.mark.parametrize(
    ("error", "code"),
    [pytest.param(Error(100, "it is me"), 4100, id="a-backends"), pytest.param(ERROR_INTERNAL, 3004, id="our-own")],
)
async def test_an_error_of_the_servers_own_is_not_configured(
    make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, error: Error, code: int
) -> None:
    async def refuse(*_: object) -> None:
        raise ReplyError(error)

    monkeypatch.setattr("fanjet.client.commands.connect.authenticate", refuse)
    transforms = [{"code": 100, "to": {"code": 4100, "reason": "broken"}}]
    rig = make_rig(
        {"client": {"connect_code_to_unidirectional_disconnect": {"enabled": True, "transforms": transforms}}}
    )
    one = Listener(rig)
    one.session.connect(ConnectRequest())
    assert one.messages[0]["disconnect"]["code"] == code


async def test_pings_need_no_answer(rig: Rig) -> None:
    one = Listener(rig)
    one.connect()
    await rig.pass_time(60)
    assert one.messages[1:] == [{}, {}]
    assert one.transport.ended is None


async def test_a_transport_may_have_a_ping_interval_of_its_own(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig({"client": {"ping_interval": -1, "pong_timeout": -2}})
    one = Listener(rig, ping_interval=25.0)
    assert one.connect()["ping"] == 25
    await rig.pass_time(26)
    assert one.messages[1:] == [{}]


async def test_commands_of_other_requests_are_answered_between_the_pushes(rig: Rig) -> None:
    one = Listener(rig)
    one.connect()
    one.session.on_bytes(b'{"id":2,"subscribe":{"channel":"news"}}\n{"id":3,"publish":{"channel":"news","data":1}}')
    await rig.settle()
    assert one.messages[1] == {"id": 2, "subscribe": {}}
    assert {"id": 3, "publish": {}} in one.messages
    assert any(message.get("channel") == "news" and message["pub"]["data"] == 1 for message in one.messages)


@pytest.mark.parametrize("frame", [b"", b"x", b"{}", b'{"id":2,"connect":{}}'])
async def test_a_bad_command_of_another_request_ends_the_connection(rig: Rig, frame: bytes) -> None:
    one = Listener(rig)
    one.connect()
    one.session.on_bytes(frame)
    assert one.messages[1:] == [{"disconnect": {"code": 3501, "reason": "bad request"}}]


async def test_a_pong_of_another_request_is_taken(rig: Rig) -> None:
    one = Listener(rig)
    one.connect()
    await rig.pass_time(26)
    one.session.on_bytes(b"{}")
    assert one.transport.ended is None


async def test_no_connect_in_time_is_stale(rig: Rig) -> None:
    one = Listener(rig)
    await rig.pass_time(11)
    assert one.messages == [{"disconnect": {"code": 3502, "reason": "stale"}}]


async def test_data_that_is_no_json_ends_the_connection(rig: Rig) -> None:
    one = Listener(rig)
    one.connect()
    one.session.on_bytes(b'{"id":2,"subscribe":{"channel":"news"}}')
    await rig.publish("news", b"not json")
    await rig.settle()
    assert one.messages[-1] == {"disconnect": {"code": 3506, "reason": "inappropriate protocol"}}


async def test_after_the_end_nothing_happens(rig: Rig) -> None:
    one = Listener(rig)
    one.connect()
    one.session.disconnect(DISCONNECT_FORCE)
    written = len(one.transport.writes)
    one.session.connect(ConnectRequest(data=Raw(b"1")))
    one.session.on_bytes(b"{}")
    assert len(one.transport.writes) == written
    rig.assert_nothing_left()
