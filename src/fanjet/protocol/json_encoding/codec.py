"""The JSON encoding: one line per message, payloads verbatim (01 §2.2)."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from msgspec import DecodeError, Struct
from msgspec.json import Encoder

from ..codec import Codec, MalformedFrame
from ..codes import Error
from ..fossil import consecutive_deltas
from ..messages import (
    EMPTY_SUBSCRIBE_RESULT,
    Command,
    ConnectPush,
    ConnectResult,
    PublishResult,
    PushBody,
    Result,
    UnsubscribeResult,
)
from ..publication import ClientInfo, EncodedPublication, Publication
from ..schema import PUSH_FIELDS, RESULT_FIELDS
from .document_decoder import DocumentDecoder
from .encode import json_encoder, json_string, json_string_of_bytes
from .scan import MalformedJSON

_NEWLINE: Final = 0x0A
"""An integer: searching bytes for it takes a tenth of the time of a search for `b"\\n"`."""

_commands: Final = DocumentDecoder(Command)
_decode_command: Final = _commands.decode_exact
_write: Final = Encoder().encode
_EMPTY_REPLIES: Final = {
    PublishResult: b'{"id":%d,"publish":{}}',
    UnsubscribeResult: b'{"id":%d,"unsubscribe":{}}',
}
"""Templates of the most frequent results, which are empty."""
_RESULTS: Final = {
    result: (b',"' + name.encode() + b'":', json_encoder(result)) for result, (_, name) in RESULT_FIELDS.items()
}
_PUSHES: Final = {body: (b'"' + name.encode() + b'":', json_encoder(body)) for body, (_, name) in PUSH_FIELDS.items()}
_encode_error: Final = json_encoder(Error)


def _verbatim(payload: bytes) -> bytes:
    return payload


# Encode a publication without its data, which is written first: live, live with delta-encoded data, and in a recovered
# list with delta (01 §10.2).
_OMITTED_WITH_DELTA: Final = frozenset({"data", "epoch", "version"})
_encode_live: Final = json_encoder(Publication, payload=_verbatim, exclude=frozenset({"data"}))
_encode_live_delta: Final = json_encoder(Publication, payload=_verbatim, exclude=_OMITTED_WITH_DELTA)
_encode_recovered_delta: Final = json_encoder(Publication, exclude=_OMITTED_WITH_DELTA | {"key", "removed", "score"})


class _JSONCodec:
    """See `Codec`.

    `push_start` and `push_end` enclose the members of a push: as part of a reply, or bare.
    """

    __slots__ = ("_push_end", "_push_start")

    name = "json"
    ping = b"{}"
    pushes_json = True
    size = staticmethod(len)  # encoded messages carry no delimiter

    def __init__(self, *, push_start: bytes = b'{"push":{', push_end: bytes = b"}}") -> None:
        self._push_start = push_start
        self._push_end = push_end

    def decode(self, frame: bytes) -> Iterator[Command]:
        for command, _ in self.commands(frame):
            yield command

    def commands(self, frame: bytes) -> Iterator[tuple[Command, int]]:
        if _NEWLINE in frame:
            return _decode_lines(frame)
        return iter(((_decode_line(frame), len(frame)),))

    def sizes(self, frame: bytes) -> Iterable[int]:
        if _NEWLINE not in frame:
            return (len(frame),)
        *lines, last = frame.split(b"\n")
        return (*(len(line) + 1 for line in lines), len(last))

    def reply(self, id: int, result: Result) -> bytes:  # noqa: A002
        template = _EMPTY_REPLIES.get(type(result))
        if template is not None:
            return template % id
        if result is EMPTY_SUBSCRIBE_RESULT:
            return b'{"id":%d,"subscribe":{}}' % id
        name, encode = _RESULTS[type(result)]
        return _without_newlines(b'{"id":%d%b%b}' % (id, name, encode(result)))

    def error(self, id: int, error: Error) -> bytes:  # noqa: A002
        body = _encode_error(error)
        return b'{"id":%d,"error":%b}' % (id, body)

    def push(self, channel: str, body: PushBody, channel_id: int = 0) -> bytes:
        name, encode = _PUSHES[type(body)]
        return _without_newlines(self._start(channel, channel_id) + name + encode(body) + self._push_end)

    def publication_prefix(self, channel: str, channel_id: int = 0) -> bytes:
        return self._start(channel, channel_id) + b'"pub":{'

    def _start(self, channel: str, channel_id: int) -> bytes:
        if channel_id:
            return self._push_start + b'"id":%d,' % channel_id
        return self._push_start + b'"channel":%b,' % json_string(channel) if channel else self._push_start

    def publication_push(self, prefix: bytes, publication: Publication) -> bytes:
        data = publication.data
        if (
            not data
            or publication.tags
            or publication.key
            or publication.epoch
            or publication.version
            or publication.removed
            or publication.score
            or publication.channel
        ):
            members = _members(b'"data":' + data if data else b"", _encode_live(publication))
            return _without_newlines(prefix + members + b"}" + self._push_end)
        # Nearly all publications have only these three fields. A single join copies a large payload once.
        if _NEWLINE in data:
            data = data.replace(b"\n", b"")
        offset = b',"offset":%d}' % publication.offset if publication.offset else b"}"
        if publication.info is None:
            return b"".join((prefix, b'"data":', data, offset, self._push_end))
        info = _cached_info(publication.info)
        return b"".join((prefix, b'"data":', data, b',"info":', info, offset, self._push_end))

    def delta_push(self, prefix: bytes, publication: Publication, patch: bytes | None, *, attempted: bool) -> bytes:
        members = _members(_delta_data(publication.data, patch), _encode_live_delta(publication))
        return _without_newlines(prefix + members + b"}" + self._push_end)

    def recovered_deltas(self, publications: Sequence[Publication]) -> list[EncodedPublication]:
        patches = consecutive_deltas([publication.data for publication in publications])
        return [
            EncodedPublication(
                b"{" + _members(_delta_data(publication.data, patch), _encode_recovered_delta(publication)) + b"}"
            )
            for publication, patch in zip(publications, patches, strict=True)
        ]


def _decode_lines(frame: bytes) -> Iterator[tuple[Command, int]]:
    *lines, last = frame.split(b"\n")
    for line in lines:
        yield _decode_line(line), len(line) + 1
    if last:
        yield _decode_line(last), len(last)


def _decode_line(line: bytes) -> Command:
    try:
        if not line.isascii():
            line.decode()  # msgspec accepts invalid UTF-8 in payloads and unknown keys
        return _decode_command(line)
    except UnicodeDecodeError as error:
        raise MalformedFrame from error
    except (DecodeError, RecursionError) as decode_error:
        return _decode_fallback(line, decode_error)


def _decode_fallback(line: bytes, decode_error: Exception) -> Command:
    """Decode a document that the fast decoder refuses (01 §2.2, §2.4).

    It may have keys in other letter cases, nulls, lone surrogates and deep nesting. Raises `MalformedFrame`.
    """
    try:
        return _commands.decode_fallback(line, decode_error)
    except (MalformedJSON, RecursionError) as error:
        raise MalformedFrame from error


class _UserAndClient(Struct, gc=False):
    """The members that every client info has."""

    user: str
    client: str


def _encode_info(info: ClientInfo) -> bytes:
    """Encode a client info without payload checks.

    Takes a fifth of the time of a table-driven encoder.
    """
    try:
        text = _write(_UserAndClient(info.user, info.client))
    except UnicodeEncodeError:
        text = b'{"user":%b,"client":%b}' % (json_string(info.user), json_string(info.client))
    if not (info.conn_info or info.chan_info):
        return text
    text = text[:-1]
    if info.conn_info:
        text += b',"conn_info":' + _without_newlines(info.conn_info)
    if info.chan_info:
        text += b',"chan_info":' + _without_newlines(info.chan_info)
    return text + b"}"


_cached_info: Final = lru_cache(512)(_encode_info)
"""Publishers repeat. Infos come from tokens and backends, so they are short."""


def _delta_data(data: bytes, patch: bytes | None) -> bytes:
    """Encode the payload, or a patch that is valid UTF-8, as a JSON string."""
    if patch is not None:
        try:
            return b'"data":' + json_string(patch.decode()) + b',"delta":true'
        except UnicodeDecodeError:
            pass
    return b'"data":' + json_string_of_bytes(data)


def _members(first: bytes, rest: bytes) -> bytes:
    """Join leading members with those of the object `rest`, without braces."""
    more = rest[1:-1]
    return first + b"," + more if first and more else first or more


def _without_newlines(message: bytes) -> bytes:
    """Strip raw newlines.

    They are white space in payloads: JSON strings cannot contain them.
    """
    return message.replace(b"\n", b"") if _NEWLINE in message else message


class _UnidirectionalJSON(_JSONCodec):
    """See `Codec`.

    A connect is answered with a push, commands of emulation requests with replies.
    """

    __slots__ = ()

    def reply(self, id: int, result: Result) -> bytes:  # noqa: A002
        if isinstance(result, ConnectResult):
            return self.push("", ConnectPush.from_result(result))
        return super().reply(id, result)


JSON: Final[Codec] = _JSONCodec()
UNIDIRECTIONAL_JSON: Final[Codec] = _UnidirectionalJSON(push_start=b"{", push_end=b"}")
"""For connections that receive bare pushes (02 §9.1)."""
