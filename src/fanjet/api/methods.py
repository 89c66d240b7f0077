"""The methods by name: what each takes, and how it is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from . import cluster, connections, history, presence, publication, requests, state

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .node import Node
    from .requests import Request
    from .results import Result


@dataclass(frozen=True, slots=True)
class Method:
    """One method. `run` takes the node and a `request_type`, and returns the result itself where it need not
    wait; see `Calls` for who calls it."""

    name: str
    request_type: type[Request]
    run: Callable[[Node, Any], Awaitable[Result]]
    of_engine: bool = False
    """Whether it waits for an engine alone: no task is made for it."""


METHODS: Final = {
    method.name: method
    for method in (
        Method("publish", requests.PublishRequest, publication.publish, of_engine=True),
        Method("broadcast", requests.BroadcastRequest, publication.broadcast),
        Method("subscribe", requests.SubscribeRequest, connections.subscribe),
        Method("unsubscribe", requests.UnsubscribeRequest, connections.unsubscribe),
        Method("disconnect", requests.DisconnectRequest, connections.disconnect),
        Method("history", requests.HistoryRequest, history.history, of_engine=True),
        Method("history_remove", requests.HistoryRemoveRequest, history.history_remove, of_engine=True),
        Method("presence", requests.PresenceRequest, presence.presence, of_engine=True),
        Method("presence_stats", requests.PresenceStatsRequest, presence.presence_stats, of_engine=True),
        Method("info", requests.InfoRequest, cluster.info),
        Method("rpc", requests.RPCRequest, cluster.rpc),
        Method("refresh", requests.RefreshRequest, connections.refresh),
        Method("channels", requests.ChannelsRequest, cluster.channels),
        Method("map_publish", requests.MapPublishRequest, state.map_write),
        Method("map_remove", requests.MapRemoveRequest, state.map_write),
        Method("map_read_state", requests.MapReadStateRequest, state.map_read),
        Method("map_read_stream", requests.MapReadStreamRequest, state.map_read),
        Method("map_stats", requests.MapStatsRequest, state.map_read),
        Method("map_clear", requests.MapClearRequest, state.map_read),
        Method("shared_poll_publish", requests.SharedPollPublishRequest, state.shared_poll_publish),
    )
}
