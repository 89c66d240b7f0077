"""What the application answers to an event (06 §5 to §12). Payloads are bytes; times are Unix seconds, 0 for never."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from fanjet.protocol.capability import Capability
from fanjet.protocol.json_encoding.document import Document
from fanjet.protocol.messages import FilterNode


class Switch(Document, frozen=True):
    """An option that is set, as opposed to one that is left alone."""

    value: bool = False


class Override(Document, frozen=True):
    """Namespace options that hold differently for one subscription; None keeps the namespace's."""

    presence: Switch | None = None
    join_leave: Switch | None = None
    force_recovery: Switch | None = None
    force_positioning: Switch | None = None
    force_push_join_leave: Switch | None = None


class Grant(Struct, frozen=True, kw_only=True):
    """A server-side subscription made when a client connects.

    `cache_recover`: deliver the latest publication at once, in cache mode. `server_tags_filter` is not validated.
    `unreadable`: why its payloads could not be decoded, if so; which channels there are counts before that (06 §5).
    """

    info: bytes = b""
    data: bytes = b""
    override: Override | None = None
    server_tags_filter: FilterNode | None = None
    cache_recover: bool = False
    unreadable: str = ""


class ConnectAnswer(Struct, frozen=True, kw_only=True):
    """The client may connect as `user`, with these server-side subscriptions. `data` goes into the connect reply."""

    user: str = ""
    expire_at: int = 0
    info: bytes = b""
    data: bytes = b""
    meta: bytes = b""
    subs: Mapping[str, Grant] = {}
    caps: Sequence[Capability] = ()
    labels: Mapping[str, str] | None = None


class RefreshAnswer(Struct, frozen=True, kw_only=True):
    """The connection goes on until `expire_at`, which must be in the future, with these capabilities. Empty `info` and
    `meta` stay as they were."""

    expire_at: int
    info: bytes = b""
    meta: bytes = b""
    caps: Sequence[Capability] = ()


class SubscribeAnswer(Struct, frozen=True, kw_only=True):
    """The client may subscribe. `allow`: codes of capabilities in the channel. `data` goes into the subscribe reply."""

    expire_at: int = 0
    info: bytes = b""
    data: bytes = b""
    override: Override | None = None
    allow: Sequence[str] = ()
    server_tags_filter: FilterNode | None = None


class PublishAnswer(Struct, frozen=True, kw_only=True):
    """The publication may be made, with these options. `data` None: as the client sent it."""

    data: bytes | None = None
    skip_history: bool = False
    tags: Mapping[str, str] | None = None
    idempotency_key: str = ""
    delta: bool = False
    version: int = 0
    version_epoch: str = ""


class SubRefreshAnswer(Struct, frozen=True, kw_only=True):
    """The subscription goes on until `expire_at`, 0 or less for ever. Empty `info` stays as it was."""

    expire_at: int = 0
    info: bytes = b""
