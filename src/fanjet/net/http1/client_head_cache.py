"""Caches parsed response heads while a server repeats them.

Until its clock shows the next second, a server sends the same head with every response. Parsing one costs four times as
much as a lookup.
"""

from __future__ import annotations

from typing import Final, NamedTuple

MAX_HEADS: Final = 64
MAX_HEAD_BYTES: Final = 2048
_END_OF_HEAD: Final = b"\r\n\r\n"


class ClientResponse(NamedTuple):
    """A response. The body is decompressed; `location` is empty without that header."""

    status: int
    body: bytes
    location: str


class ResponseHeadCache:
    """Response heads of one client: raw head to status and body length."""

    __slots__ = ("_heads",)

    def __init__(self) -> None:
        self._heads: dict[bytes, tuple[int, int]] = {}

    def find(self, data: bytes) -> ClientResponse | None:
        """Return the response if `data` is a complete one under a cached head.

        The connection stays open after it.
        """
        head, _, body = data.partition(_END_OF_HEAD)
        status, length = self._heads.get(head, (0, -1))
        return ClientResponse(status, body, "") if len(body) == length else None

    def add(self, data: bytes, response: ClientResponse) -> None:
        """Cache the head of `data`, a complete response that keeps the connection open.

        Only responses whose body was sent as is are cached, not chunked ones: body length on the wire and decoded are
        then equal.
        """
        head, _, body = data.partition(_END_OF_HEAD)
        if len(body) == len(response.body) and len(head) <= MAX_HEAD_BYTES:
            if len(self._heads) >= MAX_HEADS:
                self._heads.clear()
            self._heads[head] = (response.status, len(body))
