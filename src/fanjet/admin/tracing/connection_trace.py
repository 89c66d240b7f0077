"""Trace of the commands and messages of a connection.

It can also cover all connections of a user (10 I.2).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol, cast

import msgspec

from fanjet.node.connection_filter import ConnectionFilter

from .message_format import format_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.client.session import Session
    from fanjet.client.session_tap import SessionTaps
    from fanjet.events.unknown_replies import UnknownReply
    from fanjet.node.node import Node
    from fanjet.protocol.messages import Command

    Find = Callable[[], list[Session]]

MAX_PENDING_REPLIES = 1000
"""Commands whose send time is kept until the reply; the oldest is dropped beyond this."""
MAX_TRACED = 200
"""Connections that one trace follows: the anonymous user may have all of them."""


class EventSink(Protocol):
    """Receives events."""

    def emit(self, kind: str, content: Any, **fields: object) -> None:
        """Accept an event; see `event_line`."""

    def on_tick(self, callback: Callable[[], None]) -> None:
        """Call `callback` every half a second."""

    def on_end(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when the trace ends."""


def trace_client(node: Node, client: str, taps: SessionTaps, events: EventSink) -> None:
    """Trace one connection of this node, even if it connects later."""

    def find() -> list[Session]:
        session = node.connections.of_client(client)
        return [] if session is None else [cast("Session", session)]

    _Tracer(find, taps, events).start()


def trace_user(node: Node, user: str, taps: SessionTaps, events: EventSink) -> None:
    """Trace all connections of a user on this node.

    Later connections are traced from at most half a second after they connect.
    """
    _Tracer(lambda: cast("list[Session]", node.connections.select(ConnectionFilter(user))), taps, events).start()


class _Tracer:
    """Taps the matching sessions and looks for new ones on every tick."""

    def __init__(self, find: Find, taps: SessionTaps, events: EventSink) -> None:
        self._find = find
        self._taps = taps
        self._events = events
        self._tracked: set[Session] = set()
        self._limited = False
        self._sent_at: dict[tuple[Session, int], float] = {}

    def start(self) -> None:
        """Start; the trace runs until the sink ends."""
        self._events.on_tick(self._scan)
        self._events.on_end(self._stop)
        self._scan()

    def _scan(self) -> None:
        for session in [one for one in self._tracked if one.closed]:
            self._untrack(session)
            self._emit(session, "closed", {})
        matching = self._find()
        if len(matching) > MAX_TRACED and not self._limited:
            self._limited = True
            self._events.emit("limited", {"connections": len(matching), "watched": MAX_TRACED})
        for session in matching:
            if len(self._tracked) < MAX_TRACED and session not in self._tracked:
                self._tracked.add(session)
                self._taps.add(session, self)
                self._emit(session, "watching", {"transport": session.transport.name})

    def _stop(self) -> None:
        for session in list(self._tracked):
            self._untrack(session)

    def _untrack(self, session: Session) -> None:
        self._tracked.discard(session)
        self._sent_at = {key: at for key, at in self._sent_at.items() if key[0] is not session}
        self._taps.remove(session, self)

    # Callbacks of the session tap.

    def on_command(self, session: Session, command: Command) -> None:
        """The client has sent a command."""
        if command.id:
            if len(self._sent_at) >= MAX_PENDING_REPLIES:
                self._sent_at.pop(next(iter(self._sent_at)))
            self._sent_at[session, command.id] = time.perf_counter()
        self._emit(session, "command" if command.id or command.send else "pong", format_message(command))

    def on_message(self, session: Session, message: bytes) -> None:
        """A message is sent to the client."""
        if session.transport.wire.codec.name != "json":
            self._emit(session, "message", {"bytes": len(message), "base64": message})
            return
        command_id, pushed = _parse_message(message)
        started_at = self._sent_at.pop((session, command_id), None) if command_id else None
        fields: dict[str, Any] = (
            {} if started_at is None else {"ms": round((time.perf_counter() - started_at) * 1000, 2)}
        )
        self._emit(session, "reply" if command_id else "push", pushed or msgspec.Raw(message), **fields)

    def on_unknown_reply(self, session: Session, reply: UnknownReply) -> None:
        """A backend has answered an event of the client with none of the known keys."""
        content = {
            "problem": f"the reply of the {reply.event_type} proxy has no known key, so it allows",
            "proxy_name": reply.proxy_name,
            "endpoint": reply.endpoint,
            "keys": reply.keys,
        }
        self._emit(session, "warning", content)

    def _emit(self, session: Session, kind: str, content: Any, **fields: object) -> None:
        self._events.emit(kind, content, client=session.client_id, user=session.user, **fields)


class _Message(msgspec.Struct):
    id: int = 0
    push: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Message).decode


def _parse_message(message: bytes) -> tuple[int, msgspec.Raw]:
    """The ID of the command that a message replies to, or its push.

    They are 0 and empty for messages of unidirectional clients.
    """
    try:
        parsed = _decode(message)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return 0, msgspec.Raw()
    return parsed.id, parsed.push
