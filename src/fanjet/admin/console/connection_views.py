"""The connections of this node as the consoles of all nodes list and show them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from fanjet.channels.subscription import Source

from ..requests import MAX_PAGE
from ..tracing.message_format import payload

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.client.session import Session
    from fanjet.client.subscriptions.subscription import Subscription
    from fanjet.node.node import Node

    from ..requests import Parameters

    Test = Callable[[Session], bool]

PER_SLICE = 2000
"""Connections that are looked at before others get their turn."""


class ConnectionPages:
    """Answers about connections. `now`: the clock of their deadlines, monotonic seconds."""

    def __init__(self, node: Node, now: Callable[[], float]) -> None:
        self._node = node
        self._now = now

    async def page(self, asked: Parameters) -> dict[str, Any]:
        """One page of the connections that pass all tests that are asked for, the newest first: `limit` after
        `offset`, with the number of all that pass."""
        tests = _tests(asked)
        offset = asked.number("offset")
        limit = asked.number("limit", 50, at_most=MAX_PAGE)
        total, rows = 0, []
        for number, session in enumerate(reversed(self._sessions(asked)), 1):
            if all(passes(session) for passes in tests):
                if offset <= total < offset + limit:
                    rows.append(_row(session))
                total += 1
            if number % PER_SLICE == 0:
                await asyncio.sleep(0)
        return {"connections": rows, "total": total, "of": len(self._node.connections)}

    async def one(self, asked: Parameters) -> dict[str, Any] | None:
        """Everything that is known of one connection; None when it is not here."""
        session = self.find(asked.needed("client"))
        if session is None:
            return None
        deadlines = session.deadlines
        return {
            **_row(session),
            "state": session.state.name.lower(),
            "session": session.session_id,
            "emulated": session.transport.emulated,
            "wire": session.transport.wire.name,
            "info": payload(session.info),
            "meta": payload(session.meta),
            "expire_at": session.expire_at,
            "last_command": session.last_command,
            "ping_outstanding": session.ping_outstanding,
            "ping_in": self._seconds_to(deadlines.ping),
            "closes_unless_pong_in": self._seconds_to(deadlines.pong),
            "write_blocked": session.is_blocked,
            "queue_limit": session.context.settings.queue_max_size,
            "subscriptions": [self._subscription(one) for one in session.subscriptions.values()],
        }

    def find(self, client: str) -> Session | None:
        """A connection by its client id."""
        return cast("Session | None", self._node.connections.of_client(client))

    def _sessions(self, asked: Parameters) -> list[Session]:
        client = asked.text("client")
        one = self._node.connections.of_client(client) if client else None
        return cast("list[Session]", [one] if one is not None else self._node.connections.all())

    def _seconds_to(self, deadline: float) -> float | None:
        left = deadline - self._now()
        return None if left == float("inf") else round(left, 1)

    def _subscription(self, subscription: Subscription) -> dict[str, Any]:
        offset, epoch = self.position(subscription)
        delivery = subscription.delivery
        options = subscription.options
        return {
            "channel": subscription.channel,
            "state": self.place(subscription),
            "server_side": subscription.server_side,
            "source": options.source.name.lower().replace("_", " "),
            "source_code": int(options.source),
            "recovery": options.recovery,
            "presence": options.presence,
            "positioned": delivery.positioned,
            "offset": offset if delivery.positioned else None,
            "epoch": epoch if delivery.positioned else None,
            "delta": delivery.delta,
            "filtered": delivery.tags_filter is not None,
            "expire_at": subscription.expire_at,
            "stream_proxy": options.source is Source.STREAM_PROXY,
        }

    def place(self, subscription: Subscription) -> str:
        """How the hub delivers to a subscription: `subscribing`, `live`, `apart` (ahead of the rest) or `gone`."""
        if not subscription.in_hub:
            return "live" if subscription.active else "subscribing"
        if subscription.buffer is not None:
            return "subscribing"
        live = self._node.hub.channels[subscription.channel]
        return "apart" if live.apart.get(subscription.session) is subscription else "live"

    def position(self, subscription: Subscription) -> tuple[int, str]:
        """Up to where a positioned subscription has been delivered to."""
        live = self._node.hub.channels.get(subscription.channel)
        if live is None or live.apart.get(subscription.session) is subscription:
            return subscription.offset, subscription.epoch
        return live.offset, live.epoch


def _row(session: Session) -> dict[str, Any]:
    return {
        "client": session.client_id,
        "user": session.user,
        "transport": session.transport.name,
        "encoding": session.transport.wire.codec.name,
        "address": address(session),
        "labels": dict(session.labels or {}),
        "name": session.agent.name,
        "version": session.agent.version,
        "since": session.agent.since,
        "latency": session.latency,
        "subscriptions": len(session.subscriptions),
        "queued_bytes": session.backlog_size,
    }


def address(session: Session) -> str:
    """Where the connection comes from; empty where its transport does not know."""
    return getattr(session.transport, "peer", "")


def _tests(asked: Parameters) -> list[Test]:
    tests: list[Test] = []
    if asked.is_given("user"):
        user = asked.text("user")
        tests.append(lambda session: session.user == user)
    if client := asked.text("client"):
        tests.append(lambda session: session.client_id == client)
    if transport := asked.text("transport"):
        tests.append(lambda session: session.transport.name == transport)
    if channel := asked.text("channel"):
        tests.append(lambda session: channel in session.subscriptions)
    if ip := asked.text("ip"):
        tests.append(lambda session: ip in address(session))
    if label := asked.text("label"):
        tests.append(_labelled(label))
    if name := asked.text("name").lower():
        tests.append(lambda session: name in f"{session.agent.name} {session.agent.version}".lower())
    if text := asked.text("q").lower():
        tests.append(lambda session: text in session.user.lower() or session.client_id.startswith(text))
    return tests


def _labelled(label: str) -> Test:
    name, has_value, value = label.partition("=")

    def test(session: Session) -> bool:
        found = (session.labels or {}).get(name.strip())
        return found is not None and (not has_value or found == value.strip())

    return test
