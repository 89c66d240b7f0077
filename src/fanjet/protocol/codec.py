"""The interface of the encodings of the client protocol.

Implementations: `json_encoding.codec` and `protobuf_encoding.codec`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from .codes import Error
from .messages import Command, PushBody, Result
from .publication import EncodedPublication, Publication


class MalformedFrame(Exception):  # noqa: N818 (named like the protocol's codes)
    """A frame, or its end after valid commands, violates 01 §2.4.

    The connection ends with 3501.
    """


class PayloadNotJSON(Exception):  # noqa: N818
    """A payload is not JSON and would make a JSON message invalid (01 §2.2).

    The connection ends with 3506.
    """


class Codec(Protocol):
    """One encoding. Stateless, shared by all connections.

    Messages are complete but unframed. JSON messages contain no raw newline and need a newline or an SSE event as
    frame. Protobuf messages carry their length prefix, except those for gRPC, and are simply concatenated.
    """

    name: str
    """`json` or `protobuf`."""
    ping: bytes
    """The empty reply, or push (01 §5.4)."""
    pushes_json: bool
    """Whether payloads must be JSON."""

    def decode(self, frame: bytes) -> Iterator[Command]:
        """Yield the commands of a frame; an empty command (a pong) is `Command()`.

        Lazy: the commands before a malformed one are yielded, then `MalformedFrame` is raised.
        """

    def commands(self, frame: bytes) -> Iterator[tuple[Command, int]]:
        """Yield the same commands, each with its size in bytes.

        A frame with one command, the usual case, is decoded immediately: the call itself may raise `MalformedFrame`.
        """

    def size(self, message: bytes) -> int:
        """Return the size in bytes of an encoded message.

        Its delimiter or length prefix is not included.
        """

    def sizes(self, frame: bytes) -> Iterable[int]:
        """Return the size in bytes of each command that `decode` yields."""

    def reply(self, id: int, result: Result) -> bytes:  # noqa: A002
        """Encode the successful answer to command `id` (above 0). Raises `PayloadNotJSON`."""

    def error(self, id: int, error: Error) -> bytes:  # noqa: A002
        """Encode the error answer to command `id`."""

    def push(self, channel: str, body: PushBody, channel_id: int = 0) -> bytes:
        """Encode a push other than a publication.

        A nonzero id replaces the channel name. Raises `PayloadNotJSON`.
        """

    def publication_prefix(self, channel: str, channel_id: int = 0) -> bytes:
        """Encode the part of a push before the publication.

        It is constant per channel; callers cache it.
        """

    def publication_push(self, prefix: bytes, publication: Publication) -> bytes:
        """Encode a live publication.

        On JSON the caller has checked the payloads (`json_payload_ok`).
        """

    def delta_push(self, prefix: bytes, publication: Publication, patch: bytes | None, *, attempted: bool) -> bytes:
        """Encode a live publication for subscribers that negotiated delta (01 §10.2).

        `patch` None sends the full payload. `attempted` says that a patch was computed but was not shorter; it decides
        which fields Protobuf writes. JSON also sends the full payload if the patch is not UTF-8 (01 §17 FIX 1).
        """

    def recovered_deltas(self, publications: Sequence[Publication]) -> list[EncodedPublication]:
        """Encode recovered publications for a subscription that negotiated delta.

        See 01 §10.2, §10.3. The first publication is full. Each other one is a patch of its predecessor if that is
        shorter. Raises `PayloadNotJSON`.
        """
