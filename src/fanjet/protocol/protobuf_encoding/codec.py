"""The Protobuf encoding: length-prefixed messages, opaque payloads (01 §2.3)."""

from collections.abc import Iterator, Sequence
from typing import Final

from ..codec import Codec, MalformedFrame
from ..codes import Error
from ..fossil import consecutive_deltas
from ..messages import Command, ConnectPush, ConnectResult, PushBody, Result
from ..publication import ClientInfo, EncodedPublication, Publication
from ..schema import (
    PUSH_CHANNEL,
    PUSH_FIELDS,
    PUSH_ID,
    PUSH_PUBLICATION,
    REPLY_ERROR,
    REPLY_PUSH,
    RESULT_FIELDS,
    SCHEMA,
)
from .decode import decode_command
from .encode import length_field, protobuf_encoder, string_field, varint_field
from .wire import read_varint, varint

_NUMBERS: Final = {field.name: field.number for field in SCHEMA[Publication]}
_data: Final = length_field(_NUMBERS["data"])
_info: Final = length_field(_NUMBERS["info"])
_offset: Final = varint_field(_NUMBERS["offset"])
_IS_DELTA: Final = varint_field(8)(1)

_reply_id: Final = varint_field(1)
_reply_error: Final = length_field(REPLY_ERROR)
_reply_push: Final = length_field(REPLY_PUSH)
_push_id: Final = varint_field(PUSH_ID)
_push_channel: Final = string_field(PUSH_CHANNEL)
_push_publication: Final = length_field(PUSH_PUBLICATION)
_RESULTS: Final = {
    result: (length_field(number), protobuf_encoder(result)) for result, (number, _) in RESULT_FIELDS.items()
}
_PUSHES: Final = {body: (length_field(number), protobuf_encoder(body)) for body, (number, _) in PUSH_FIELDS.items()}
_encode_error: Final = protobuf_encoder(Error)
_LENGTH_BYTES: Final = 8
"""Size of a length prefix in the metrics, whatever its actual size."""

# Encode a full publication, and the fields sent with delta-encoded data: live, and in a recovered list (01 §10.2).
_OMITTED_WITH_DELTA: Final = frozenset({"data", "epoch", "version"})
_client_info: Final = protobuf_encoder(ClientInfo)
_encode_full: Final = protobuf_encoder(Publication)
_encode_live_delta: Final = protobuf_encoder(Publication, exclude=_OMITTED_WITH_DELTA)
_encode_recovered_delta: Final = protobuf_encoder(
    Publication, exclude=_OMITTED_WITH_DELTA | {"key", "removed", "score"}
)


class _ProtobufCodec:
    """See `Codec`."""

    __slots__ = ()

    name = "protobuf"
    ping = b"\x00"
    pushes_json = False

    def decode(self, frame: bytes) -> Iterator[Command]:
        size = len(frame)
        if not size:
            raise MalformedFrame("empty frame")
        at = 0
        while at < size:
            length, start = read_varint(frame, at, size)
            if start == size and length and at:
                return  # a lone length after valid commands is ignored (01 §2.4)
            if length > size - start:
                raise MalformedFrame("command is shorter than announced")
            at = start + length
            yield decode_command(frame, start, at)

    def commands(self, frame: bytes) -> Iterator[tuple[Command, int]]:
        size = len(frame)
        if size and frame[0] == size - 1:  # below 128: a one-byte length prefix
            return iter(((decode_command(frame, 1, size), size - 1 + _LENGTH_BYTES),))
        return zip(self.decode(frame), self.sizes(frame), strict=False)

    def size(self, message: bytes) -> int:
        return read_varint(message, 0, len(message))[0]

    def sizes(self, frame: bytes) -> Iterator[int]:
        """Yield the size of each command, counting its length prefix as `_LENGTH_BYTES`."""
        size = len(frame)
        at = 0
        while at < size:
            length, start = read_varint(frame, at, size)
            yield length + _LENGTH_BYTES
            at = start + length

    def reply(self, id: int, result: Result) -> bytes:  # noqa: A002
        wrap, encode = _RESULTS[type(result)]
        return self._finish_reply(_reply_id(id) + wrap(encode(result)))

    def error(self, id: int, error: Error) -> bytes:  # noqa: A002
        body = _encode_error(error)
        return self._finish_reply(_reply_id(id) + _reply_error(body))

    def push(self, channel: str, body: PushBody, channel_id: int = 0) -> bytes:
        wrap, encode = _PUSHES[type(body)]
        return self._finish_push(self.publication_prefix(channel, channel_id) + wrap(encode(body)))

    def publication_prefix(self, channel: str, channel_id: int = 0) -> bytes:
        if channel_id:
            return _push_id(channel_id)
        return _push_channel(channel) if channel else b""

    def publication_push(self, prefix: bytes, publication: Publication) -> bytes:
        if (
            publication.tags
            or publication.key
            or publication.epoch
            or publication.version
            or publication.removed
            or publication.score
            or publication.channel
        ):
            return self._pushed(prefix, _encode_full(publication))
        # Nearly all publications have only these three fields.
        body = _data(publication.data) if publication.data else b""
        if publication.info is not None:
            body += _info(_client_info(publication.info))
        if publication.offset:
            body += _offset(publication.offset)
        return self._pushed(prefix, body)

    def delta_push(self, prefix: bytes, publication: Publication, patch: bytes | None, *, attempted: bool) -> bytes:
        if patch is None and not attempted:
            return self.publication_push(prefix, publication)
        return self._pushed(prefix, _encode_live_delta(publication) + _delta_data(publication.data, patch))

    def recovered_deltas(self, publications: Sequence[Publication]) -> list[EncodedPublication]:
        patches = consecutive_deltas([publication.data for publication in publications])
        encoded = [
            _encode_recovered_delta(publication) + _delta_data(publication.data, patch)
            for publication, patch in zip(publications, patches, strict=True)
        ]
        if publications:
            encoded[0] = _encode_full(publications[0])
        return [EncodedPublication(body) for body in encoded]

    def _pushed(self, prefix: bytes, publication: bytes) -> bytes:
        return self._finish_push(prefix + _push_publication(publication))

    @staticmethod
    def _finish_reply(reply: bytes) -> bytes:
        return _with_length(reply)

    @staticmethod
    def _finish_push(push: bytes) -> bytes:
        return _with_length(_reply_push(push))


def _delta_data(data: bytes, patch: bytes | None) -> bytes:
    if patch is not None:
        return _data(patch) + _IS_DELTA
    return _data(data) if data else b""


def _with_length(message: bytes) -> bytes:
    return varint(len(message)) + message


class _UnidirectionalProtobuf(_ProtobufCodec):
    """See `Codec`.

    A connect is answered with a push. Messages carry no length prefix: gRPC frames them.
    """

    __slots__ = ()

    ping = b""

    def size(self, message: bytes) -> int:
        return len(message)

    def reply(self, id: int, result: Result) -> bytes:  # noqa: A002
        if isinstance(result, ConnectResult):
            return self.push("", ConnectPush.from_result(result))
        return super().reply(id, result)

    @staticmethod
    def _finish_reply(reply: bytes) -> bytes:
        return reply

    @staticmethod
    def _finish_push(push: bytes) -> bytes:
        return push


PROTOBUF: Final[Codec] = _ProtobufCodec()
UNIDIRECTIONAL_PROTOBUF: Final[Codec] = _UnidirectionalProtobuf()
"""For connections that receive bare pushes (02 §9.6)."""
