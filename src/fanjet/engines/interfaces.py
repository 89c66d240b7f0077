"""Interfaces of engines (07 §1.2). Calls may wait; event callbacks never do."""

from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final, Protocol

from msgspec import Struct

from fanjet.protocol.publication import ClientInfo, Publication, StreamPosition


class PublishOptions(Struct, frozen=True, array_like=True, gc=False):
    """Options of a publish (07 §1.2).

    Durations in whole seconds; history is written if size and TTL are both positive.

    `is_json`: the data is known to be JSON, so that no further check is needed.
    """

    history_size: int = 0
    history_ttl: int = 0
    history_meta_ttl: int = 0
    info: ClientInfo | None = None
    tags: dict[str, str] | None = None
    idempotency_key: str = ""
    use_delta: bool = False
    version: int = 0
    version_epoch: str = ""
    is_json: bool = False

    @property
    def keeps_history(self) -> bool:
        """Whether the publication is added to the channel's stream."""
        return self.history_size > 0 and self.history_ttl > 0


class Published(Struct, frozen=True, gc=False):
    """The result of a publish.

    The stream position (offset 0: no stream), and the reason why it was suppressed (`idempotency`, `version`) or empty.

    It is awaitable and completes immediately: see `Broker.publish`.
    """

    offset: int = 0
    epoch: str = ""
    suppressed: str = ""

    @property
    def position(self) -> StreamPosition:
        """Offset and epoch."""
        return StreamPosition(self.offset, self.epoch)

    def __await__(self) -> Generator[Any, Any, "Published"]:
        """Complete immediately."""
        return self
        yield


class _Done:
    """See `DONE`."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        """Complete immediately."""
        return None
        yield


DONE: Final = _Done()
"""The result of a call that has completed already. It is awaitable, but need not be awaited."""


class History(Struct, frozen=True):
    """The result of a history read.

    The requested publications and the top position of the stream.
    """

    publications: list[Publication]
    top: StreamPosition


class BrokerEvents(Protocol):
    """Callbacks of a broker. They never wait, and come in order within a channel."""

    def on_publication(
        self, channel: str, publication: Publication, epoch: str, *, use_delta: bool, previous: Publication | None
    ) -> None:
        """A publication.

        Its offset is 0 and `epoch` empty without a stream; `previous` is the delta base, if known.
        """

    def on_join(self, channel: str, info: ClientInfo) -> None:
        """A subscription of a client became active."""

    def on_leave(self, channel: str, info: ClientInfo) -> None:
        """A subscription of a client ended."""

    def on_publication_pending(self) -> None:
        """A publication made by this node will be reported later in this event loop turn."""

    def on_restored(self) -> None:
        """The backend is back after an outage.

        Events were missed, and streams may have been lost.
        """


class RevocationEvents(BrokerEvents, Protocol):
    """Callbacks of brokers whose backend may revoke a subscription of the node."""

    def on_subscription_revoked(self, channel: str) -> None:
        """The node is no longer subscribed to this channel."""


class Broker(Protocol):
    """Delivers publications, joins and leaves, and stores the channels' streams.

    Events are delivered between nodes (07 §1.1).

    Every call may raise `EngineUnavailable` when the backend failed; the operation may or may not have been applied.
    """

    keeps_history: bool
    """False: history calls raise `HistoryNotAvailable`, publications have no offsets."""
    delivers_reliably: bool
    """True: no gap is possible between stream and node, so positions need no periodic check (07 §20)."""

    async def start(self) -> None:
        """Connect.

        Raises `EngineUnavailable` when the backend cannot be reached now; later losses are repaired by reconnecting
        without limit.
        """

    async def close(self) -> None:
        """Disconnect; no callback follows."""

    def subscribe(self, channel: str) -> Awaitable[None]:
        """Subscribe this node to `channel`.

        Done once it is effective, which may be immediately (`DONE`). Idempotent. After a failure the subscription may
        exist, and `unsubscribe` removes it. Channels subscribed at the same time may share a future, which must not be
        cancelled.
        """

    def unsubscribe(self, channel: str) -> Awaitable[None]:
        """Unsubscribe this node from `channel`. Idempotent. See `subscribe`."""

    def publish(self, channel: str, data: bytes, options: PublishOptions) -> Awaitable[Published]:
        """Append (if requested) and deliver in one atomic step.

        Delivery order equals offset order (07 §2.3).

        A broker that publishes synchronously returns the `Published` itself, which saves a coroutine at each level of
        callers: 0.2 µs.
        """

    async def publish_join(self, channel: str, info: ClientInfo) -> None:
        """Send a join to all nodes. Never stored."""

    async def publish_leave(self, channel: str, info: ClientInfo) -> None:
        """Send a leave to all nodes. Never stored."""

    async def history(
        self,
        channel: str,
        *,
        since: StreamPosition | None = None,
        limit: int = -1,
        reverse: bool = False,
        meta_ttl: int = 0,
    ) -> History:
        """Read the stream (07 §3.3).

        `limit` 0: position only, negative: no limit. Epochs are not compared here.
        """

    async def remove_history(self, channel: str) -> None:
        """Delete the stored publications; offset and epoch stay."""


class Controller(Protocol):
    """Delivers control messages between nodes (07 §1.2). Their content is opaque here."""

    async def start(self, on_control: Callable[[bytes], None]) -> None:
        """Receive messages for this node and for all nodes.

        A node may receive its own messages. Raises `EngineUnavailable` when the backend cannot be reached now; later
        losses are repaired by reconnecting without limit.
        """

    async def publish_control(self, message: bytes, node: str = "") -> None:
        """Send to one node by its id, or to all nodes. Raises `EngineUnavailable`."""

    async def close(self) -> None:
        """Stop receiving."""


class PresenceManager(Protocol):
    """Stores the presence of clients in channels (07 §1.2).

    Unknown channels are empty; removing an unknown entry does nothing.
    """

    async def start(self) -> None:
        """Connect. Raises `EngineUnavailable` when the backend cannot be reached now."""

    async def close(self) -> None:
        """Disconnect."""

    async def add(self, channel: str, client: str, info: ClientInfo) -> None:
        """Insert or refresh an entry."""

    async def remove(self, channel: str, client: str, user: str) -> None:
        """Remove an entry."""

    async def presence(self, channel: str) -> dict[str, ClientInfo]:
        """All entries by client id. The caller must not change the returned dict."""

    async def presence_stats(self, channel: str) -> tuple[int, int]:
        """The numbers of clients and of distinct users."""


class RemoteEngine(Protocol):
    """An engine that can lose its backend. Optional."""

    @property
    def outage(self) -> str:
        """A description of the current outage; empty while healthy.

        For example `Redis at host:port`.
        """


class ProbedEngine(RemoteEngine, Protocol):
    """An engine that detects, by probes, that open connections deliver no messages.

    Optional.
    """

    @property
    def silence(self) -> float:
        """Seconds since the last message from the backend.

        Bounded while messages are delivered: without traffic, probes come back.
        """


class OrderedBroker(Protocol):
    """A broker that executes calls in the order in which they were made.

    It is asynchronous. Optional.
    """

    keeps_order: bool


class ReroutableBroker(Protocol):
    """A broker that may route a channel to another backend after a reload. Optional."""

    def is_misrouted(self, channel: str) -> bool:
        """Whether the channel is subscribed on a backend that is no longer its own.

        Publications are not received until it is subscribed again.
        """


class LastWillController(Protocol):
    """A controller that detects the loss of a node. Optional."""

    def register_last_will(self, message: bytes) -> None:
        """Set the control message that all other nodes get when this node is lost.

        To be called before the start.
        """


class EngineUnavailable(Exception):  # noqa: N818 (says what happened, like the protocol's codes)
    """The engine's backend failed or did not answer in time."""


class HistoryNotAvailable(Exception):  # noqa: N818
    """This broker keeps no history."""
