"""The interface to other processes on the same UDP addresses."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

Receive: TypeAlias = Callable[[bytes, Any], None]
"""Called with a datagram and its source address."""


class PeerProcesses(Protocol):
    """Forwards datagrams to the process that owns their connection.

    Number and key belong to `ConnectionIds`.
    """

    @property
    def number(self) -> int:
        """The number of this process."""

    @property
    def key(self) -> bytes:
        """The key common to all processes."""

    @property
    def replaced(self) -> bool:
        """Whether another process reads from this one's sockets.

        It then forwards this one's datagrams.
        """

    async def open(self, receivers: Mapping[str, Receive]) -> None:
        """Receive forwarded datagrams, by the address they were sent to."""

    def forward(self, owner: int, local_address: str, datagram: bytes, address: Any) -> bool:
        """Forward a datagram to the process of this number; it may get lost.

        False if there is no such process.
        """

    def close(self) -> None:
        """Stop receiving."""
