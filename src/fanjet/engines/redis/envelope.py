"""Encoding of messages in Redis PUB/SUB, byte for byte (07 §7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fanjet.engines.records import (
    MalformedRecord,
    decode_info,
    decode_publication,
    decode_received,
    encode_info,
)

if TYPE_CHECKING:
    from fanjet.engines.interfaces import BrokerEvents
    from fanjet.protocol.publication import ClientInfo

_MARK: Final = b"__"
_JOIN: Final = b"__j__"
_LEAVE: Final = b"__l__"


def encode_join(info: ClientInfo) -> bytes:
    """Encode a join."""
    return _JOIN + encode_info(info)


def encode_leave(info: ClientInfo) -> bytes:
    """Encode a leave."""
    return _LEAVE + encode_info(info)


def deliver(payload: bytes, channel: str, events: BrokerEvents) -> None:
    """Decode a message and report it to `events`. Raises `MalformedRecord`."""
    if not payload.startswith(_MARK):  # no encoded publication begins with this
        _deliver_publication(payload, 0, "", channel, events)
    elif payload.startswith(b"__p1:"):
        offset, epoch, publication = unwrap(payload)
        _deliver_publication(publication, offset, epoch, channel, events)
    elif payload.startswith(b"__d1:"):
        _deliver_delta(payload, channel, events)
    elif payload.startswith(_JOIN):
        events.on_join(channel, decode_info(payload[len(_JOIN) :]))
    elif payload.startswith(_LEAVE):
        events.on_leave(channel, decode_info(payload[len(_LEAVE) :]))
    else:
        raise MalformedRecord("unknown kind of message")


def unwrap(payload: bytes) -> tuple[int, str, bytes]:
    """Offset, epoch and publication of `__p1:<offset>:<epoch>__<publication>`.

    Raises `MalformedRecord`.
    """
    header, mark, publication = payload[5:].partition(_MARK)
    offset, colon, epoch = header.partition(b":")
    if not mark or not colon:
        raise MalformedRecord("incomplete position")
    return _number(offset), _text(epoch), publication


def _deliver_publication(data: bytes, offset: int, epoch: str, channel: str, events: BrokerEvents) -> None:
    received = decode_received(data, offset, epoch)
    events.on_publication(
        channel,
        received.publication,
        received.epoch,
        use_delta=received.use_delta,
        previous=received.previous,
    )


def _deliver_delta(payload: bytes, channel: str, events: BrokerEvents) -> None:
    """Deliver a publication with its delta base.

    Format: `__d1:<offset>:<epoch>:<length>:<previous>:<length>:<publication>`; `previous` may be empty.
    """
    parts = payload[5:].split(b":", 2)
    if len(parts) < 3:
        raise MalformedRecord("incomplete position")
    offset, epoch = _number(parts[0]), _text(parts[1])
    previous, rest = _length_prefixed(parts[2])
    data, _ = _length_prefixed(rest[1:])
    received = decode_received(data, offset, epoch)
    base = received.previous
    if base is None and previous:
        if previous.startswith(_MARK):  # with LISTs, Centrifugo sends the stored element
            _, _, previous = unwrap(previous)
        base = decode_publication(previous)
    events.on_publication(channel, received.publication, received.epoch, use_delta=True, previous=base)


def _length_prefixed(data: bytes) -> tuple[bytes, bytes]:
    """Split length-prefixed bytes from the rest."""
    digits, colon, rest = data.partition(b":")
    length = _number(digits)
    if not colon or len(rest) < length:
        raise MalformedRecord("message is shorter than it says")
    return rest[:length], rest[length:]


def _number(digits: bytes) -> int:
    if not digits.isdigit():
        raise MalformedRecord("not a number")
    return int(digits)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise MalformedRecord("epoch is not text") from error
