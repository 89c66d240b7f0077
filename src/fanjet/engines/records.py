"""Publications and client infos as remote brokers store and send them (07 §7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError
from msgspec import Struct

from fanjet.protocol.publication import ClientInfo, Publication

from .proto import broker_pb2 as pb

if TYPE_CHECKING:
    from .interfaces import PublishOptions


class MalformedRecord(Exception):  # noqa: N818 (says what is wrong)
    """Bytes from a backend that are no message of this format."""


class Received(Struct, frozen=True):
    """A publication as it came, with what is not for clients."""

    publication: Publication
    epoch: str = ""
    use_delta: bool = False
    previous: Publication | None = None
    channel: str = ""


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


def encode_info(info: ClientInfo) -> bytes:
    """A client info by itself."""
    return info_record(info).SerializeToString()


def decode_info(data: bytes) -> ClientInfo:
    """Raises `MalformedRecord`."""
    try:
        return info_of(pb.ClientInfo.FromString(data))
    except DecodeError as error:
        raise MalformedRecord(str(error)) from error


def decode_publication(data: bytes, offset: int = 0) -> Publication:
    """A stored publication, whose offset is known from where it was stored. Raises `MalformedRecord`."""
    try:
        return publication_of(pb.Publication.FromString(data), offset)
    except DecodeError as error:
        raise MalformedRecord(str(error)) from error


def decode_received(data: bytes, offset: int = 0, epoch: str = "") -> Received:
    """A publication that came, at a position unless it carries one itself (07 §7 item 3, 4). Raises
    `MalformedRecord`."""
    try:
        record = pb.Publication.FromString(data)
    except DecodeError as error:
        raise MalformedRecord(str(error)) from error
    return received_of(record, offset, epoch)


def received_of(record: pb.Publication, offset: int = 0, epoch: str = "") -> Received:
    """A publication that came, at a position unless it carries one itself."""
    previous = Publication(record.prev_data) if record.prev_data else None
    return Received(
        publication_of(record, record.offset or offset),
        record.epoch or epoch,
        record.delta or previous is not None,
        previous,
        record.channel,
    )


def publication_of(record: pb.Publication, offset: int) -> Publication:
    """The publication that a record describes."""
    info = info_of(record.info) if record.HasField("info") else None
    tags = dict(record.tags) if len(record.tags) else None  # asked first: 1 µs less
    return Publication(
        record.data, offset, info, tags, record.time, record.key, record.removed, record.score, "", record.version
    )


def info_of(record: pb.ClientInfo) -> ClientInfo:
    """The client info that a record describes."""
    return ClientInfo(record.user, record.client, record.conn_info, record.chan_info)
