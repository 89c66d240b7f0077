"""Streams of publications in Redis: as STREAMs (07 §6) or, as older installations have them, as LISTs (07 §10)."""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from fanjet.engines.epoch import new_epoch
from fanjet.engines.interfaces import EngineUnavailable, History, Published
from fanjet.engines.records import MalformedRecord, decode_publication
from fanjet.net.time_slicing import make_all
from fanjet.protocol.publication import StreamPosition

from .envelope import unwrap
from .script import Script, pack_words

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from fanjet.engines.interfaces import PublishOptions
    from fanjet.protocol.publication import Publication

    from .connections.connection import Word
    from .keys import ChannelNames
    from .shards import Home

RESULT_TTL: Final = 300
"""Seconds for which an idempotency key is remembered."""
_UINT64: Final = 2**64 - 1


class Storage(Protocol):
    """How publications are kept. Every call may raise `EngineUnavailable`; durations are whole seconds, a meta TTL of 0
    means for ever."""

    def append(
        self, home: Home, channel: str, record: bytes, options: PublishOptions, meta_ttl: int
    ) -> Awaitable[Published]:
        """Append and publish in one step."""

    async def read(
        self,
        home: Home,
        channel: str,
        since: StreamPosition | None,
        limit: int,
        *,
        reverse: bool,
        meta_ttl: int,
    ) -> History:
        """See `Broker.history`."""

    def key(self, names: ChannelNames, channel: str) -> str:
        """Where publications are."""


class Streams:
    """One STREAM for each channel, whose entry ids are the offsets."""

    def __init__(self, publish: str = "PUBLISH") -> None:
        """`publish`: see `Script`."""
        self._publish = Script("publish_stream", publish)
        self._read = Script("read_stream")
        self._frame = lru_cache(4096)(self._make_frame)

    def append(
        self, home: Home, channel: str, record: bytes, options: PublishOptions, meta_ttl: int
    ) -> Awaitable[Published]:
        """See `Storage.append`."""
        names = home.names
        unusual = _unusual(options)
        if not unusual:
            key, opening, rest = self._frame(names, channel, options.history_size, options.history_ttl, meta_ttl)
            command = b"%b$%d\r\n%b\r\n%b$8\r\n%b\r\n" % (opening, len(record), record, rest, new_epoch().encode())
            return self._publish.run_packed(home.shard, command, key, _appended)
        return self._publish.run(
            home.shard,
            _keys(names.stream(channel), names.stream_meta(channel), names, channel, options.idempotency_key),
            record,
            names.messages(channel),
            options.history_size,
            options.history_ttl,
            meta_ttl,
            new_epoch(),
            *unusual,
            reading=_published,
        )

    def _make_frame(
        self, names: ChannelNames, channel: str, size: int, ttl: int, meta_ttl: int
    ) -> tuple[str, bytes, bytes]:
        """What publications of a channel have in common: the first key, the command up to the publication, and what
        comes between publication and epoch. Packing it for each takes 2 µs."""
        stream, meta = names.stream(channel), names.stream_meta(channel)
        opening = self._publish.opening((stream, meta), 6)
        return stream, opening, pack_words(names.messages(channel), size, ttl, meta_ttl)

    async def read(
        self,
        home: Home,
        channel: str,
        since: StreamPosition | None,
        limit: int,
        *,
        reverse: bool,
        meta_ttl: int,
    ) -> History:
        """See `Storage.read`."""
        direction = "reverse" if reverse else "forward"
        if limit == 0 or (reverse and since is not None and since.offset <= 1):
            direction = ""
        # Offsets are unsigned 64-bit numbers and wrap, as in memory: what follows the last one is 0.
        first = "" if since is None else (since.offset + (-1 if reverse else 1)) & _UINT64
        keys = (home.names.stream(channel), home.names.stream_meta(channel))
        most = limit if limit > 0 else ""
        offset, epoch, entries = await self._read.run(home.shard, keys, meta_ttl, new_epoch(), direction, first, most)
        with _decoding(channel):
            publications = await make_all(_publication_in, entries)
        return History(publications, _position(offset, epoch))

    def key(self, names: ChannelNames, channel: str) -> str:
        """See `Storage.key`."""
        return names.stream(channel)


class Lists:
    """One LIST for each channel, newest first. No versions, no reverse reads, and a read takes the whole list along."""

    def __init__(self, publish: str = "PUBLISH") -> None:
        """`publish`: see `Script`."""
        self._publish = Script("publish_list", publish)
        self._read = Script("read_list")

    def append(
        self, home: Home, channel: str, record: bytes, options: PublishOptions, meta_ttl: int
    ) -> Awaitable[Published]:
        """See `Storage.append`."""
        names = home.names
        return self._publish.run(
            home.shard,
            _keys(names.list(channel), names.list_meta(channel), names, channel, options.idempotency_key),
            record,
            names.messages(channel),
            options.history_size - 1,
            options.history_ttl,
            meta_ttl,
            new_epoch(),
            *_unusual(options),
            reading=_published,
        )

    async def read(
        self,
        home: Home,
        channel: str,
        since: StreamPosition | None,
        limit: int,
        *,
        reverse: bool,
        meta_ttl: int,
    ) -> History:
        """See `Storage.read`."""
        keys = (home.names.list(channel), home.names.list_meta(channel))
        offset, epoch, elements = await self._read.run(home.shard, keys, meta_ttl, new_epoch(), "1" if limit else "")
        top = _position(offset, epoch)
        with _decoding(channel):
            publications = await make_all(_publication_of, elements[::-1])
        return History(_after(publications, since, limit, top), top)

    def key(self, names: ChannelNames, channel: str) -> str:
        """See `Storage.key`."""
        return names.list(channel)


def _after(
    publications: list[Publication], since: StreamPosition | None, limit: int, top: StreamPosition
) -> list[Publication]:
    if since is not None:
        if since == top or since.offset > top.offset:
            return []
        publications = [each for each in publications if each.offset > since.offset]
    return publications[:limit] if limit > 0 else publications


def _publication_in(entry: Any) -> Publication:
    """Of a stream: its id is `<offset>-0`."""
    number, fields = entry
    return decode_publication(fields[1], int(number.partition(b"-")[0]))


def _publication_of(element: bytes) -> Publication:
    """Of a list."""
    offset, _, record = unwrap(element)
    return decode_publication(record, offset)


def _keys(publications: str, meta: str, names: ChannelNames, channel: str, idempotency_key: str) -> tuple[str, ...]:
    if idempotency_key:
        return publications, meta, names.result(channel, idempotency_key)
    return publications, meta


def _unusual(options: PublishOptions) -> tuple[Word, ...]:
    """Arguments that most publications go without: a word less is 100 ns less."""
    if options.use_delta or options.version or options.idempotency_key:
        return "1" if options.use_delta else "", options.version, options.version_epoch, RESULT_TTL
    return ()


def _appended(answer: list[Any]) -> Published:
    """Where nothing is suppressed."""
    offset, epoch, _ = answer
    return Published(offset, epoch.decode())


def _published(answer: list[Any]) -> Published:
    offset, epoch, suppressed = answer
    position = _position(offset, epoch)
    return Published(position.offset, position.epoch, suppressed.decode())


def _position(offset: bytes | int, epoch: bytes) -> StreamPosition:
    try:
        return StreamPosition(int(offset), epoch.decode())
    except ValueError as error:
        raise EngineUnavailable(f"Redis holds no position of a stream: {offset!r}, {epoch!r}") from error


@contextmanager
def _decoding(channel: str) -> Iterator[None]:
    try:
        yield
    except MalformedRecord as error:
        raise EngineUnavailable(f"malformed publication in the history of {channel!r}: {error}") from error
