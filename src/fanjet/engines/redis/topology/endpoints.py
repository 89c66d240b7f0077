"""The servers of a shard or partition: its primaries and their replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..connections.address import Address, Login, Target
    from ..connections.connection import Command


class Endpoints(Struct, frozen=True):
    """Servers that deliver the same PUB/SUB messages.

    Only replicas that seem healthy are listed, and none where the configuration does not allow the use of replicas.
    """

    primaries: tuple[Address, ...]
    replicas: tuple[Address, ...] = ()


class EndpointProvider(Protocol):
    """A shard, or a partition of one."""

    @property
    def target(self) -> Target:
        """See `Shard`."""

    def execute(self, command: Command, key: bytes | str) -> Awaitable[Any]:
        """See `Shard.execute`."""

    @property
    def replica_login(self) -> Login:
        """How to connect to a replica."""

    @property
    def endpoints(self) -> Endpoints:
        """The endpoints known now."""

    async def find_endpoints(self) -> Endpoints:
        """Discover the endpoints again. Raises `EngineUnavailable`."""

    def watch_primary(self, on_changed: Callable[[str], None]) -> None:
        """Call `on_changed` when connections to the primary have to move.

        They have to move to another server; the argument is the reason.
        """

    def watch_endpoints(self, on_updated: Callable[[], None]) -> None:
        """Call `on_updated` after every discovery of the endpoints.

        The endpoints are then also polled.
        """
