"""Other processes that are served on the same addresses."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

Receive: TypeAlias = Callable[[bytes, Any], None]
"""Takes a datagram and the address that it came from."""


class PeerProcesses(Protocol):
    """Carries datagrams that came to a process which does not have their connection. Numbers and key are those of
    `ConnectionIds`."""

    @property
    def number(self) -> int:
        """Of this process."""

    @property
    def key(self) -> bytes:
        """Common to all."""

    @property
    def replaced(self) -> bool:
        """Whether another process reads from the sockets of this one, and is going to hand on what belongs to it."""

    async def open(self, receivers: Mapping[str, Receive]) -> None:
        """Take what others hand on, by the address that it was sent to."""

    def forward(self, owner: int, local_address: str, datagram: bytes, address: Any) -> bool:
        """Give a datagram to the process of this number; it may get lost. False: there is none."""

    def close(self) -> None:
        """Take nothing more."""
