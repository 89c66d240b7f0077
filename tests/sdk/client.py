"""One face for the official SDKs, so that a scenario is written once and runs with each of them in both encodings.

Payloads are JSON values. Protobuf SDKs deal in bytes: there a value travels as its JSON text, and `bytes` as they are.

Events, for `journal.expect(kind, ...)`:
- of the connection: connecting, connected, disconnected, error, token_requested;
- of a subscription, with its `channel`: subscribing, subscribed, unsubscribed, publication, join, leave,
  subscription_error, subscription_token_requested;
- of a server-side subscription: server_subscribing, server_subscribed, server_unsubscribed, server_publication.
"""

from dataclasses import asdict, dataclass
from typing import Any, Protocol

from tests.sdk.journal import Journal


class SdkError(Exception):
    """A command was answered with an error, in the SDK's words."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


@dataclass(frozen=True)
class Subscribe:
    """How to subscribe. `renewed` is the token that the SDK gets when it asks for one."""

    token: str = ""
    renewed: str = ""
    delta: bool = False
    positioned: bool = False
    recoverable: bool = False
    join_leave: bool = False

    def options(self) -> dict[str, Any]:
        """Return the fields as a plain mapping."""
        return asdict(self)


class SdkClient(Protocol):
    """A connection of one SDK."""

    journal: Journal

    async def connect(self) -> None:
        """Start connecting; `connected` or `disconnected` tells how it went."""

    async def disconnect(self) -> None:
        """Close the connection for good."""

    async def release(self) -> None:
        """Disconnect, and return when nothing of it is left in the event loop."""

    async def subscribe(self, channel: str, how: Subscribe = Subscribe()) -> None:
        """Start subscribing; `subscribed` or `unsubscribed` tells how it went."""

    async def unsubscribe(self, channel: str) -> None:
        """End a subscription."""

    async def publish(self, channel: str, data: Any) -> None:
        """Publish, raising `SdkError` when refused."""

    async def history(self, channel: str, limit: int) -> dict[str, Any]:
        """Return `{"offset", "epoch", "data": [...]}`, the newest `limit` publications, or all for -1."""

    async def presence(self, channel: str) -> list[str]:
        """Return the users of the connections in a channel, sorted."""

    async def presence_stats(self, channel: str) -> dict[str, int]:
        """Return `{"clients", "users"}`."""

    async def rpc(self, method: str, data: Any) -> Any:
        """Call a method of the server and return what it answered."""
