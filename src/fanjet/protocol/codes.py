"""Error, disconnect and unsubscribe codes of the client protocol (01 §15).

An `Error` answers one command and keeps the connection. A `Disconnect` ends the connection. An `Unsubscribe` ends one
subscription. All three are shared constants. The exceptions `ReplyError` and `Disconnected` carry the first two out of
command handlers. Each raise creates a new one: an exception keeps references to the stack frames that it passed.
"""

from dataclasses import dataclass
from typing import Final

from msgspec import Struct


class Error(Struct, frozen=True):
    """The error reply to a command; the connection stays open (01 §15.1)."""

    code: int
    message: str
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Code and reason with which a connection is closed (01 §15.3)."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Code and reason with which the server ends a subscription (01 §15.2)."""

    code: int
    reason: str


class ReplyError(Exception):
    """Makes `error` the reply to the current command."""

    def __init__(self, error: Error) -> None:
        super().__init__(f"{error.code} {error.message}")
        self.error = error


class Disconnected(Exception):  # noqa: N818 (an outcome, not an error)
    """Ends the connection of the current command with `disconnect`."""

    def __init__(self, disconnect: Disconnect) -> None:
        super().__init__(f"{disconnect.code} {disconnect.reason}")
        self.disconnect = disconnect


ERROR_INTERNAL: Final = Error(100, "internal server error", temporary=True)
ERROR_UNAUTHORIZED: Final = Error(101, "unauthorized")
ERROR_UNKNOWN_CHANNEL: Final = Error(102, "unknown channel")
ERROR_PERMISSION_DENIED: Final = Error(103, "permission denied")
ERROR_METHOD_NOT_FOUND: Final = Error(104, "method not found")
ERROR_ALREADY_SUBSCRIBED: Final = Error(105, "already subscribed")
ERROR_LIMIT_EXCEEDED: Final = Error(106, "limit exceeded")
ERROR_BAD_REQUEST: Final = Error(107, "bad request")
ERROR_NOT_AVAILABLE: Final = Error(108, "not available")
ERROR_TOKEN_EXPIRED: Final = Error(109, "token expired")
ERROR_EXPIRED: Final = Error(110, "expired")
ERROR_TOO_MANY_REQUESTS: Final = Error(111, "too many requests", temporary=True)
ERROR_UNRECOVERABLE_POSITION: Final = Error(112, "unrecoverable position")
ERROR_CONCURRENT_PAGINATION: Final = Error(113, "concurrent pagination", temporary=True)

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
