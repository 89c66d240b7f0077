"""Lua scripts, each of which is one atomic step in Redis (07 §6, §9, §10). They lie beside this module as files."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .errors import CommandRefused

if TYPE_CHECKING:
    from .connection import Word
    from .shard import Shard

_FOLDER: Final = Path(__file__).with_name("scripts")


class Script:
    """A script by its file's name. Redis is asked for it by its hash and gets the text when it does not know it.

    `publish`: the command by which it publishes, `SPUBLISH` for sharded PUB/SUB.
    """

    def __init__(self, name: str, publish: str = "PUBLISH") -> None:
        source = (_FOLDER / f"{name}.lua").read_text("utf-8")
        self._source = source.replace("redis.call('publish',", f"redis.call('{publish.lower()}',")
        self._sha = sha1(self._source.encode(), usedforsecurity=False).hexdigest()

    async def run(self, shard: Shard, keys: tuple[str, ...], *arguments: Word) -> Any:
        """Run it on the shard, where the first key is. Raises `EngineUnavailable`."""
        words = (len(keys), *keys, *arguments)
        try:
            return await shard.execute(("EVALSHA", self._sha, *words), keys[0])
        except CommandRefused as error:
            if error.code != "NOSCRIPT":
                raise
        return await shard.execute(("EVAL", self._source, *words), keys[0])
