"""Every number the client protocol uses to say what went wrong (01 §15).

A `ReplyError` answers one command and keeps the connection. A `Disconnect` ends the connection. An `Unsubscribe` ends
one subscription. The first two are exceptions, so that a decision deep inside a command needs no return value of its
own.
"""

from dataclasses import dataclass
from typing import Final


class ReplyError(Exception):
    """A command is answered with this error; the connection stays (01 §15.1)."""

    def __init__(self, code: int, message: str, *, temporary: bool = False) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.temporary = temporary


class Disconnect(Exception):  # noqa: N818 (the protocol's word)
    """The connection is closed with this code and reason (01 §15.3)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """One subscription is ended by the server with this code and reason (01 §15.2)."""

    code: int
    reason: str


ERROR_INTERNAL: Final = ReplyError(100, "internal server error", temporary=True)
ERROR_UNAUTHORIZED: Final = ReplyError(101, "unauthorized")
ERROR_UNKNOWN_CHANNEL: Final = ReplyError(102, "unknown channel")
ERROR_PERMISSION_DENIED: Final = ReplyError(103, "permission denied")
ERROR_METHOD_NOT_FOUND: Final = ReplyError(104, "method not found")
ERROR_ALREADY_SUBSCRIBED: Final = ReplyError(105, "already subscribed")
ERROR_LIMIT_EXCEEDED: Final = ReplyError(106, "limit exceeded")
ERROR_BAD_REQUEST: Final = ReplyError(107, "bad request")
ERROR_NOT_AVAILABLE: Final = ReplyError(108, "not available")
ERROR_TOKEN_EXPIRED: Final = ReplyError(109, "token expired")
ERROR_EXPIRED: Final = ReplyError(110, "expired")
ERROR_TOO_MANY_REQUESTS: Final = ReplyError(111, "too many requests", temporary=True)
ERROR_UNRECOVERABLE_POSITION: Final = ReplyError(112, "unrecoverable position")
ERROR_CONCURRENT_PAGINATION: Final = ReplyError(113, "concurrent pagination", temporary=True)

UNSUBSCRIBE_BY_CLIENT: Final = Unsubscribe(0, "client unsubscribed")
UNSUBSCRIBE_DISCONNECT: Final = Unsubscribe(1, "client disconnected")
UNSUBSCRIBE_SERVER: Final = Unsubscribe(2000, "server unsubscribe")
UNSUBSCRIBE_INSUFFICIENT: Final = Unsubscribe(2500, "insufficient state")
UNSUBSCRIBE_EXPIRED: Final = Unsubscribe(2501, "subscription expired")

DISCONNECT_CONNECTION_CLOSED: Final = Disconnect(3000, "connection closed")
DISCONNECT_SHUTDOWN: Final = Disconnect(3001, "shutdown")
DISCONNECT_INTERNAL: Final = Disconnect(3004, "internal server error")
DISCONNECT_EXPIRED: Final = Disconnect(3005, "connection expired")
DISCONNECT_SUB_EXPIRED: Final = Disconnect(3006, "subscription expired")
DISCONNECT_SLOW: Final = Disconnect(3008, "slow")
DISCONNECT_WRITE_ERROR: Final = Disconnect(3009, "write error")
DISCONNECT_INSUFFICIENT_STATE: Final = Disconnect(3010, "insufficient state")
DISCONNECT_FORCE_RECONNECT: Final = Disconnect(3011, "force reconnect")
DISCONNECT_NO_PONG: Final = Disconnect(3012, "no pong")
DISCONNECT_TOO_MANY_REQUESTS: Final = Disconnect(3013, "too many requests")
DISCONNECT_STATE_INVALIDATED: Final = Disconnect(3014, "state invalidated")
DISCONNECT_INVALID_TOKEN: Final = Disconnect(3500, "invalid token")
DISCONNECT_BAD_REQUEST: Final = Disconnect(3501, "bad request")
DISCONNECT_STALE: Final = Disconnect(3502, "stale")
DISCONNECT_FORCE: Final = Disconnect(3503, "force disconnect")
DISCONNECT_CONNECTION_LIMIT: Final = Disconnect(3504, "connection limit")
DISCONNECT_CHANNEL_LIMIT: Final = Disconnect(3505, "channel limit")
DISCONNECT_INAPPROPRIATE_PROTOCOL: Final = Disconnect(3506, "inappropriate protocol")
DISCONNECT_PERMISSION_DENIED: Final = Disconnect(3507, "permission denied")
DISCONNECT_NOT_AVAILABLE: Final = Disconnect(3508, "not available")
DISCONNECT_TOO_MANY_ERRORS: Final = Disconnect(3509, "too many errors")
