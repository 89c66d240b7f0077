"""Messages of the client protocol, for both encodings (01 §3.1, §3.3, §3.4).

Incoming payloads are `msgspec.Raw` (the JSON text or the Protobuf bytes as sent); outgoing ones are `bytes`. A field
that is `None` or has its zero value is absent on the wire, except those that 01 §2.2 lists as always present.

Decoded messages contain no reference cycles, so the garbage collector does not track them.
"""

from collections.abc import Sequence
from typing import Annotated, Final

from msgspec import Meta, Raw, Struct

from .json_encoding.document import Document
from .publication import ClientInfo, EncodedPublication, Publication, StreamPosition

Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
UInt32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
UInt64 = Annotated[int, Meta(ge=0)]
"""Bounded above by `require_uint64`: msgspec knows no bound beyond 2**63 - 1."""

NO_PAYLOAD = Raw()


def require_uint64(number: int) -> None:
    """Raise ValueError if a number exceeds uint64.

    The decoder reports it as a wrong value.
    """
    if number >= 2**64:
        raise ValueError("Expected `int` < 2**64")


# ---------------------------------------------------------------------------------------------- client to server


class FilterNode(Document, frozen=True, gc=False):
    """A node of a tags filter (01 §11).

    `None` in `nodes` is a JSON `null`, which validation rejects.
    """

    op: str = ""
    key: str = ""
    cmp: str = ""
    val: str = ""
    vals: list[str] = []
    nodes: list["FilterNode | None"] = []


class SubscribeRequest(Document, frozen=True, gc=False):
    """Command `subscribe`.

    Also the recovery request for a server-side subscription in `connect`.
    """

    channel: str = ""
    token: str = ""
    recover: bool = False
    epoch: str = ""
    offset: UInt64 = 0
    data: Raw = NO_PAYLOAD
    positioned: bool = False
    recoverable: bool = False
    join_leave: bool = False
    delta: str = ""
    tf: FilterNode | None = None
    flag: Int64 = 0
    type: Int32 = 0
    phase: Int32 = 0
    cursor: str = ""
    limit: Int32 = 0
    asc: bool = False

    def __post_init__(self) -> None:
        if self.offset:
            require_uint64(self.offset)


class ConnectRequest(Document, frozen=True, gc=False):
    """Command `connect`."""

    token: str = ""
    data: Raw = NO_PAYLOAD
    subs: dict[str, SubscribeRequest] = {}
    name: str = ""
    version: str = ""
    headers: dict[str, str] = {}
    flag: Int64 = 0


class UnsubscribeRequest(Document, frozen=True, gc=False):
    """Command `unsubscribe`."""

    channel: str = ""


class PublishRequest(Document, frozen=True, gc=False):
    """Command `publish`; `type` 1 is a map publish."""

    channel: str = ""
    data: Raw = NO_PAYLOAD
    type: Int32 = 0
    key: str = ""
    removed: bool = False


class PresenceRequest(Document, frozen=True, gc=False):
    """Command `presence`."""

    channel: str = ""


class PresenceStatsRequest(Document, frozen=True, gc=False):
    """Command `presence_stats`."""

    channel: str = ""


class HistoryRequest(Document, frozen=True, gc=False):
    """Command `history`."""

    channel: str = ""
    limit: Int32 = 0
    since: StreamPosition | None = None
    reverse: bool = False

    def __post_init__(self) -> None:
        if self.since is not None:
            require_uint64(self.since.offset)


class PingRequest(Document, frozen=True, gc=False):
    """Command `ping`: defined by the protocol, never available."""


class SendRequest(Document, frozen=True, gc=False):
    """Command `send`: defined by the protocol, never available."""

    data: Raw = NO_PAYLOAD


class RPCRequest(Document, frozen=True, gc=False):
    """Command `rpc`."""

    data: Raw = NO_PAYLOAD
    method: str = ""


class RefreshRequest(Document, frozen=True, gc=False):
    """Command `refresh`."""

    token: str = ""


class KeyedItem(Document, frozen=True, gc=False):
    """A key to track on a shared poll subscription."""

    key: str = ""
    version: UInt64 = 0

    def __post_init__(self) -> None:
        require_uint64(self.version)


class TrackBatch(Document, frozen=True, gc=False):
    """Keys to track, with the signature that permits them."""

    signature: str = ""
    items: list[KeyedItem] = []


class SubRefreshRequest(Document, frozen=True, gc=False):
    """Command `sub_refresh`."""

    channel: str = ""
    token: str = ""
    type: Int32 = 0
    track: list[TrackBatch] = []
    untrack: list[str] = []


class Command(Document, frozen=True, gc=False):
    """One incoming command. Without `id` and `send` it is a pong (01 §4.1)."""

    id: UInt32 = 0
    connect: ConnectRequest | None = None
    subscribe: SubscribeRequest | None = None
    unsubscribe: UnsubscribeRequest | None = None
    publish: PublishRequest | None = None
    presence: PresenceRequest | None = None
    presence_stats: PresenceStatsRequest | None = None
    history: HistoryRequest | None = None
    ping: PingRequest | None = None
    send: SendRequest | None = None
    rpc: RPCRequest | None = None
    refresh: RefreshRequest | None = None
    sub_refresh: SubRefreshRequest | None = None


class EmulationRequest(Document, frozen=True, gc=False):
    """Commands sent by a separate request (02 §7.4), with the target node and session."""

    node: str = ""
    session: str = ""
    data: Raw = NO_PAYLOAD


# ---------------------------------------------------------------------------------------------- server to client
#
# With `omit_defaults` the JSON encoder may leave a message to msgspec.


class SubscribeResult(Struct, frozen=True, omit_defaults=True):
    """Result of `subscribe`.

    Also the result of one server-side subscription inside a connect result.
    """

    expires: bool = False
    ttl: int = 0
    recoverable: bool = False
    epoch: str = ""
    publications: Sequence[Publication | EncodedPublication] = []
    recovered: bool = False
    offset: int = 0
    positioned: bool = False
    data: bytes = b""
    was_recovering: bool = False
    delta: bool = False
    id: int = 0
    type: int = 0


EMPTY_SUBSCRIBE_RESULT: Final = SubscribeResult()
"""The result without options, the most frequent one. Compared by identity."""


class ConnectResult(Struct, frozen=True, omit_defaults=True):
    """Result of `connect`."""

    client: str = ""
    version: str = ""
    expires: bool = False
    ttl: int = 0
    data: bytes = b""
    subs: dict[str, SubscribeResult] = {}
    ping: int = 0
    pong: bool = False
    session: str = ""
    node: str = ""
    time: int = 0
    flag: int = 0


class ConnectPush(Struct, frozen=True, omit_defaults=True):
    """Push body `connect`: replaces the `ConnectResult` for unidirectional clients."""

    client: str = ""
    version: str = ""
    data: bytes = b""
    subs: dict[str, SubscribeResult] = {}
    expires: bool = False
    ttl: int = 0
    ping: int = 0
    pong: bool = False
    session: str = ""
    node: str = ""
    time: int = 0

    @classmethod
    def from_result(cls, result: ConnectResult) -> "ConnectPush":
        """Convert a connect result to a push."""
        return cls(**{name: getattr(result, name) for name in cls.__struct_fields__})


class UnsubscribeResult(Struct, frozen=True):
    """Result of `unsubscribe`."""


class PublishResult(Struct, frozen=True):
    """Result of `publish`."""


class PresenceResult(Struct, frozen=True):
    """Result of `presence`: client id to info."""

    presence: dict[str, ClientInfo]


class PresenceStatsResult(Struct, frozen=True):
    """Result of `presence_stats`."""

    num_clients: int
    num_users: int


class HistoryResult(Struct, frozen=True):
    """Result of `history`."""

    publications: Sequence[Publication]
    epoch: str
    offset: int


class RPCResult(Struct, frozen=True):
    """Result of `rpc`."""

    data: bytes = b""


class RefreshResult(Struct, frozen=True):
    """Result of `refresh`."""

    expires: bool = False
    ttl: int = 0


class SubRefreshResult(Struct, frozen=True):
    """Result of `sub_refresh`."""

    expires: bool = False
    ttl: int = 0


Result = (
    ConnectResult
    | SubscribeResult
    | UnsubscribeResult
    | PublishResult
    | PresenceResult
    | PresenceStatsResult
    | HistoryResult
    | RPCResult
    | RefreshResult
    | SubRefreshResult
)


class JoinPush(Struct, frozen=True):
    """Push body `join`."""

    info: ClientInfo


class LeavePush(Struct, frozen=True):
    """Push body `leave`."""

    info: ClientInfo


class UnsubscribePush(Struct, frozen=True):
    """Push body `unsubscribe`."""

    code: int
    reason: str


class SubscribePush(Struct, frozen=True):
    """Push body `subscribe`."""

    recoverable: bool = False
    epoch: str = ""
    offset: int = 0
    positioned: bool = False
    data: bytes = b""


class MessagePush(Struct, frozen=True):
    """Push body `message`."""

    data: bytes = b""


class DisconnectPush(Struct, frozen=True):
    """Push body `disconnect`."""

    code: int
    reason: str


class RefreshPush(Struct, frozen=True):
    """Push body `refresh`."""

    expires: bool = False
    ttl: int = 0


PushBody = (
    JoinPush | LeavePush | UnsubscribePush | SubscribePush | MessagePush | ConnectPush | DisconnectPush | RefreshPush
)
