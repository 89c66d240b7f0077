"""The server API in process: its methods as Python methods (05 §6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, TypeVar, cast

from fanjet.api import cluster, connections, history, presence, publication, requests
from fanjet.api.errors import as_api_error
from fanjet.events.handlers.payloads import payload_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine, Iterable, Mapping
    from typing import Unpack

    from msgspec import Raw

    from fanjet.api import results
    from fanjet.api.node import Node
    from fanjet.events.handlers.replies import SubscriptionOverride

T = TypeVar("T")


class Position(NamedTuple):
    """A position in a channel's stream."""

    offset: int
    epoch: str


class PublishOptions(TypedDict, total=False):
    """Options of a publication (05 §6.1)."""

    skip_history: bool
    tags: dict[str, str]
    idempotency_key: str
    delta: bool
    version: int
    version_epoch: str


class ServerApi:
    """Methods that act on the whole cluster, as they do over HTTP.

    Payloads are Python objects, which are encoded as JSON, or bytes, which are sent unchanged. All methods raise
    `ApiError`.
    """

    def __init__(self, node: Node) -> None:
        self._node = node

    async def publish(self, channel: str, data: Any, **options: Unpack[PublishOptions]) -> results.PublishResult:
        """Publish into a channel.

        The result contains the position of the publication if it is in a stream.
        """
        request = requests.PublishRequest(channel=channel, data=_payload(data), **options)
        return await _run("publish", self._publish(request))

    async def _publish(self, request: requests.PublishRequest) -> results.PublishResult:
        return await publication.publish(self._node, request)

    async def broadcast(
        self, channels: Iterable[str], data: Any, **options: Unpack[PublishOptions]
    ) -> results.BroadcastResult:
        """Publish the same data into many channels.

        The result has a response for each, in their order.
        """
        request = requests.BroadcastRequest(channels=list(channels), data=_payload(data), **options)
        return await _run("broadcast", publication.broadcast(self._node, request))

    async def subscribe(
        self,
        user: str,
        channel: str,
        *,
        client: str = "",
        session: str = "",
        expire_at: int = 0,
        info: Any = None,
        data: Any = None,
        recover_since: Position | None = None,
        override: SubscriptionOverride | None = None,
    ) -> None:
        """Subscribe the connections of a user.

        They are optionally filtered by client and session id. `expire_at`: Unix seconds.
        """
        request = requests.SubscribeRequest(
            user=user,
            client=client,
            session=session,
            channel=channel,
            expire_at=expire_at,
            info=_payload(info),
            data=_payload(data),
            recover_since=_position(recover_since),
            override=None if override is None else _request_override(override),
        )
        await _run("subscribe", connections.subscribe(self._node, request))

    async def unsubscribe(self, user: str, channel: str, *, client: str = "", session: str = "") -> None:
        """End subscriptions of a user's connections."""
        request = requests.UnsubscribeRequest(user=user, client=client, session=session, channel=channel)
        await _run("unsubscribe", connections.unsubscribe(self._node, request))

    async def disconnect(
        self,
        user: str,
        *,
        client: str = "",
        session: str = "",
        whitelist: Collection[str] = (),
        code: int | None = None,
        reason: str = "",
    ) -> None:
        """Disconnect a user, except the client ids in `whitelist`.

        The default code is 3503, after which SDKs do not reconnect.
        """
        custom = None if code is None else requests.CustomDisconnect(code, reason)
        request = requests.DisconnectRequest(
            user=user, client=client, session=session, disconnect=custom, whitelist=list(whitelist)
        )
        await _run("disconnect", connections.disconnect(self._node, request))

    async def refresh(
        self,
        user: str,
        *,
        client: str = "",
        session: str = "",
        expired: bool = False,
        expire_at: int = 0,
        info: Any = None,
    ) -> None:
        """Set the expiry of a user's connections, or end them as expired.

        The expiry is in Unix seconds, 0 for never.
        """
        request = requests.RefreshRequest(
            user=user,
            client=client,
            session=session,
            expired=expired,
            expire_at=expire_at,
            info=_payload(info),
        )
        await _run("refresh", connections.refresh(self._node, request))

    async def presence(self, channel: str) -> Mapping[str, results.ClientInfo]:
        """The clients in a channel, by client id."""
        found = await _run("presence", presence.presence(self._node, requests.PresenceRequest(channel=channel)))
        return found.presence

    async def presence_stats(self, channel: str) -> results.PresenceStatsResult:
        """The numbers of clients and users in a channel."""
        return await _run(
            "presence_stats", presence.presence_stats(self._node, requests.PresenceStatsRequest(channel=channel))
        )

    async def history(
        self, channel: str, *, limit: int = 0, since: Position | None = None, reverse: bool = False
    ) -> results.HistoryResult:
        """Read a channel's stream.

        `limit` 0: only its top position, negative: all publications.
        """
        request = requests.HistoryRequest(channel=channel, limit=limit, since=_position(since), reverse=reverse)
        return await _run("history", history.history(self._node, request))

    async def history_remove(self, channel: str) -> None:
        """Remove the history of a channel."""
        await _run("history_remove", history.history_remove(self._node, requests.HistoryRemoveRequest(channel=channel)))

    async def channels(self, pattern: str = "") -> Mapping[str, int]:
        """Active channels that match a glob, with their numbers of subscriptions."""
        found = await _run("channels", cluster.channels(self._node, requests.ChannelsRequest(pattern=pattern)))
        return {name: info.num_clients for name, info in found.channels.items()}

    async def info(self) -> list[results.NodeResult]:
        """The nodes of the cluster."""
        found = await _run("info", cluster.info(self._node, requests.InfoRequest()))
        return found.nodes


async def _run(name: str, call: Coroutine[Any, Any, T]) -> T:
    try:
        return await call
    except Exception as error:
        raise as_api_error(error, name) from error


def _payload(payload: Any) -> Raw:
    return cast("Raw", payload_bytes(payload))  # see `requests`: any bytes, not known to be JSON


def _position(position: Position | None) -> requests.StreamPosition | None:
    return None if position is None else requests.StreamPosition(position.offset, position.epoch)


def _request_override(override: SubscriptionOverride) -> requests.SubscribeOptionOverride:
    chosen = {name: getattr(override, name) for name in override.__struct_fields__}
    return requests.SubscribeOptionOverride(
        **{name: requests.BoolValue(value) for name, value in chosen.items() if value is not None}
    )
