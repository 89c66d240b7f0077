"""What an encoding of the client protocol can do. There are two: `json_codec.JSON` and `protobuf_codec.PROTOBUF`."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from .codes import Error
from .messages import Command, PushBody, Result
from .publication import EncodedPublication, Publication


class MalformedFrame(Exception):  # noqa: N818 (says what is wrong, like the protocol's codes)
    """A frame, or what follows its good commands, is not what 01 §2.4 allows. The connection ends with 3501."""


class PayloadNotJSON(Exception):  # noqa: N818
    """A payload that is not JSON would have made a JSON message invalid (01 §2.2). The connection ends with 3506."""


class Codec(Protocol):
    """One encoding. Stateless, shared by all connections.

    Messages are whole, but unframed: JSON messages still want a newline or an SSE event around them, Protobuf messages
    carry their length prefix and just follow each other, but for those of gRPC. None contains a raw newline on JSON.
    """

    name: str
    """`json` or `protobuf`."""
    ping: bytes
    """The empty reply, or push (01 §5.4)."""
    pushes_json: bool
    """Whether payloads have to be JSON."""

    def decode(self, frame: bytes) -> Iterator[Command]:
        """Yield the commands of a frame, an empty one (a pong) as `Command()`.

        Lazy: the commands before a malformed one are yielded, then `MalformedFrame` is raised.
        """

    def commands(self, frame: bytes) -> Iterator[tuple[Command, int]]:
        """The same commands, each with its size in bytes. A frame that holds just one, as most do, is decoded at once:
        this, too, may raise `MalformedFrame`."""

    def size(self, message: bytes) -> int:
        """How many bytes a message has that was encoded here, without what only parts it from the next."""

    def sizes(self, frame: bytes) -> Iterable[int]:
        """How many bytes each of the commands has that `decode` yields."""

    def reply(self, id: int, result: Result) -> bytes:  # noqa: A002
        """Encode the successful answer to command `id` (above 0). Raises `PayloadNotJSON`."""

    def error(self, id: int, error: Error) -> bytes:  # noqa: A002
        """Encode the error answer to command `id`."""

    def push(self, channel: str, body: PushBody, channel_id: int = 0) -> bytes:
        """Encode a push other than a publication; an id stands in for the channel's name. Raises `PayloadNotJSON`."""

    def publication_prefix(self, channel: str, channel_id: int = 0) -> bytes:
        """Encode what precedes the publication in a push: constant per channel, to be kept by who broadcasts."""

    def publication_push(self, prefix: bytes, publication: Publication) -> bytes:
        """Encode a live publication. On JSON the caller has checked the payloads (`json_payload_ok`)."""

    def delta_push(self, prefix: bytes, publication: Publication, patch: bytes | None, *, attempted: bool) -> bytes:
        """Encode a live publication for subscribers that negotiated delta (01 §10.2).

        `patch` None sends the full payload. `attempted` says that a patch was computed but was not shorter; it decides
        which fields Protobuf writes. JSON also sends the full payload if the patch is not UTF-8 (01 §17 FIX 1).
        """

    def recovered_deltas(self, publications: Sequence[Publication]) -> list[EncodedPublication]:
        """Encode a recovered list for a subscription that negotiated delta (01 §10.2, §10.3).

        The first one is full, the others are patches of the one before where that is shorter. Raises `PayloadNotJSON`.
        """
