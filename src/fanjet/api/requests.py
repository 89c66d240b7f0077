"""Requests of the server API (05 §10), shared by all protocols.

Payloads are `msgspec.Raw`: the JSON text as sent, including `null`; empty when the field is absent. Protocols that
carry arbitrary bytes (gRPC, Python) use `bytes` instead, so `Raw` is always JSON. `label_filter` and `all_users` are
decoded so that wrong types are rejected, but not used yet (05 §6.3).
"""

from typing import Annotated

from msgspec import Meta, Raw

from fanjet.protocol.json_encoding.document import Document
from fanjet.protocol.messages import FilterNode, Int32, Int64, UInt32

UInt64 = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""64 bits unsigned. `msgspec` supports no larger bound; the lenient decoder reads larger values."""

NO_PAYLOAD = Raw()


class Request(Document, frozen=True):
    """Base class of all requests."""


class ChannelRequest(Request, frozen=True):
    """Base class of requests on one channel."""

    channel: str = ""


class StreamPosition(Document, frozen=True):
    """A position in a channel's stream."""

    offset: UInt64 = 0
    epoch: str = ""


class PublicationRequest(Request, frozen=True):
    """Fields shared by publish and broadcast (05 §6.1)."""

    data: Raw = NO_PAYLOAD
    b64data: str = ""
    skip_history: bool = False
    tags: dict[str, str] = {}
    idempotency_key: str = ""
    delta: bool = False
    version: UInt64 = 0
    version_epoch: str = ""


class PublishRequest(PublicationRequest, frozen=True):
    """05 §6.1."""

    channel: str = ""


class BroadcastRequest(PublicationRequest, frozen=True):
    """05 §6.2."""

    channels: list[str] = []


class BoolValue(Document, frozen=True):
    """A boolean that can be absent."""

    value: bool = False


class SubscribeOptionOverride(Document, frozen=True):
    """Namespace options overridden by one subscribe call."""

    presence: BoolValue | None = None
    join_leave: BoolValue | None = None
    force_recovery: BoolValue | None = None
    force_positioning: BoolValue | None = None
    force_push_join_leave: BoolValue | None = None


class ConnectionFilterRequest(Request, frozen=True):
    """Selects connections of a user, narrowed by the other fields (05 §1).

    Empty: anonymous.
    """

    user: str = ""
    client: str = ""
    session: str = ""
    label_filter: FilterNode | None = None
    all_users: bool = False


class SubscribeRequest(ConnectionFilterRequest, frozen=True):
    """05 §6.3. `expire_at` in Unix seconds."""

    channel: str = ""
    expire_at: Int64 = 0
    info: Raw = NO_PAYLOAD
    b64info: str = ""
    data: Raw = NO_PAYLOAD
    b64data: str = ""
    recover_since: StreamPosition | None = None
    override: SubscribeOptionOverride | None = None


class UnsubscribeRequest(ConnectionFilterRequest, frozen=True):
    """05 §6.4."""

    channel: str = ""


class CustomDisconnect(Document, frozen=True):
    """Code and reason of the disconnect, forwarded as given."""

    code: UInt32 = 0
    reason: str = ""


class DisconnectRequest(ConnectionFilterRequest, frozen=True):
    """05 §6.5. `whitelist`: client ids to keep."""

    disconnect: CustomDisconnect | None = None
    whitelist: list[str] = []


class RefreshRequest(ConnectionFilterRequest, frozen=True):
    """05 §6.6. `expire_at` in Unix seconds."""

    expired: bool = False
    expire_at: Int64 = 0
    info: Raw = NO_PAYLOAD


class PresenceRequest(ChannelRequest, frozen=True):
    """05 §6.7."""


class PresenceStatsRequest(ChannelRequest, frozen=True):
    """05 §6.8."""


class HistoryRequest(ChannelRequest, frozen=True):
    """05 §6.9. `limit` 0: only the position; negative: no limit."""

    limit: Int32 = 0
    since: StreamPosition | None = None
    reverse: bool = False


class HistoryRemoveRequest(ChannelRequest, frozen=True):
    """05 §6.10."""


class InfoRequest(Request, frozen=True):
    """05 §6.12."""


class ChannelsRequest(Request, frozen=True):
    """05 §6.11."""

    pattern: str = ""


class RPCRequest(Request, frozen=True):
    """05 §6.13."""

    method: str = ""
    params: Raw = NO_PAYLOAD


class MapPublishRequest(ChannelRequest, frozen=True):
    """05 §6.15."""

    key: str = ""
    data: Raw = NO_PAYLOAD
    b64data: str = ""
    stream_data: Raw = NO_PAYLOAD
    b64stream_data: str = ""
    tags: dict[str, str] = {}
    idempotency_key: str = ""
    delta: bool = False
    version: UInt64 = 0
    version_epoch: str = ""
    score: Int64 = 0
    key_mode: str = ""


class MapRemoveRequest(ChannelRequest, frozen=True):
    """05 §6.16."""

    key: str = ""
    idempotency_key: str = ""


class MapReadStateRequest(ChannelRequest, frozen=True):
    """05 §6.17."""

    cursor: str = ""
    limit: Int32 = 0
    key: str = ""
    asc: bool = False
    revision_offset: UInt64 = 0
    revision_epoch: str = ""


class MapReadStreamRequest(ChannelRequest, frozen=True):
    """05 §6.18."""

    since_offset: UInt64 = 0
    since_epoch: str = ""
    limit: Int32 = 0
    reverse: bool = False


class MapStatsRequest(ChannelRequest, frozen=True):
    """05 §6.19."""


class MapClearRequest(ChannelRequest, frozen=True):
    """05 §6.19."""


class SharedPollPublishRequest(ChannelRequest, frozen=True):
    """05 §6.20."""

    key: str = ""
    data: Raw = NO_PAYLOAD
    b64data: str = ""
    version: UInt64 = 0
    epoch: str = ""


class Command(Document, frozen=True):
    """One element of a batch: the first field that is set is executed (05 §6.14)."""

    publish: PublishRequest | None = None
    broadcast: BroadcastRequest | None = None
    subscribe: SubscribeRequest | None = None
    unsubscribe: UnsubscribeRequest | None = None
    disconnect: DisconnectRequest | None = None
    history: HistoryRequest | None = None
    history_remove: HistoryRemoveRequest | None = None
    presence: PresenceRequest | None = None
    presence_stats: PresenceStatsRequest | None = None
    info: InfoRequest | None = None
    rpc: RPCRequest | None = None
    refresh: RefreshRequest | None = None
    channels: ChannelsRequest | None = None
    map_publish: MapPublishRequest | None = None
    map_remove: MapRemoveRequest | None = None
    map_read_state: MapReadStateRequest | None = None
    map_read_stream: MapReadStreamRequest | None = None
    map_stats: MapStatsRequest | None = None
    map_clear: MapClearRequest | None = None
    shared_poll_publish: SharedPollPublishRequest | None = None


class BatchRequest(Request, frozen=True):
    """05 §6.14. A `None` command was sent as `null`."""

    commands: list[Command | None] = []
    parallel: bool = False


class LegacyCommand(Document, frozen=True):
    """One command of the legacy envelope (05 §2.8). `method` is a name or a number."""

    id: UInt32 = 0
    method: Raw = Raw(b"0")
    params: Raw = NO_PAYLOAD
