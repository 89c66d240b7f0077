"""Answers to events (06 §5 to §12).

Payloads are bytes; times are Unix seconds, 0 for never.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from fanjet.protocol.capability import Capability
from fanjet.protocol.json_encoding.document import Document
from fanjet.protocol.messages import FilterNode


class Switch(Document, frozen=True):
    """An option that is set explicitly."""

    value: bool = False


class Override(Document, frozen=True):
    """Namespace options replaced for one subscription.

    None keeps the namespace's value.
    """

    presence: Switch | None = None
    join_leave: Switch | None = None
    force_recovery: Switch | None = None
    force_positioning: Switch | None = None
    force_push_join_leave: Switch | None = None


class Grant(Struct, frozen=True, kw_only=True):
    """A server-side subscription made at connect.

    `cache_recover`: deliver the latest publication at once, in cache mode. `server_tags_filter` is not validated.
    `unreadable`: the decoding error of its payloads, if any; the check of channels comes first (06 §5).
    """

    info: bytes = b""
    data: bytes = b""
    override: Override | None = None
    server_tags_filter: FilterNode | None = None
    cache_recover: bool = False
    unreadable: str = ""


class ConnectAnswer(Struct, frozen=True, kw_only=True):
    """Accept the client as `user`, with these server-side subscriptions.

    `data` goes into the connect reply.
    """

    user: str = ""
    expire_at: int = 0
    info: bytes = b""
    data: bytes = b""
    meta: bytes = b""
    subs: Mapping[str, Grant] = {}
    caps: Sequence[Capability] = ()
    labels: Mapping[str, str] | None = None


class RefreshAnswer(Struct, frozen=True, kw_only=True):
    """Extends the connection until `expire_at`, with these capabilities.

    `expire_at` must be in the future. Empty `info` and `meta` are unchanged.
    """

    expire_at: int
    info: bytes = b""
    meta: bytes = b""
    caps: Sequence[Capability] = ()


class SubscribeAnswer(Struct, frozen=True, kw_only=True):
    """Accept the subscription.

    `allow`: codes of capabilities in the channel. `data` goes into the subscribe reply.
    """

    expire_at: int = 0
    info: bytes = b""
    data: bytes = b""
    override: Override | None = None
    allow: Sequence[str] = ()
    server_tags_filter: FilterNode | None = None


class PublishAnswer(Struct, frozen=True, kw_only=True):
    """Accept the publication, with these options. `data` None: as sent by the client."""

    data: bytes | None = None
    skip_history: bool = False
    tags: Mapping[str, str] | None = None
    idempotency_key: str = ""
    delta: bool = False
    version: int = 0
    version_epoch: str = ""


class SubRefreshAnswer(Struct, frozen=True, kw_only=True):
    """Extend the subscription until `expire_at`, 0 or less for no expiry.

    Empty `info` is unchanged.
    """

    expire_at: int = 0
    info: bytes = b""
