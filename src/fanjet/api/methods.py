"""Table of API methods with their request types, result types and functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from . import cluster, connections, history, presence, publication, requests, results, state_sync

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .node import Node
    from .requests import Request
    from .results import Result


@dataclass(frozen=True, slots=True)
class Method:
    """One API method, executed by `Calls`.

    `run` takes the node and a `request_type`. It returns the `result_type` directly if it need not wait.
    """

    name: str
    request_type: type[Request]
    result_type: type[Result]
    run: Callable[[Node, Any], Awaitable[Result]]
    engine_only: bool = False
    """Whether it waits only for an engine, so that it needs no task."""


METHODS: Final = {
    method.name: method
    for method in (
        Method("publish", requests.PublishRequest, results.PublishResult, publication.publish, engine_only=True),
        Method("broadcast", requests.BroadcastRequest, results.BroadcastResult, publication.broadcast),
        Method("subscribe", requests.SubscribeRequest, results.EmptyResult, connections.subscribe),
        Method("unsubscribe", requests.UnsubscribeRequest, results.EmptyResult, connections.unsubscribe),
        Method("disconnect", requests.DisconnectRequest, results.EmptyResult, connections.disconnect),
        Method("history", requests.HistoryRequest, results.HistoryResult, history.history, engine_only=True),
        Method(
            "history_remove",
            requests.HistoryRemoveRequest,
            results.EmptyResult,
            history.history_remove,
            engine_only=True,
        ),
        Method("presence", requests.PresenceRequest, results.PresenceResult, presence.presence, engine_only=True),
        Method(
            "presence_stats",
            requests.PresenceStatsRequest,
            results.PresenceStatsResult,
            presence.presence_stats,
            engine_only=True,
        ),
        Method("info", requests.InfoRequest, results.InfoResult, cluster.info),
        Method("rpc", requests.RPCRequest, results.RPCResult, cluster.rpc),
        Method("refresh", requests.RefreshRequest, results.EmptyResult, connections.refresh),
        Method("channels", requests.ChannelsRequest, results.ChannelsResult, cluster.channels),
        Method("map_publish", requests.MapPublishRequest, results.EmptyResult, state_sync.map_write),
        Method("map_remove", requests.MapRemoveRequest, results.EmptyResult, state_sync.map_write),
        Method("map_read_state", requests.MapReadStateRequest, results.EmptyResult, state_sync.map_read),
        Method("map_read_stream", requests.MapReadStreamRequest, results.EmptyResult, state_sync.map_read),
        Method("map_stats", requests.MapStatsRequest, results.EmptyResult, state_sync.map_read),
        Method("map_clear", requests.MapClearRequest, results.EmptyResult, state_sync.map_read),
        Method(
            "shared_poll_publish",
            requests.SharedPollPublishRequest,
            results.EmptyResult,
            state_sync.shared_poll_publish,
        ),
    )
}
