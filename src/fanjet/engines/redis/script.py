"""Lua scripts, each one atomic step in Redis (07 §6, §9, §10).

Their files are in `scripts/`.
"""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from .connections.connection import pack
from .connections.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

    from .connections.connection import Command, Decode, Word

_SCRIPTS: Final = Path(__file__).with_name("scripts")


def _identity(reply: Any) -> Any:
    return reply


class Executor(Protocol):
    """Executes commands: a shard, or its replicas."""

    def execute(self, command: Command, key: bytes | str) -> Awaitable[Any]:
        """See `Shard.execute`."""


class Script:
    """A script, by the name of its file.

    It is called by EVALSHA, and by EVAL when Redis does not know its hash.

    `publish`: the command by which it publishes; `SPUBLISH` for sharded PUB/SUB.
    """

    def __init__(self, name: str, publish: str = "PUBLISH") -> None:
        source = (_SCRIPTS / f"{name}.lua").read_text("utf-8")
        source = source.replace("redis.call('publish',", f"redis.call('{publish.lower()}',")
        self._sha = sha1(source.encode(), usedforsecurity=False).hexdigest()
        self._by_hash = pack_words("EVALSHA", self._sha)
        self._by_text = pack_words("EVAL", source)

    def run(
        self, shard: Executor, keys: tuple[str, ...], *arguments: Word, decode: Decode = _identity
    ) -> Coroutine[Any, Any, Any]:
        """Run the script on the shard, routed by the first key.

        The result is the reply, decoded by `decode`. Raises `EngineUnavailable`.
        """
        return self.run_packed(shard, pack(("EVALSHA", self._sha, len(keys), *keys, *arguments)), keys[0], decode)

    async def run_packed(self, shard: Executor, command: bytes, key: str, decode: Decode) -> Any:
        """Run the script with a packed command that begins with a `command_prefix`."""
        try:
            return decode(await shard.execute(command, key))
        except CommandError as error:
            if error.code != "NOSCRIPT":
                raise
        return decode(await shard.execute(command.replace(self._by_hash, self._by_text, 1), key))

    def command_prefix(self, keys: tuple[str, ...], arguments: int) -> bytes:
        """The beginning of a packed command, up to its arguments.

        For callers that run the script often with the same keys. `arguments` is the number of arguments to follow.
        """
        return b"*%d\r\n%b%b" % (3 + len(keys) + arguments, self._by_hash, pack_words(len(keys), *keys))


def pack_words(*words: Word) -> bytes:
    """Words packed without the header of a command."""
    return pack(words).partition(b"\r\n")[2]
