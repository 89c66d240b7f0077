"""History in Redis, as STREAMs or LISTs.

STREAMs are in 07 §6; LISTs, for older deployments, in 07 §10.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from fanjet.engines.epoch import new_epoch
from fanjet.engines.interfaces import EngineUnavailable, History, Published
from fanjet.engines.records import MalformedRecord, decode_publication
from fanjet.net.time_slicing import map_sliced
from fanjet.protocol.publication import StreamPosition

from .envelope import unwrap
from .script import Script, pack_words

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from fanjet.engines.interfaces import PublishOptions
    from fanjet.protocol.publication import Publication

    from .connections.connection import Word
    from .keys import ChannelKeys
    from .shards import Location

RESULT_TTL: Final = 300
"""Seconds for which an idempotency key is stored."""
_UINT64: Final = 2**64 - 1


class HistoryStorage(Protocol):
    """How publications are stored.

    Every call may raise `EngineUnavailable`. Durations are whole seconds; a meta TTL of 0 means no expiry.
    """

    def append(
        self, location: Location, channel: str, record: bytes, options: PublishOptions, meta_ttl: int
    ) -> Awaitable[Published]:
        """Append and publish in one atomic step."""

    async def read(
        self,
        location: Location,
        channel: str,
        since: StreamPosition | None,
        limit: int,
        *,
        reverse: bool,
        meta_ttl: int,
    ) -> History:
        """See `Broker.history`."""

    def key(self, channel_keys: ChannelKeys, channel: str) -> str:
        """The key of the stored publications."""


class StreamStorage:
    """One STREAM for each channel; entry ids are the offsets."""

    def __init__(self, publish: str = "PUBLISH") -> None:
        """`publish`: see `Script`."""
        self._publish = Script("publish_stream", publish)
        self._read = Script("read_stream")
        self._command_parts = lru_cache(4096)(self._make_command_parts)

    def append(
        self, location: Location, channel: str, record: bytes, options: PublishOptions, meta_ttl: int
    ) -> Awaitable[Published]:
        """See `HistoryStorage.append`."""
        channel_keys = location.keys
        optional = _optional_arguments(options)
        if not optional:
            key, command_prefix, rest = self._command_parts(
                channel_keys, channel, options.history_size, options.history_ttl, meta_ttl
            )
            command = b"%b$%d\r\n%b\r\n%b$8\r\n%b\r\n" % (
                command_prefix,
                len(record),
                record,
                rest,
                new_epoch().encode(),
            )
            return self._publish.run_packed(location.shard, command, key, _decode_appended)
        return self._publish.run(
            location.shard,
            _keys(
                channel_keys.stream(channel),
                channel_keys.stream_meta(channel),
                channel_keys,
                channel,
                options.idempotency_key,
            ),
            record,
            channel_keys.pubsub_channel(channel),
            options.history_size,
            options.history_ttl,
            meta_ttl,
            new_epoch(),
            *optional,
            decode=_decode_published,
        )

    def _make_command_parts(
        self, channel_keys: ChannelKeys, channel: str, size: int, ttl: int, meta_ttl: int
    ) -> tuple[str, bytes, bytes]:
        """The parts that are equal in all publishes to a channel.

        The first key, the command up to the publication, and the words between publication and epoch. Packing them each
        time takes 2 µs.
        """
        stream, meta = channel_keys.stream(channel), channel_keys.stream_meta(channel)
        command_prefix = self._publish.command_prefix((stream, meta), 6)
        return stream, command_prefix, pack_words(channel_keys.pubsub_channel(channel), size, ttl, meta_ttl)

    async def read(
        self,
        location: Location,
        channel: str,
        since: StreamPosition | None,
        limit: int,
        *,
        reverse: bool,
        meta_ttl: int,
    ) -> History:
        """See `HistoryStorage.read`."""
        direction = "reverse" if reverse else "forward"
        if limit == 0 or (reverse and since is not None and since.offset <= 1):
            direction = ""
        # Offsets are unsigned 64-bit numbers and wrap, as in the memory engine: the last one is followed by 0.
        first = "" if since is None else (since.offset + (-1 if reverse else 1)) & _UINT64
        keys = (location.keys.stream(channel), location.keys.stream_meta(channel))
        max_count = limit if limit > 0 else ""
        offset, epoch, entries = await self._read.run(
            location.shard, keys, meta_ttl, new_epoch(), direction, first, max_count
        )
        with _decoding(channel):
            publications = await map_sliced(_decode_entry, entries)
        return History(publications, _position(offset, epoch))

    def key(self, channel_keys: ChannelKeys, channel: str) -> str:
        """See `HistoryStorage.key`."""
        return channel_keys.stream(channel)


class ListStorage:
    """One LIST for each channel, newest first.

    No versions, no reverse reads; every read transfers the whole list.
    """

    def __init__(self, publish: str = "PUBLISH") -> None:
        """`publish`: see `Script`."""
        self._publish = Script("publish_list", publish)
        self._read = Script("read_list")

    def append(
        self, location: Location, channel: str, record: bytes, options: PublishOptions, meta_ttl: int
    ) -> Awaitable[Published]:
        """See `HistoryStorage.append`."""
        channel_keys = location.keys
        return self._publish.run(
            location.shard,
            _keys(
                channel_keys.list(channel),
                channel_keys.list_meta(channel),
                channel_keys,
                channel,
                options.idempotency_key,
            ),
            record,
            channel_keys.pubsub_channel(channel),
            options.history_size - 1,
            options.history_ttl,
            meta_ttl,
            new_epoch(),
            *_optional_arguments(options),
            decode=_decode_published,
        )

    async def read(
        self,
        location: Location,
        channel: str,
        since: StreamPosition | None,
        limit: int,
        *,
        reverse: bool,
        meta_ttl: int,
    ) -> History:
        """See `HistoryStorage.read`."""
        keys = (location.keys.list(channel), location.keys.list_meta(channel))
        offset, epoch, elements = await self._read.run(
            location.shard, keys, meta_ttl, new_epoch(), "1" if limit else ""
        )
        top = _position(offset, epoch)
        with _decoding(channel):
            publications = await map_sliced(_decode_element, elements[::-1])
        return History(_after(publications, since, limit, top), top)

    def key(self, channel_keys: ChannelKeys, channel: str) -> str:
        """See `HistoryStorage.key`."""
        return channel_keys.list(channel)


def _after(
    publications: list[Publication], since: StreamPosition | None, limit: int, top: StreamPosition
) -> list[Publication]:
    if since is not None:
        if since == top or since.offset > top.offset:
            return []
        publications = [each for each in publications if each.offset > since.offset]
    return publications[:limit] if limit > 0 else publications


def _decode_entry(entry: Any) -> Publication:
    """Decode an entry of a STREAM, whose id is `<offset>-0`."""
    entry_id, fields = entry
    return decode_publication(fields[1], int(entry_id.partition(b"-")[0]))


def _decode_element(element: bytes) -> Publication:
    """Decode an element of a LIST."""
    offset, _, record = unwrap(element)
    return decode_publication(record, offset)


def _keys(
    publications: str, meta: str, channel_keys: ChannelKeys, channel: str, idempotency_key: str
) -> tuple[str, ...]:
    if idempotency_key:
        return publications, meta, channel_keys.result(channel, idempotency_key)
    return publications, meta


def _optional_arguments(options: PublishOptions) -> tuple[Word, ...]:
    """Arguments that most publishes do not need: each word costs 100 ns."""
    if options.use_delta or options.version or options.idempotency_key:
        return "1" if options.use_delta else "", options.version, options.version_epoch, RESULT_TTL
    return ()


def _decode_appended(reply: list[Any]) -> Published:
    """The result of a publish that cannot be suppressed."""
    offset, epoch, _ = reply
    return Published(offset, epoch.decode())


def _decode_published(reply: list[Any]) -> Published:
    offset, epoch, suppressed = reply
    position = _position(offset, epoch)
    return Published(position.offset, position.epoch, suppressed.decode())


def _position(offset: bytes | int, epoch: bytes) -> StreamPosition:
    try:
        return StreamPosition(int(offset), epoch.decode())
    except ValueError as error:
        raise EngineUnavailable(f"malformed stream position in Redis: {offset!r}, {epoch!r}") from error


@contextmanager
def _decoding(channel: str) -> Iterator[None]:
    try:
        yield
    except MalformedRecord as error:
        raise EngineUnavailable(f"malformed publication in the history of {channel!r}: {error}") from error
