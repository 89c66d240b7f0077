"""The identity a connection gets when it authenticates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fanjet.channels.subscription import SubscriptionOptions
    from fanjet.protocol.capability import Capability


class Credentials(Struct, eq=False):
    """An accepted identity and its server-side subscriptions.

    `expire_at` in Unix seconds, 0 for never; `data` goes into the connect reply.
    """

    user: str
    expire_at: int = 0
    info: bytes = b""
    meta: bytes = b""
    labels: Mapping[str, str] | None = None
    capabilities: Sequence[Capability] = ()
    subscriptions: dict[str, SubscriptionOptions] = {}
    data: bytes = b""
