"""The kinds of events that backends are asked about: what each is called, and what is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from . import requests, responses

R = TypeVar("R", bound=responses.Response)


@dataclass(frozen=True, slots=True)
class Kind(Generic[R]):
    """`name` is the metric type; `method` the gRPC method, whose messages are named after it."""

    name: str
    method: str
    request: type[requests.Request]
    response: type[R]


CONNECT: Final = Kind("connect", "Connect", requests.ConnectRequest, responses.ConnectResponse)
REFRESH: Final = Kind("refresh", "Refresh", requests.RefreshRequest, responses.RefreshResponse)
SUBSCRIBE: Final = Kind("subscribe", "Subscribe", requests.SubscribeRequest, responses.SubscribeResponse)
PUBLISH: Final = Kind("publish", "Publish", requests.PublishRequest, responses.PublishResponse)
SUB_REFRESH: Final = Kind("sub_refresh", "SubRefresh", requests.SubRefreshRequest, responses.SubRefreshResponse)
RPC: Final = Kind("rpc", "RPC", requests.RPCRequest, responses.RPCResponse)
SUBSCRIBE_STREAM: Final = "subscribe_stream"
"""The metric type of streams, which are more than a question and an answer."""
