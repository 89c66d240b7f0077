"""Publications and client infos as remote brokers store and send them (07 §7)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from msgspec import Struct
from msgspec.structs import replace

from fanjet.protocol.publication import ClientInfo, Publication

from .proto import broker_pb2 as pb

if TYPE_CHECKING:
    from .interfaces import PublishOptions


# A publication with data, time and perhaps a publisher, as most are, is written and read by hand: a third of the time
# of Protobuf's.
_DATA_TAG: Final = 0x22
_INFO_TAG: Final = 0x2A
_DELTA: Final = b"\x40\x01"
_TIME_TAG: Final = 0x48
_TIME_LENGTH: Final = 6
"""Bytes of a time between the years 1971 and 2109."""
_LONG: Final = 0x80
"""The bit of a byte that says that the number goes on."""
_LARGE_INFO: Final = 1024
"""Bytes of an info that is not remembered."""


class MalformedRecord(Exception):  # noqa: N818 (says what is wrong)
    """Bytes from a backend that are no message of this format."""


class Received(Struct, frozen=True, gc=False):
    """A publication as it came, with what is not for clients."""

    publication: Publication
    epoch: str = ""
    use_delta: bool = False
    previous: Publication | None = None


def info_record(info: ClientInfo) -> pb.ClientInfo:
    """A client info, to be encoded."""
    return pb.ClientInfo(user=info.user, client=info.client, conn_info=info.conn_info, chan_info=info.chan_info)


def publication_record(data: bytes, options: PublishOptions, time: int) -> pb.Publication:
    """A publication that is in no stream yet. `time` in Unix milliseconds."""
    return pb.Publication(
        data=data,
        info=None if options.info is None else info_record(options.info),
        tags=options.tags,
        time=time,
        version=options.version,
    )


def encode_publication(data: bytes, options: PublishOptions, time: int, *, delta: bool = False) -> bytes:
    """A publication that is in no stream yet. `time` in Unix milliseconds; `delta`: say that a delta is wanted."""
    if data and not options.tags and not options.version:
        info = options.info
        if info is None:
            field = b""
        else:
            is_small = len(info.conn_info) < _LARGE_INFO > len(info.chan_info)
            field = _remembered_info_field(info) if is_small else _info_field(info)
        return b"".join((_data_head(len(data)), data, field, _DELTA if delta else b"", _time_field(time)))
    record = publication_record(data, options, time)
    record.delta = delta
    return record.SerializeToString()


def encode_info(info: ClientInfo) -> bytes:
    """A client info by itself."""
    return (
        _remembered_info_bytes(info) if len(info.conn_info) < _LARGE_INFO > len(info.chan_info) else _info_bytes(info)
    )


def decode_info(data: bytes) -> ClientInfo:
    """Raises `MalformedRecord`."""
    return _remembered_info(data) if len(data) < _LARGE_INFO else _info(data)


def _info(data: bytes) -> ClientInfo:
    try:
        return info_of(pb.ClientInfo.FromString(data))
    except DecodeError as error:
        raise MalformedRecord(str(error)) from error


def decode_publication(data: bytes, offset: int = 0) -> Publication:
    """A stored publication, whose offset is known from where it was stored. Raises `MalformedRecord`."""
    plain = _plain(data, offset)
    if plain is not None:
        return plain
    try:
        return publication_of(pb.Publication.FromString(data), offset)
    except DecodeError as error:
        raise MalformedRecord(str(error)) from error


def decode_received(data: bytes, offset: int = 0, epoch: str = "") -> Received:
    """A publication that came, at a position unless it carries one itself (07 §7 item 3, 4). Raises
    `MalformedRecord`."""
    plain = _plain(data, offset)
    if plain is not None:
        return Received(_introduced(plain, epoch) if offset == 1 else plain, epoch)
    try:
        record = pb.Publication.FromString(data)
    except DecodeError as error:
        raise MalformedRecord(str(error)) from error
    return received_of(record, offset, epoch)


def received_of(record: pb.Publication, offset: int = 0, epoch: str = "") -> Received:
    """A publication that came, at a position unless it carries one itself."""
    previous = Publication(record.prev_data) if record.prev_data else None
    epoch = record.epoch or epoch
    return Received(
        _introduced(publication_of(record, record.offset or offset), epoch),
        epoch,
        record.delta or previous is not None,
        previous,
    )


def _introduced(publication: Publication, epoch: str) -> Publication:
    """The first publication of a stream, as it is delivered, tells the stream's epoch (01 §7.1)."""
    return replace(publication, epoch=epoch) if publication.offset == 1 and epoch else publication


def publication_of(record: pb.Publication, offset: int) -> Publication:
    """The publication that a record describes."""
    info = info_of(record.info) if record.HasField("info") else None
    tags = dict(record.tags) if len(record.tags) else None  # asked first: 1 µs less
    return Publication(
        record.data,
        offset,
        info,
        tags,
        record.time,
        record.key,
        record.removed,
        record.score,
        version=record.version,
        channel=record.channel,
    )


def info_of(record: pb.ClientInfo) -> ClientInfo:
    """The client info that a record describes."""
    return ClientInfo(record.user, record.client, record.conn_info, record.chan_info)


def _plain(record: bytes, offset: int) -> Publication | None:
    """The publication, if it has nothing but data, time and perhaps an info. May raise `MalformedRecord`."""
    size = len(record)
    if size < 2 + 1 + _TIME_LENGTH or record[0] != _DATA_TAG:
        return None
    # Lengths have one byte or two: of what is longer than 16 KB the copying costs more than the parsing.
    length, start = record[1], 2
    if length >= _LONG:
        if record[2] >= _LONG:
            return None
        length, start = length - _LONG + (record[2] << 7), 3
    end = start + length
    last = size - 1 - _TIME_LENGTH
    info = None
    if end < last and record[end] == _INFO_TAG:
        length, info_start = record[end + 1], end + 2
        if length >= _LONG:
            length, info_start = length - _LONG + (record[end + 2] << 7), end + 3
        if info_start + length != last:
            return None
        info = decode_info(record[info_start:last])
    elif end != last:
        return None
    if record[last] != _TIME_TAG:
        return None
    time = _time(record[last + 1 :])
    if not time:
        return None
    return Publication(record[start:end], offset, info, None, time)


def _info_field(info: ClientInfo) -> bytes:
    """An info within a publication."""
    encoded = _info_bytes(info)
    return _varint(_INFO_TAG, len(encoded)) + encoded


def _info_bytes(info: ClientInfo) -> bytes:
    return info_record(info).SerializeToString()


# Who publishes or joins does so again.
_remembered_info_bytes: Final = lru_cache(1024)(_info_bytes)
_remembered_info_field: Final = lru_cache(1024)(_info_field)
_remembered_info: Final = lru_cache(1024)(_info)


@lru_cache(16)
def _time(encoded: bytes) -> int:
    """A number of so many bytes, or 0 when it ends earlier or goes on."""
    number = 0
    for place, byte in enumerate(encoded):
        if (byte >= _LONG) == (place == _TIME_LENGTH - 1):
            return 0
        number |= (byte & ~_LONG) << 7 * place
    return number


@lru_cache(16)
def _time_field(time: int) -> bytes:
    return _varint(_TIME_TAG, time)


@lru_cache(4096)
def _data_head(length: int) -> bytes:
    return _varint(_DATA_TAG, length)


def _varint(tag: int, number: int) -> bytes:
    encoded = bytearray([tag])
    while number >= _LONG:
        encoded.append(number & ~_LONG & 0xFF | _LONG)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
