"""Kinds of events sent to backends, with their names and message types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from . import requests, responses

R = TypeVar("R", bound=responses.Response)


@dataclass(frozen=True, slots=True)
class EventKind(Generic[R]):
    """One kind of event.

    `name`: the metric type; `method`: the gRPC method, whose messages are named after it.
    """

    name: str
    method: str
    request: type[requests.Request]
    response: type[R]


CONNECT: Final = EventKind("connect", "Connect", requests.ConnectRequest, responses.ConnectResponse)
REFRESH: Final = EventKind("refresh", "Refresh", requests.RefreshRequest, responses.RefreshResponse)
SUBSCRIBE: Final = EventKind("subscribe", "Subscribe", requests.SubscribeRequest, responses.SubscribeResponse)
PUBLISH: Final = EventKind("publish", "Publish", requests.PublishRequest, responses.PublishResponse)
SUB_REFRESH: Final = EventKind("sub_refresh", "SubRefresh", requests.SubRefreshRequest, responses.SubRefreshResponse)
RPC: Final = EventKind("rpc", "RPC", requests.RPCRequest, responses.RPCResponse)
SUBSCRIBE_STREAM: Final = "subscribe_stream"
"""The metric type of streams, which are not request and response."""
