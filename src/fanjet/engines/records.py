"""Encoding of publications and client infos in remote brokers (07 §7)."""

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


# Most publications have only data, time and perhaps a publisher. These are encoded and decoded by hand, in a third of
# the time that Protobuf takes.
_DATA_TAG: Final = 0x22
_INFO_TAG: Final = 0x2A
_DELTA: Final = b"\x40\x01"
_TIME_TAG: Final = 0x48
_TIME_LENGTH: Final = 6
"""Bytes of an encoded time between the years 1971 and 2109."""
_CONTINUED: Final = 0x80
"""The continuation bit of a varint."""
_LARGE_INFO: Final = 1024
"""Size in bytes from which an info is not cached."""


class MalformedRecord(Exception):  # noqa: N818 (says what is wrong)
    """Bytes from a backend that are not a valid record."""


class Received(Struct, frozen=True, gc=False):
    """A received publication with the fields that are not for clients."""

    publication: Publication
    epoch: str = ""
    use_delta: bool = False
    previous: Publication | None = None


def info_record(info: ClientInfo) -> pb.ClientInfo:
    """The Protobuf message of a client info."""
    return pb.ClientInfo(user=info.user, client=info.client, conn_info=info.conn_info, chan_info=info.chan_info)


def publication_record(data: bytes, options: PublishOptions, time: int) -> pb.Publication:
    """The Protobuf message of a publication without an offset.

    `time` in Unix milliseconds.
    """
    return pb.Publication(
        data=data,
        info=None if options.info is None else info_record(options.info),
        tags=options.tags,
        time=time,
        version=options.version,
    )


def encode_publication(data: bytes, options: PublishOptions, time: int, *, delta: bool = False) -> bytes:
    """Encode a publication without an offset.

    `time` in Unix milliseconds; `delta`: request delta compression.
    """
    if data and not options.tags and not options.version:
        info = options.info
        if info is None:
            field = b""
        else:
            is_small = len(info.conn_info) < _LARGE_INFO > len(info.chan_info)
            field = _cached_info_field(info) if is_small else _info_field(info)
        return b"".join((_data_header(len(data)), data, field, _DELTA if delta else b"", _time_field(time)))
    record = publication_record(data, options, time)
    record.delta = delta
    return record.SerializeToString()


def encode_info(info: ClientInfo) -> bytes:
    """Encode a client info."""
    return _cached_info_bytes(info) if len(info.conn_info) < _LARGE_INFO > len(info.chan_info) else _info_bytes(info)


def decode_info(data: bytes) -> ClientInfo:
    """Decode a client info. Raises `MalformedRecord`."""
    return _cached_info(data) if len(data) < _LARGE_INFO else _info(data)


def _info(data: bytes) -> ClientInfo:
    try:
        return info_of(pb.ClientInfo.FromString(data))
    except DecodeError as error:
        raise MalformedRecord(str(error)) from error


def decode_publication(data: bytes, offset: int = 0) -> Publication:
    """Decode a stored publication, whose offset is known from its key or id.

    Raises `MalformedRecord`.
    """
    simple = _decode_simple(data, offset)
    if simple is not None:
        return simple
    try:
        return publication_of(pb.Publication.FromString(data), offset)
    except DecodeError as error:
        raise MalformedRecord(str(error)) from error


def decode_received(data: bytes, offset: int = 0, epoch: str = "") -> Received:
    """Decode a received publication.

    Offset and epoch apply unless it contains its own (07 §7 item 3, 4). Raises `MalformedRecord`.
    """
    simple = _decode_simple(data, offset)
    if simple is not None:
        return Received(_with_epoch(simple, epoch) if offset == 1 else simple, epoch)
    try:
        record = pb.Publication.FromString(data)
    except DecodeError as error:
        raise MalformedRecord(str(error)) from error
    return received_of(record, offset, epoch)


def received_of(record: pb.Publication, offset: int = 0, epoch: str = "") -> Received:
    """Convert a received publication.

    Offset and epoch apply unless it contains its own.
    """
    previous = Publication(record.prev_data) if record.prev_data else None
    epoch = record.epoch or epoch
    return Received(
        _with_epoch(publication_of(record, record.offset or offset), epoch),
        epoch,
        record.delta or previous is not None,
        previous,
    )


def _with_epoch(publication: Publication, epoch: str) -> Publication:
    """Add the epoch to the first publication of a stream.

    It is delivered with it (01 §7.1).
    """
    return replace(publication, epoch=epoch) if publication.offset == 1 and epoch else publication


def publication_of(record: pb.Publication, offset: int) -> Publication:
    """Convert a record to a publication."""
    info = info_of(record.info) if record.HasField("info") else None
    tags = dict(record.tags) if len(record.tags) else None  # checking the length first saves 1 µs
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
    """Convert a record to a client info."""
    return ClientInfo(record.user, record.client, record.conn_info, record.chan_info)


def _decode_simple(record: bytes, offset: int) -> Publication | None:
    """Decode a publication that has only data, time and perhaps an info.

    Returns None for any other. May raise `MalformedRecord`.
    """
    size = len(record)
    if size < 2 + 1 + _TIME_LENGTH or record[0] != _DATA_TAG:
        return None
    # Lengths of one or two bytes only: above 16 KB the copying costs more than the parsing.
    length, start = record[1], 2
    if length >= _CONTINUED:
        if record[2] >= _CONTINUED:
            return None
        length, start = length - _CONTINUED + (record[2] << 7), 3
    end = start + length
    last = size - 1 - _TIME_LENGTH
    info = None
    if end < last and record[end] == _INFO_TAG:
        length, info_start = record[end + 1], end + 2
        if length >= _CONTINUED:
            length, info_start = length - _CONTINUED + (record[end + 2] << 7), end + 3
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
    """Encode the info field of a publication."""
    encoded = _info_bytes(info)
    return _varint(_INFO_TAG, len(encoded)) + encoded


def _info_bytes(info: ClientInfo) -> bytes:
    return info_record(info).SerializeToString()


# A client that publishes or joins usually does so repeatedly.
_cached_info_bytes: Final = lru_cache(1024)(_info_bytes)
_cached_info_field: Final = lru_cache(1024)(_info_field)
_cached_info: Final = lru_cache(1024)(_info)


@lru_cache(16)
def _time(encoded: bytes) -> int:
    """Decode a varint of exactly these bytes; 0 if it ends earlier or continues."""
    number = 0
    for index, byte in enumerate(encoded):
        if (byte >= _CONTINUED) == (index == _TIME_LENGTH - 1):
            return 0
        number |= (byte & ~_CONTINUED) << 7 * index
    return number


@lru_cache(16)
def _time_field(time: int) -> bytes:
    return _varint(_TIME_TAG, time)


@lru_cache(4096)
def _data_header(length: int) -> bytes:
    return _varint(_DATA_TAG, length)


def _varint(tag: int, number: int) -> bytes:
    encoded = bytearray([tag])
    while number >= _CONTINUED:
        encoded.append(number & ~_CONTINUED & 0xFF | _CONTINUED)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
