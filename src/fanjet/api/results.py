"""Results of the server API (05 §10, §2.6).

A field that holds its default is omitted; fields without a default are always present.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Self

    from fanjet.protocol import publication


class Payload:
    """Application bytes.

    JSON protocols require them to be JSON; others accept any bytes.
    """

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def json(self) -> Any:
        """Decode the value. Raises `ValueError` if it is not JSON."""
        return msgspec.json.decode(self.data)


def optional_payload(data: bytes) -> Payload | None:
    """Return `data` as a result field; None, so omitted, when empty."""
    return Payload(data) if data else None


class Result(Struct, frozen=True, omit_defaults=True):
    """Base class of results. Awaiting one returns it at once.

    So methods that need not wait can return it without a coroutine.
    """

    def __await__(self) -> Generator[Any, Any, Self]:
        """Return the result without waiting."""
        return self
        yield


class EmptyResult(Result, frozen=True):
    """The result of methods that return no data."""


class ErrorResult(Result, frozen=True):
    """An error inside a result."""

    code: int
    message: str


class PublishResult(Result, frozen=True):
    """05 §6.1: the publication's position, if it is in a stream."""

    offset: int = 0
    epoch: str = ""


class PublishResponse(Result, frozen=True):
    """The outcome of a broadcast in one channel."""

    error: ErrorResult | None = None
    result: PublishResult | None = None


class BroadcastResult(Result, frozen=True):
    """05 §6.2: one response per channel, in the order of the request."""

    responses: list[PublishResponse] = []


class ClientInfo(Result, frozen=True):
    """A connection in presence, or the publisher of a publication."""

    user: str
    client: str
    conn_info: Payload | None = None
    chan_info: Payload | None = None


def client_info(info: publication.ClientInfo) -> ClientInfo:
    """Convert client info to its result form."""
    return ClientInfo(info.user, info.client, optional_payload(info.conn_info), optional_payload(info.chan_info))


class PresenceResult(Result, frozen=True):
    """05 §6.7: by client id."""

    presence: dict[str, ClientInfo]


class PresenceStatsResult(Result, frozen=True):
    """05 §6.8."""

    num_clients: int
    num_users: int


class Publication(Result, frozen=True):
    """One publication of a history result."""

    data: Payload | None = None
    info: ClientInfo | None = None
    offset: int = 0
    tags: dict[str, str] | None = None


class HistoryResult(Result, frozen=True):
    """05 §6.9: the publications read, and the top of the stream."""

    publications: list[Publication]
    epoch: str
    offset: int


class ChannelInfo(Result, frozen=True):
    """One active channel."""

    num_clients: int = 0


class ChannelsResult(Result, frozen=True):
    """05 §6.11: by name."""

    channels: dict[str, ChannelInfo]


class Metrics(Result, frozen=True):
    """A node's last metrics snapshot. `interval` in seconds."""

    interval: float = 0.0
    items: dict[str, float] = {}


class NodeResult(Result, frozen=True):
    """One node. `uptime` in seconds."""

    uid: str
    name: str
    version: str
    num_clients: int
    num_users: int
    num_channels: int
    num_subs: int
    uptime: int = 0
    metrics: Metrics | None = None


class InfoResult(Result, frozen=True):
    """05 §6.12."""

    nodes: list[NodeResult] = []


class RPCResult(Result, frozen=True):
    """05 §6.13."""

    data: Payload | None = None
