"""Authenticated connections of this node, by client id, user and session id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.protocol.tags_filter import InvalidFilter, TagsFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    from .connection_filter import ConnectionFilter
    from .session import Session


class Connections:
    """Registry of live connections.

    A user's only connection is stored without a dict of 200 bytes, since most users have one.
    """

    __slots__ = ("_by_client", "_by_session", "_by_user", "_count_threshold", "_on_threshold")

    def __init__(self) -> None:
        self._by_client: dict[str, Session] = {}
        self._by_user: dict[str, Session | dict[Session, None]] = {}
        self._by_session: dict[str, Session] = {}
        self._count_threshold = 0
        self._on_threshold: Callable[[], None] | None = None

    def on_count_reached(self, count: int, callback: Callable[[], None]) -> None:
        """Call `callback` once when the number of connections reaches `count`.

        Replaces an earlier callback.
        """
        self._count_threshold, self._on_threshold = count, callback

    def __len__(self) -> int:
        return len(self._by_client)

    @property
    def user_count(self) -> int:
        """Distinct users; all anonymous connections count as one."""
        return len(self._by_user)

    def add(self, session: Session) -> None:
        """Register an authenticated connection."""
        self._by_client[session.client_id] = session
        if session.session_id:
            self._by_session[session.session_id] = session
        entry = self._by_user.get(session.user)
        if entry is None:
            self._by_user[session.user] = session
        elif isinstance(entry, dict):
            entry[session] = None
        else:
            self._by_user[session.user] = {entry: None, session: None}
        if self._on_threshold is not None and len(self._by_client) >= self._count_threshold:
            callback, self._on_threshold = self._on_threshold, None
            callback()

    def remove(self, session: Session) -> bool:
        """Unregister a connection. False when it is not registered."""
        if self._by_client.get(session.client_id) is not session:
            return False
        del self._by_client[session.client_id]
        if session.session_id:
            self._by_session.pop(session.session_id, None)
        entry = self._by_user[session.user]
        if isinstance(entry, dict):
            del entry[session]
            if not entry:
                del self._by_user[session.user]
        else:
            del self._by_user[session.user]
        return True

    def count_of_user(self, user: str) -> int:
        """Connections of one user on this node."""
        entry = self._by_user.get(user)
        if entry is None:
            return 0
        return len(entry) if isinstance(entry, dict) else 1

    def of_client(self, client_id: str) -> Session | None:
        """The connection with this client id."""
        return self._by_client.get(client_id)

    def of_session(self, session_id: str) -> Session | None:
        """The connection with this session id: a unidirectional or emulated one."""
        return self._by_session.get(session_id)

    def all(self) -> list[Session]:
        """A snapshot of all connections."""
        return list(self._by_client.values())

    def select(self, connection_filter: ConnectionFilter) -> list[Session]:
        """The connections that match the filter; none for an invalid label filter."""
        client, session, whitelist = connection_filter.client, connection_filter.session, connection_filter.whitelist
        found = [
            one
            for one in (self.all() if connection_filter.all_users else self._of_user(connection_filter.user))
            if (not client or one.client_id == client)
            and (not session or one.session_id == session)
            and one.client_id not in whitelist
        ]
        if connection_filter.label_filter is None:
            return found
        try:
            wanted = TagsFilter(connection_filter.label_filter)
        except InvalidFilter:
            return []
        return [one for one in found if wanted.matches(one.labels)]

    def _of_user(self, user: str) -> list[Session]:
        entry = self._by_user.get(user)
        if entry is None:
            return []
        return list(entry) if isinstance(entry, dict) else [entry]
