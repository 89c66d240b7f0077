"""What happens on connections and is put to the application (06 §3, §5 to §12)."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from fanjet.protocol.codes import ERROR_BAD_REQUEST, ReplyError


class Event(Struct, frozen=True, kw_only=True):
    """What all events tell about their connection.

    `client`: id of the connection. `protocol`: `json` or `protobuf`. `meta`: JSON that the application has attached,
    empty for none. `labels`: texts that it has attached. The three kinds of headers have lower-case names and hold what
    the connection has kept of them, bytes that are not UTF-8 as surrogates; `emulated_headers` are the client's own
    words, not to be trusted.
    """

    client: str
    transport: str
    protocol: str
    user: str = ""
    meta: bytes = b""
    labels: Mapping[str, str] | None = None
    headers: Mapping[str, Sequence[str]] | None = None
    metadata: Mapping[str, Sequence[str]] | None = None
    emulated_headers: Mapping[str, str] | None = None


class DataEvent(Event, frozen=True, kw_only=True):
    """What comes with data that the client has sent; empty for none."""

    data: bytes = b""

    def json(self) -> Any:
        """The data decoded, None for none. What is no JSON is the client's fault: raises `ReplyError` 107."""
        if not self.data:
            return None
        try:
            return msgspec.json.decode(self.data)
        except msgspec.DecodeError:
            raise ReplyError(ERROR_BAD_REQUEST) from None


class ConnectEvent(DataEvent, frozen=True, kw_only=True):
    """A client without token wants to connect. `channels`: those it would have server-side subscriptions to."""

    name: str = ""
    version: str = ""
    channels: Sequence[str] = ()


class RefreshEvent(Event, frozen=True, kw_only=True):
    """A connection has expired."""


class SubscribeEvent(DataEvent, frozen=True, kw_only=True):
    """A client wants to subscribe to a channel."""

    channel: str


class PublishEvent(DataEvent, frozen=True, kw_only=True):
    """A client wants to publish into a channel."""

    channel: str


class SubRefreshEvent(Event, frozen=True, kw_only=True):
    """A subscription has expired."""

    channel: str


class RPCEvent(DataEvent, frozen=True, kw_only=True):
    """A client calls a procedure of the application."""

    method: str


class MessageEvent(DataEvent, frozen=True, kw_only=True):
    """A client has sent a message that nobody answers."""


class DisconnectEvent(Event, frozen=True, kw_only=True):
    """A connection has ended that had been accepted, with this code and reason."""

    code: int
    reason: str
