"""Heads of responses, remembered while servers repeat them.

Until its clock shows the next second, a server answers with the same head over and over. To parse one costs four times
what it costs to look it up.
"""

from __future__ import annotations

from typing import Final, NamedTuple

MAX_HEADS: Final = 64
MAX_HEAD_BYTES: Final = 2048
_END_OF_HEAD: Final = b"\r\n\r\n"


class ClientResponse(NamedTuple):
    """A response. The body is unpacked; `location` is empty without such a header."""

    status: int
    body: bytes
    location: str


class ResponseHeadCache:
    """What is known of the responses to one client: the status that a head tells and the length of its body."""

    __slots__ = ("_heads",)

    def __init__(self) -> None:
        self._heads: dict[bytes, tuple[int, int]] = {}

    def find(self, data: bytes) -> ClientResponse | None:
        """The response in `data`, if that is one as a whole under a known head; the connection goes on after it."""
        head, _, body = data.partition(_END_OF_HEAD)
        status, length = self._heads.get(head, (0, -1))
        return ClientResponse(status, body, "") if len(body) == length else None

    def add(self, data: bytes, find: ClientResponse) -> None:
        """Remember the head of an answer after which the connection goes on, and that `data` was as a whole.

        No more than the head is needed to find the end of the body if it came as it is and not, for example, in chunks:
        the two have then the same length.
        """
        head, _, body = data.partition(_END_OF_HEAD)
        if len(body) == len(find.body) and len(head) <= MAX_HEAD_BYTES:
            if len(self._heads) >= MAX_HEADS:
                self._heads.clear()
            self._heads[head] = (find.status, len(body))
