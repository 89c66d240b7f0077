"""Events of connections, for the application (06 §3, §5 to §12)."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from fanjet.protocol.codes import ERROR_BAD_REQUEST, ReplyError


class Event(Struct, frozen=True, kw_only=True):
    """Fields of all events.

    `client`: id of the connection. `protocol`: `json` or `protobuf`. `meta`: JSON set by the application, empty for
    none. `labels`: labels set by the application. The three kinds of headers have lower-case names and contain those
    that the connection keeps, with bytes that are not UTF-8 as surrogates; `emulated_headers` are set by the client and
    not to be trusted.
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
    """An event with data from the client; empty for none."""

    data: bytes = b""

    def json(self) -> Any:
        """The decoded data, None for none.

        Raises `ReplyError` 107 for invalid JSON, which is the client's error.
        """
        if not self.data:
            return None
        try:
            return msgspec.json.decode(self.data)
        except msgspec.DecodeError:
            raise ReplyError(ERROR_BAD_REQUEST) from None


class ConnectEvent(DataEvent, frozen=True, kw_only=True):
    """A client without token connects.

    `channels`: server-side subscriptions that it requests.
    """

    name: str = ""
    version: str = ""
    channels: Sequence[str] = ()


class RefreshEvent(Event, frozen=True, kw_only=True):
    """A connection has expired."""


class SubscribeEvent(DataEvent, frozen=True, kw_only=True):
    """A client subscribes to a channel."""

    channel: str


class PublishEvent(DataEvent, frozen=True, kw_only=True):
    """A client publishes into a channel."""

    channel: str


class SubRefreshEvent(Event, frozen=True, kw_only=True):
    """A subscription has expired."""

    channel: str


class RPCEvent(DataEvent, frozen=True, kw_only=True):
    """A client calls an RPC method of the application."""

    method: str


class MessageEvent(DataEvent, frozen=True, kw_only=True):
    """A client has sent a message, which has no reply."""


class DisconnectEvent(Event, frozen=True, kw_only=True):
    """An accepted connection has ended, with this code and reason."""

    code: int
    reason: str
