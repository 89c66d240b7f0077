"""What one connection, or all of a user's, say and are told (10 I.2)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol, cast

import msgspec

from fanjet.node.connection_filter import Selection

from .message_format import readable

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.client.session import Session
    from fanjet.client.session_tap import Watching
    from fanjet.node.node import Node
    from fanjet.protocol.messages import Command

    Find = Callable[[], list[Session]]

SLOWEST_REPLIES = 1000
"""Commands that may wait for their replies before the oldest is forgotten."""
MOST_WATCHED = 200
"""Connections that one trace listens to: the anonymous user may have all there are."""


class Events(Protocol):
    """Where events go."""

    def tell(self, kind: str, content: Any, **about: object) -> None:
        """Take an event; see `event_line`."""

    def on_tick(self, call: Callable[[], None]) -> None:
        """Call this every half a second."""

    def on_end(self, call: Callable[[], None]) -> None:
        """Call this once, when no events are wanted any more."""


def trace_client(node: Node, client: str, watching: Watching, events: Events) -> None:
    """Tell about one connection of this node, also when it comes only later."""

    def find() -> list[Session]:
        session = node.connections.of_client(client)
        return [] if session is None else [cast("Session", session)]

    _Tracer(find, watching, events).begin()


def trace_user(node: Node, user: str, watching: Watching, events: Events) -> None:
    """Tell about all connections of a user on this node; of one that comes later, from half a second after."""
    _Tracer(lambda: cast("list[Session]", node.connections.select(Selection(user))), watching, events).begin()


class _Tracer:
    """Watches the sessions that are found, and looks for new ones all the time."""

    def __init__(self, find: Find, watching: Watching, events: Events) -> None:
        self._find = find
        self._watching = watching
        self._events = events
        self._watched: set[Session] = set()
        self._limited = False
        self._sent_at: dict[tuple[Session, int], float] = {}

    def begin(self) -> None:
        """Begin, and go on until no events are wanted any more."""
        self._events.on_tick(self._look)
        self._events.on_end(self._end)
        self._look()

    def _look(self) -> None:
        for session in [one for one in self._watched if one.closed]:
            self._forget(session)
            self._tell(session, "closed", {})
        found = self._find()
        if len(found) > MOST_WATCHED and not self._limited:
            self._limited = True
            self._events.tell("limited", {"connections": len(found), "watched": MOST_WATCHED})
        for session in found:
            if len(self._watched) < MOST_WATCHED and session not in self._watched:
                self._watched.add(session)
                self._watching.add(session, self)
                self._tell(session, "watching", {"transport": session.transport.name})

    def _end(self) -> None:
        for session in list(self._watched):
            self._forget(session)

    def _forget(self, session: Session) -> None:
        self._watched.discard(session)
        self._sent_at = {key: at for key, at in self._sent_at.items() if key[0] is not session}
        self._watching.remove(session, self)

    # What is heard.

    def on_command(self, session: Session, command: Command) -> None:
        """The client has sent a command."""
        if command.id:
            if len(self._sent_at) >= SLOWEST_REPLIES:
                self._sent_at.pop(next(iter(self._sent_at)))
            self._sent_at[session, command.id] = time.perf_counter()
        self._tell(session, "command" if command.id or command.send else "pong", readable(command))

    def on_message(self, session: Session, message: bytes) -> None:
        """A message goes to the client."""
        if session.transport.wire.codec.name != "json":
            self._tell(session, "message", {"bytes": len(message), "base64": message})
            return
        command_id, pushed = _opened(message)
        took = self._sent_at.pop((session, command_id), None) if command_id else None
        about: dict[str, Any] = {} if took is None else {"ms": round((time.perf_counter() - took) * 1000, 2)}
        self._tell(session, "reply" if command_id else "push", pushed or msgspec.Raw(message), **about)

    def _tell(self, session: Session, kind: str, content: Any, **about: object) -> None:
        self._events.tell(kind, content, client=session.client_id, user=session.user, **about)


class _Message(msgspec.Struct):
    id: int = 0
    push: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Message).decode


def _opened(message: bytes) -> tuple[int, msgspec.Raw]:
    """The command that a message answers, or the push in it; 0 and empty for what unidirectional clients are told."""
    try:
        opened = _decode(message)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return 0, msgspec.Raw()
    return opened.id, opened.push
