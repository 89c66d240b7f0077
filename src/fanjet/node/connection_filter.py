"""Selects the connections of a server API operation (07 §14.4)."""

from __future__ import annotations

from collections.abc import Collection  # noqa: TC003 (msgspec reads the annotations)

from msgspec import Struct

from fanjet.protocol.messages import FilterNode  # noqa: TC001


class ConnectionFilter(Struct, frozen=True):
    """The connections that a server API operation applies to.

    These are the connections of `user` (empty: the anonymous ones), or of all users, restricted by client id,
    session id and labels, except for clients in the whitelist.
    """

    user: str
    client: str = ""
    session: str = ""
    whitelist: Collection[str] = ()
    label_filter: FilterNode | None = None
    all_users: bool = False
