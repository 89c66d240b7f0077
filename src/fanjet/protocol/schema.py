"""Field numbers and types of every message (01 §3).

One table for both encoders and the Protobuf decoder. Names are those of the structs in `messages` and `publication`,
and the same in both encodings.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from operator import attrgetter
from typing import Any, Final

from msgspec import Struct

from .codes import Error
from .messages import (
    Command,
    ConnectPush,
    ConnectRequest,
    ConnectResult,
    DisconnectPush,
    EmulationRequest,
    FilterNode,
    HistoryRequest,
    HistoryResult,
    JoinPush,
    KeyedItem,
    LeavePush,
    MessagePush,
    PingRequest,
    PresenceRequest,
    PresenceResult,
    PresenceStatsRequest,
    PresenceStatsResult,
    PublishRequest,
    PublishResult,
    RefreshPush,
    RefreshRequest,
    RefreshResult,
    RPCRequest,
    RPCResult,
    SendRequest,
    SubRefreshRequest,
    SubRefreshResult,
    SubscribePush,
    SubscribeRequest,
    SubscribeResult,
    TrackBatch,
    UnsubscribePush,
    UnsubscribeRequest,
    UnsubscribeResult,
)
from .publication import ClientInfo, Publication, StreamPosition


class Scalar(Enum):
    """Types of fields that hold no message."""

    BOOL = auto()
    INT32 = auto()
    INT64 = auto()
    UINT32 = auto()
    UINT64 = auto()
    SINT64 = auto()
    STRING = auto()
    BYTES = auto()


class Shape(Enum):
    """The cardinality of a field. Map keys are strings."""

    ONE = auto()
    LIST = auto()
    MAP = auto()


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message. `always`: JSON includes it even if it is zero (01 §2.2)."""

    number: int
    name: str
    kind: Scalar | type[Struct]
    shape: Shape = Shape.ONE
    always: bool = False


MAX_FILTER_DEPTH: Final = 64
"""Maximum nesting of tags filter nodes (01 §17 FIX 12)."""

_BOOL, _INT32, _INT64, _UINT32 = Scalar.BOOL, Scalar.INT32, Scalar.INT64, Scalar.UINT32
_UINT64, _SINT64, _STRING, _BYTES = Scalar.UINT64, Scalar.SINT64, Scalar.STRING, Scalar.BYTES
_LIST, _MAP = Shape.LIST, Shape.MAP

SCHEMA: Final[dict[type[Struct], tuple[Field, ...]]] = {
    # client to server
    Command: (
        Field(1, "id", _UINT32),
        Field(4, "connect", ConnectRequest),
        Field(5, "subscribe", SubscribeRequest),
        Field(6, "unsubscribe", UnsubscribeRequest),
        Field(7, "publish", PublishRequest),
        Field(8, "presence", PresenceRequest),
        Field(9, "presence_stats", PresenceStatsRequest),
        Field(10, "history", HistoryRequest),
        Field(11, "ping", PingRequest),
        Field(12, "send", SendRequest),
        Field(13, "rpc", RPCRequest),
        Field(14, "refresh", RefreshRequest),
        Field(15, "sub_refresh", SubRefreshRequest),
    ),
    ConnectRequest: (
        Field(1, "token", _STRING),
        Field(2, "data", _BYTES),
        Field(3, "subs", SubscribeRequest, _MAP),
        Field(4, "name", _STRING),
        Field(5, "version", _STRING),
        Field(6, "headers", _STRING, _MAP),
        Field(7, "flag", _INT64),
    ),
    SubscribeRequest: (
        Field(1, "channel", _STRING),
        Field(2, "token", _STRING),
        Field(3, "recover", _BOOL),
        Field(6, "epoch", _STRING),
        Field(7, "offset", _UINT64),
        Field(8, "data", _BYTES),
        Field(9, "positioned", _BOOL),
        Field(10, "recoverable", _BOOL),
        Field(11, "join_leave", _BOOL),
        Field(12, "delta", _STRING),
        Field(13, "tf", FilterNode),
        Field(14, "flag", _INT64),
        Field(15, "type", _INT32),
        Field(16, "phase", _INT32),
        Field(17, "cursor", _STRING),
        Field(18, "limit", _INT32),
        Field(19, "asc", _BOOL),
    ),
    FilterNode: (
        Field(1, "op", _STRING),
        Field(2, "key", _STRING),
        Field(3, "cmp", _STRING),
        Field(4, "val", _STRING),
        Field(5, "vals", _STRING, _LIST),
        Field(6, "nodes", FilterNode, _LIST),
    ),
    UnsubscribeRequest: (Field(1, "channel", _STRING),),
    PublishRequest: (
        Field(1, "channel", _STRING),
        Field(2, "data", _BYTES),
        Field(3, "type", _INT32),
        Field(4, "key", _STRING),
        Field(5, "removed", _BOOL),
    ),
    PresenceRequest: (Field(1, "channel", _STRING),),
    PresenceStatsRequest: (Field(1, "channel", _STRING),),
    HistoryRequest: (
        Field(1, "channel", _STRING),
        Field(7, "limit", _INT32),
        Field(8, "since", StreamPosition),
        Field(9, "reverse", _BOOL),
    ),
    StreamPosition: (Field(1, "offset", _UINT64), Field(2, "epoch", _STRING)),
    PingRequest: (),
    SendRequest: (Field(1, "data", _BYTES),),
    RPCRequest: (Field(1, "data", _BYTES), Field(2, "method", _STRING)),
    RefreshRequest: (Field(1, "token", _STRING),),
    KeyedItem: (Field(1, "key", _STRING), Field(2, "version", _UINT64)),
    TrackBatch: (Field(1, "signature", _STRING), Field(2, "items", KeyedItem, _LIST)),
    SubRefreshRequest: (
        Field(1, "channel", _STRING),
        Field(2, "token", _STRING),
        Field(3, "type", _INT32),
        Field(4, "track", TrackBatch, _LIST),
        Field(5, "untrack", _STRING, _LIST),
    ),
    EmulationRequest: (Field(1, "node", _STRING), Field(2, "session", _STRING), Field(3, "data", _BYTES)),
    # server to client
    Error: (Field(1, "code", _UINT32), Field(2, "message", _STRING), Field(3, "temporary", _BOOL)),
    ClientInfo: (
        Field(1, "user", _STRING, always=True),
        Field(2, "client", _STRING, always=True),
        Field(3, "conn_info", _BYTES),
        Field(4, "chan_info", _BYTES),
    ),
    Publication: (
        Field(4, "data", _BYTES),
        Field(5, "info", ClientInfo),
        Field(6, "offset", _UINT64),
        Field(7, "tags", _STRING, _MAP),
        Field(10, "channel", _STRING),
        Field(11, "key", _STRING),
        Field(12, "removed", _BOOL),
        Field(13, "score", _SINT64),
        Field(14, "epoch", _STRING),
        Field(16, "version", _UINT64),
    ),
    ConnectResult: (
        Field(1, "client", _STRING),
        Field(2, "version", _STRING),
        Field(3, "expires", _BOOL),
        Field(4, "ttl", _UINT32),
        Field(5, "data", _BYTES),
        Field(6, "subs", SubscribeResult, _MAP),
        Field(7, "ping", _UINT32),
        Field(8, "pong", _BOOL),
        Field(9, "session", _STRING),
        Field(10, "node", _STRING),
        Field(11, "time", _INT64),
        Field(12, "flag", _INT64),
    ),
    SubscribeResult: (
        Field(1, "expires", _BOOL),
        Field(2, "ttl", _UINT32),
        Field(3, "recoverable", _BOOL),
        Field(6, "epoch", _STRING),
        Field(7, "publications", Publication, _LIST),
        Field(8, "recovered", _BOOL),
        Field(9, "offset", _UINT64),
        Field(10, "positioned", _BOOL),
        Field(11, "data", _BYTES),
        Field(12, "was_recovering", _BOOL),
        Field(13, "delta", _BOOL),
        Field(14, "id", _INT64),
        Field(15, "type", _INT32),
    ),
    UnsubscribeResult: (),
    PublishResult: (),
    PresenceResult: (Field(1, "presence", ClientInfo, _MAP, always=True),),
    PresenceStatsResult: (
        Field(1, "num_clients", _UINT32, always=True),
        Field(2, "num_users", _UINT32, always=True),
    ),
    HistoryResult: (
        Field(1, "publications", Publication, _LIST, always=True),
        Field(2, "epoch", _STRING, always=True),
        Field(3, "offset", _UINT64, always=True),
    ),
    RPCResult: (Field(1, "data", _BYTES),),
    RefreshResult: (Field(3, "expires", _BOOL), Field(4, "ttl", _UINT32)),
    SubRefreshResult: (Field(1, "expires", _BOOL), Field(2, "ttl", _UINT32)),
    JoinPush: (Field(1, "info", ClientInfo),),
    LeavePush: (Field(1, "info", ClientInfo),),
    UnsubscribePush: (Field(2, "code", _UINT32), Field(3, "reason", _STRING)),
    SubscribePush: (
        Field(1, "recoverable", _BOOL),
        Field(4, "epoch", _STRING),
        Field(5, "offset", _UINT64),
        Field(6, "positioned", _BOOL),
        Field(7, "data", _BYTES),
    ),
    MessagePush: (Field(1, "data", _BYTES),),
    ConnectPush: (
        Field(1, "client", _STRING),
        Field(2, "version", _STRING),
        Field(3, "data", _BYTES),
        Field(4, "subs", SubscribeResult, _MAP),
        Field(5, "expires", _BOOL),
        Field(6, "ttl", _UINT32),
        Field(7, "ping", _UINT32),
        Field(8, "pong", _BOOL),
        Field(9, "session", _STRING),
        Field(10, "node", _STRING),
        Field(11, "time", _INT64),
    ),
    DisconnectPush: (Field(1, "code", _UINT32), Field(2, "reason", _STRING)),
    RefreshPush: (Field(1, "expires", _BOOL), Field(2, "ttl", _UINT32)),
}

REPLY_ERROR: Final = 2
REPLY_PUSH: Final = 4
RESULT_FIELDS: Final[dict[type[Struct], tuple[int, str]]] = {
    ConnectResult: (5, "connect"),
    SubscribeResult: (6, "subscribe"),
    UnsubscribeResult: (7, "unsubscribe"),
    PublishResult: (8, "publish"),
    PresenceResult: (9, "presence"),
    PresenceStatsResult: (10, "presence_stats"),
    HistoryResult: (11, "history"),
    RPCResult: (13, "rpc"),
    RefreshResult: (14, "refresh"),
    SubRefreshResult: (15, "sub_refresh"),
}
"""Number and name of the reply field for each result."""

PUSH_ID: Final = 1
PUSH_CHANNEL: Final = 2
PUSH_PUBLICATION: Final = 4
PUSH_FIELDS: Final[dict[type[Struct], tuple[int, str]]] = {
    JoinPush: (5, "join"),
    LeavePush: (6, "leave"),
    UnsubscribePush: (7, "unsubscribe"),
    MessagePush: (8, "message"),
    SubscribePush: (9, "subscribe"),
    ConnectPush: (10, "connect"),
    DisconnectPush: (11, "disconnect"),
    RefreshPush: (12, "refresh"),
}
"""Number and name of the push field for each body."""


def fields_except(message: type[Struct], exclude: frozenset[str] = frozenset()) -> tuple[Field, ...]:
    """Return the fields of a message except those in `exclude`."""
    return tuple(field for field in SCHEMA[message] if field.name not in exclude)


def values_getter(fields: Sequence[Field]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that reads all these fields of a message in one call.

    There is at least one field.
    """
    get: Any = attrgetter(*[field.name for field in fields])
    return get if len(fields) > 1 else lambda message: (get(message),)
