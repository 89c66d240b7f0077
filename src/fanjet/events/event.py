"""What happens on connections and is put to the application (06 §3, §5 to §12)."""

from collections.abc import Mapping, Sequence

from msgspec import Struct


class Event(Struct, frozen=True, kw_only=True):
    """What all events tell about their connection.

    `client`: id of the connection. `protocol`: `json` or `protobuf`. `meta`: JSON that the application has attached,
    empty for none. `labels`: texts that it has attached. The three kinds of headers have lower-case names and hold what
    the connection has kept of them; `emulated_headers` are the client's own words, not to be trusted.
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


class ConnectEvent(Event, frozen=True, kw_only=True):
    """A client without token wants to connect. `channels`: those it would have server-side subscriptions to."""

    data: bytes = b""
    name: str = ""
    version: str = ""
    channels: Sequence[str] = ()


class RefreshEvent(Event, frozen=True, kw_only=True):
    """A connection has expired."""


class SubscribeEvent(Event, frozen=True, kw_only=True):
    """A client wants to subscribe to a channel."""

    channel: str
    data: bytes = b""


class PublishEvent(Event, frozen=True, kw_only=True):
    """A client wants to publish into a channel."""

    channel: str
    data: bytes = b""


class SubRefreshEvent(Event, frozen=True, kw_only=True):
    """A subscription has expired."""

    channel: str


class RPCEvent(Event, frozen=True, kw_only=True):
    """A client calls a procedure of the application."""

    method: str
    data: bytes = b""
