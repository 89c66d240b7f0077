"""Lua scripts, each of which is one atomic step in Redis (07 §6, §9, §10). They lie beside this module as files."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from .connections.connection import pack
from .connections.errors import CommandRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

    from .connections.connection import Command, Reading, Word

_FOLDER: Final = Path(__file__).with_name("scripts")


def _as_it_is(reply: Any) -> Any:
    return reply


class Executor(Protocol):
    """A shard, or a part of what it does."""

    def execute(self, command: Command, key: bytes | str) -> Awaitable[Any]:
        """See `Shard.execute`."""


class Script:
    """A script by its file's name. Redis is asked for it by its hash and gets the text when it does not know it.

    `publish`: the command by which it publishes, `SPUBLISH` for sharded PUB/SUB.
    """

    def __init__(self, name: str, publish: str = "PUBLISH") -> None:
        source = (_FOLDER / f"{name}.lua").read_text("utf-8")
        source = source.replace("redis.call('publish',", f"redis.call('{publish.lower()}',")
        self._sha = sha1(source.encode(), usedforsecurity=False).hexdigest()
        self._by_hash = pack_words("EVALSHA", self._sha)
        self._by_text = pack_words("EVAL", source)

    def run(
        self, shard: Executor, keys: tuple[str, ...], *arguments: Word, reading: Reading = _as_it_is
    ) -> Coroutine[Any, Any, Any]:
        """Run it on the shard, where the first key is. The result is what `reading` makes of the reply. Raises
        `EngineUnavailable`."""
        return self.run_packed(shard, pack(("EVALSHA", self._sha, len(keys), *keys, *arguments)), keys[0], reading)

    async def run_packed(self, shard: Executor, command: bytes, key: str, reading: Reading) -> Any:
        """Run it with a command that begins with what `opening` makes."""
        try:
            return reading(await shard.execute(command, key))
        except CommandRefused as error:
            if error.code != "NOSCRIPT":
                raise
        return reading(await shard.execute(command.replace(self._by_hash, self._by_text, 1), key))

    def opening(self, keys: tuple[str, ...], arguments: int) -> bytes:
        """The beginning of a command, for callers that run the script again and again with the same keys: all but the
        packed arguments, of which there will be so many."""
        return b"*%d\r\n%b%b" % (3 + len(keys) + arguments, self._by_hash, pack_words(len(keys), *keys))


def pack_words(*words: Word) -> bytes:
    """Words as they stand in a command."""
    return pack(words).partition(b"\r\n")[2]
