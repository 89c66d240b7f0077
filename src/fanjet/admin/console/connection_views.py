"""Lists and details of this node's connections, for the consoles of all nodes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from fanjet.channels.subscription import Source

from ..requests import MAX_PAGE
from ..tracing.message_format import format_payload

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.client.session import Session
    from fanjet.client.subscriptions.subscription import Subscription
    from fanjet.node.node import Node

    from ..requests import Parameters

    Predicate = Callable[[Session], bool]

SLICE_SIZE = 2000
"""Connections that are filtered in one event loop turn."""


class ConnectionViews:
    """Lists connections and describes one.

    `now` is the clock of their deadlines (monotonic seconds).
    """

    def __init__(self, node: Node, now: Callable[[], float]) -> None:
        self._node = node
        self._now = now

    async def list_page(self, params: Parameters) -> dict[str, Any]:
        """A page of the connections that match all filters, newest first.

        It has `limit` rows after `offset`, and the total number of matches.
        """
        predicates = _predicates(params)
        offset = params.number("offset")
        limit = params.number("limit", 50, at_most=MAX_PAGE)
        total, rows = 0, []
        for number, session in enumerate(reversed(self._sessions(params)), 1):
            if all(predicate(session) for predicate in predicates):
                if offset <= total < offset + limit:
                    rows.append(_row(session))
                total += 1
            if number % SLICE_SIZE == 0:
                await asyncio.sleep(0)
        return {"connections": rows, "total": total, "of": len(self._node.connections)}

    async def detail(self, params: Parameters) -> dict[str, Any] | None:
        """All details of one connection; None when it is not on this node."""
        session = self.find(params.required("client"))
        if session is None:
            return None
        deadlines = session.deadlines
        return {
            **_row(session),
            "state": session.state.name.lower(),
            "session": session.session_id,
            "emulated": session.transport.emulated,
            "wire": session.transport.wire.name,
            "info": format_payload(session.info),
            "meta": format_payload(session.meta),
            "expire_at": session.expire_at,
            "last_command": session.last_command,
            "ping_outstanding": session.ping_outstanding,
            "ping_in": self._seconds_until(deadlines.ping),
            "closes_unless_pong_in": self._seconds_until(deadlines.pong),
            "write_blocked": session.is_blocked,
            "queue_limit": session.context.settings.queue_max_size,
            "subscriptions": [self._subscription(each) for each in session.subscriptions.values()],
        }

    def find(self, client: str) -> Session | None:
        """Return a connection by its client ID."""
        return cast("Session | None", self._node.connections.of_client(client))

    def _sessions(self, params: Parameters) -> list[Session]:
        client = params.text("client")
        session = self._node.connections.of_client(client) if client else None
        return cast("list[Session]", [session] if session is not None else self._node.connections.all())

    def _seconds_until(self, deadline: float) -> float | None:
        left = deadline - self._now()
        return None if left == float("inf") else round(left, 1)

    def _subscription(self, subscription: Subscription) -> dict[str, Any]:
        offset, epoch = self.position(subscription)
        delivery = subscription.delivery
        options = subscription.options
        return {
            "channel": subscription.channel,
            "state": self.delivery_state(subscription),
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

    def delivery_state(self, subscription: Subscription) -> str:
        """The delivery state of a subscription: `subscribing`, `live` or `apart`.

        `apart` means that its position differs from the channel's.
        """
        if not subscription.in_hub:
            return "live" if subscription.active else "subscribing"
        if subscription.buffer is not None:
            return "subscribing"
        live = self._node.hub.channels[subscription.channel]
        return "apart" if live.ungrouped.get(subscription.session) is subscription else "live"

    def position(self, subscription: Subscription) -> tuple[int, str]:
        """The stream position up to which a positioned subscription has been delivered."""
        live = self._node.hub.channels.get(subscription.channel)
        if live is None or live.ungrouped.get(subscription.session) is subscription:
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
        "name": session.connect_info.name,
        "version": session.connect_info.version,
        "since": session.connect_info.connected_at,
        "latency": session.latency,
        "subscriptions": len(session.subscriptions),
        "queued_bytes": session.backlog_size,
    }


def address(session: Session) -> str:
    """The peer's address; empty when the transport does not know it."""
    return getattr(session.transport, "peer", "")


def _predicates(params: Parameters) -> list[Predicate]:
    predicates: list[Predicate] = []
    if params.has("user"):
        user = params.text("user")
        predicates.append(lambda session: session.user == user)
    if client := params.text("client"):
        predicates.append(lambda session: session.client_id == client)
    if transport := params.text("transport"):
        predicates.append(lambda session: session.transport.name == transport)
    if channel := params.text("channel"):
        predicates.append(lambda session: channel in session.subscriptions)
    if ip := params.text("ip"):
        predicates.append(lambda session: ip in address(session))
    if label := params.text("label"):
        predicates.append(_has_label(label))
    if name := params.text("name").lower():
        predicates.append(lambda session: name in f"{session.connect_info.name} {session.connect_info.version}".lower())
    if text := params.text("q").lower():
        predicates.append(lambda session: text in session.user.lower() or session.client_id.startswith(text))
    return predicates


def _has_label(label: str) -> Predicate:
    name, has_value, value = label.partition("=")

    def test(session: Session) -> bool:
        label_value = (session.labels or {}).get(name.strip())
        return label_value is not None and (not has_value or label_value == value.strip())

    return test
