"""The small interfaces every engine implements (07 §1.2). Calls may wait; events back never do."""

from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final, Protocol

from msgspec import Struct

from fanjet.protocol.publication import ClientInfo, Publication, StreamPosition


class PublishOptions(Struct, frozen=True, array_like=True, gc=False):
    """How to publish (07 §1.2). Durations in whole seconds; history is written if size and TTL are both positive.

    `is_json`: the data is known to be JSON, so that nobody needs to check it.
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
        """Whether the publication goes into the channel's stream."""
        return self.history_size > 0 and self.history_ttl > 0


class Published(Struct, frozen=True, gc=False):
    """What became of a publish: its place in the stream (offset 0: in none), and why nothing was published
    (`idempotency`, `version`) or empty.

    It can be awaited, and is there at once: see `Broker.publish`.
    """

    offset: int = 0
    epoch: str = ""
    suppressed: str = ""

    @property
    def position(self) -> StreamPosition:
        """The place in one."""
        return StreamPosition(self.offset, self.epoch)

    def __await__(self) -> Generator[Any, Any, "Published"]:
        """Wait for nothing."""
        return self
        yield


class _Done:
    """See `DONE`."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        """Wait for nothing."""
        return None
        yield


DONE: Final = _Done()
"""What a call returns that had nothing to wait for. It can be awaited, but need not be."""


class History(Struct, frozen=True):
    """A read of a stream: what was asked for, and the stream's top."""

    publications: list[Publication]
    top: StreamPosition


class BrokerEvents(Protocol):
    """What a broker reports back. Plain calls that never wait, in the order in which they happened in a channel."""

    def on_publication(
        self, channel: str, publication: Publication, epoch: str, *, use_delta: bool, previous: Publication | None
    ) -> None:
        """`publication.offset` is 0 (and `epoch` empty) when it is in no stream; `previous` is the one before it."""

    def on_join(self, channel: str, info: ClientInfo) -> None:
        """Someone's subscription became active."""

    def on_leave(self, channel: str, info: ClientInfo) -> None:
        """Someone's subscription ended."""

    def on_publication_pending(self) -> None:
        """Something that has been published here is going to be reported later in this turn of the loop."""

    def on_restored(self) -> None:
        """The backend was lost and is back: what happened meanwhile has not been reported, and streams may be new."""


class RevocationEvents(BrokerEvents, Protocol):
    """What brokers report to whose backend may refuse a channel to which it has subscribed the node."""

    def on_subscription_revoked(self, channel: str) -> None:
        """Nothing more is reported of this channel: the node is not subscribed to it any more."""


class Broker(Protocol):
    """Carries publications, joins and leaves between nodes and keeps the channels' streams (07 §1.1).

    Every call may raise `EngineUnavailable` when the backend failed; the operation may then have been applied or not.
    """

    keeps_history: bool
    """False: history calls raise `HistoryNotAvailable`, publications have no offsets."""
    delivers_reliably: bool
    """True: no gap is possible between stream and node, so positions need no periodic check (07 §20)."""

    async def start(self) -> None:
        """Connect. Raises `EngineUnavailable` when the backend cannot be reached now; from then on losing it is
        repaired for ever."""

    async def close(self) -> None:
        """Disconnect: no more events."""

    def subscribe(self, channel: str) -> Awaitable[None]:
        """Start receiving `channel` on this node; done once it is effective, which may be at once (`DONE`). Idempotent.
        After a failure, too, what may have been done is undone by `unsubscribe`. Channels that are asked for together
        may get the same future, which is not to be cancelled."""

    def unsubscribe(self, channel: str) -> Awaitable[None]:
        """Stop receiving `channel`. Idempotent. See `subscribe`."""

    def publish(self, channel: str, data: bytes, options: PublishOptions) -> Awaitable[Published]:
        """Append (if asked to) and deliver in one atomic step: delivery order equals offset order (07 §2.3).

        A broker that has done it before this returns, returns the `Published` itself, which saves its callers a
        coroutine on each of their levels: 0.2 µs.
        """

    async def publish_join(self, channel: str, info: ClientInfo) -> None:
        """Tell all nodes that a subscription became active. Never stored."""

    async def publish_leave(self, channel: str, info: ClientInfo) -> None:
        """Tell all nodes that a subscription ended. Never stored."""

    async def history(
        self,
        channel: str,
        *,
        since: StreamPosition | None = None,
        limit: int = -1,
        reverse: bool = False,
        meta_ttl: int = 0,
    ) -> History:
        """Read the stream (07 §3.3). `limit` 0: position only, negative: everything. Epochs are not compared here."""

    async def remove_history(self, channel: str) -> None:
        """Drop the stored publications, keep offset and epoch."""


class Controller(Protocol):
    """Carries control messages between the nodes (07 §1.2). What they mean is the node's business."""

    async def start(self, on_control: Callable[[bytes], None]) -> None:
        """Receive what is for this node or for all; a node's own messages may come back to it. Raises
        `EngineUnavailable` when the backend cannot be reached now; from then on losing it is repaired for ever."""

    async def publish_control(self, message: bytes, node: str = "") -> None:
        """Send to one node by its id, or to all. Raises `EngineUnavailable`."""

    async def close(self) -> None:
        """Receive no more."""


class PresenceManager(Protocol):
    """Who is in a channel now (07 §1.2). Unknown channels are empty, removing an unknown entry does nothing."""

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
        """Number of clients, number of distinct users."""


class RemoteEngine(Protocol):
    """What engines are that can lose their backend. Others need not be."""

    @property
    def outage(self) -> str:
        """What cannot be reached or is not heard now, empty while all is well."""


class ProbedEngine(RemoteEngine, Protocol):
    """What engines are that can go deaf with all connections in place, and find out by a message to themselves."""

    @property
    def silence(self) -> float:
        """Seconds since the node has heard anything of its backend. Bounded while it is not deaf: where there is no
        traffic, messages of its own come back."""


class OrderedBroker(Protocol):
    """What brokers are that answer later, but carry out calls in the order in which they were made. Others need not
    be."""

    keeps_order: bool


class ReroutableBroker(Protocol):
    """What brokers are whose channels may be others' after a reload. Others need not be."""

    def is_misrouted(self, channel: str) -> bool:
        """Whether a channel was subscribed to where it does not belong any more: what is published now is not heard
        until it is subscribed to anew."""


class LastWillController(Protocol):
    """What controllers are that notice when a node vanishes. Others need not be."""

    def register_last_will(self, message: bytes) -> None:
        """Before the start: the control message that all others get then."""


class EngineUnavailable(Exception):  # noqa: N818 (says what happened, like the protocol's codes)
    """The engine's backend failed or did not answer in time."""


class HistoryNotAvailable(Exception):  # noqa: N818
    """This broker keeps no history."""
