"""The Python SDK behind the common face."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import Any

from centrifuge import (
    Client,
    ClientEventHandler,
    DeltaType,
    ReplyError,
    Subscription,
    SubscriptionEventHandler,
)

from tests.sdk.client import SdkError, Subscribe
from tests.sdk.journal import Journal


class PythonClient:
    """A connection of `centrifuge-python`."""

    def __init__(self, url: str, *, protobuf: bool, token: str = "", renewed: str = "") -> None:
        self.journal = Journal()
        self.payloads = Payloads(protobuf)
        self.client = Client(
            f"{url}?format=protobuf" if protobuf else url,
            events=ClientEvents(self.journal, self.payloads),
            token=token,
            get_token=asker(self.journal, renewed, type="token_requested") if renewed else None,
            use_protobuf=protobuf,
            min_reconnect_delay=0.05,
            max_reconnect_delay=0.2,
            proxy=None,
        )

    async def connect(self) -> None:
        await self.client.connect()

    async def disconnect(self) -> None:
        await self.client.disconnect()

    async def release(self) -> None:
        await self.client.disconnect()
        # The SDK closes its sockets in the background and offers no way to wait for that.
        if left := self.client._background_tasks - {asyncio.current_task()}:
            await asyncio.wait(left)

    async def subscribe(self, channel: str, how: Subscribe = Subscribe()) -> None:  # noqa: B008 - frozen
        request = asker(self.journal, how.renewed, type="subscription_token_requested", channel=channel)
        subscription = self.client.new_subscription(
            channel,
            events=SubscriptionEvents(self.journal, self.payloads, channel),
            token=how.token,
            get_token=(lambda _: request()) if how.renewed else None,
            min_resubscribe_delay=0.05,
            positioned=how.positioned,
            recoverable=how.recoverable,
            join_leave=how.join_leave,
            delta=DeltaType.FOSSIL if how.delta else None,
        )
        await subscription.subscribe()

    async def unsubscribe(self, channel: str) -> None:
        subscription = self._subscription(channel)
        await subscription.unsubscribe()
        self.client.remove_subscription(subscription)

    def _subscription(self, channel: str) -> Subscription:
        found = self.client.get_subscription(channel)
        assert found is not None
        return found

    async def publish(self, channel: str, data: Any) -> None:
        with replies():
            await self.client.publish(channel, self.payloads.pack(data))

    async def history(self, channel: str, limit: int) -> dict[str, Any]:
        with replies():
            result = await self.client.history(channel, limit=limit)
        data = [self.payloads.unpack(publication.data) for publication in result.publications]
        return {"offset": result.offset, "epoch": result.epoch, "data": data}

    async def presence(self, channel: str) -> list[str]:
        with replies():
            result = await self.client.presence(channel)
        return sorted(info.user for info in result.clients.values())

    async def presence_stats(self, channel: str) -> dict[str, int]:
        with replies():
            result = await self.client.presence_stats(channel)
        return {"clients": result.num_clients, "users": result.num_users}

    async def rpc(self, method: str, data: Any) -> Any:
        with replies():
            result = await self.client.rpc(method, self.payloads.pack(data))
        return self.payloads.unpack(result.data)


class Payloads:
    """JSON values as the SDK takes and gives them."""

    def __init__(self, protobuf: bool) -> None:
        self.protobuf = protobuf

    def pack(self, value: Any) -> Any:
        """Return what the SDK takes."""
        if self.protobuf and not isinstance(value, bytes):
            return json.dumps(value).encode()
        return value

    def unpack(self, value: Any) -> Any:
        """Return the JSON value of what the SDK gave, or the bytes that are none."""
        if not isinstance(value, bytes):
            return value
        try:
            return json.loads(value) if value else None
        except ValueError:
            return value


class ClientEvents(ClientEventHandler):
    """Writes what happens to the connection into the journal."""

    def __init__(self, journal: Journal, payloads: Payloads) -> None:
        self.journal, self.payloads = journal, payloads

    def _record(self, kind: str, context: Any) -> None:
        self.journal.add({"type": kind} | flat(context, self.payloads))

    async def on_connecting(self, ctx: Any) -> None:
        self._record("connecting", ctx)

    async def on_connected(self, ctx: Any) -> None:
        self._record("connected", ctx)

    async def on_disconnected(self, ctx: Any) -> None:
        self._record("disconnected", ctx)

    async def on_error(self, ctx: Any) -> None:
        self.journal.add({"type": "error", "code": ctx.code, "text": str(ctx.error)})

    async def on_subscribed(self, ctx: Any) -> None:
        self._record("server_subscribed", ctx)

    async def on_subscribing(self, ctx: Any) -> None:
        self._record("server_subscribing", ctx)

    async def on_unsubscribed(self, ctx: Any) -> None:
        self._record("server_unsubscribed", ctx)

    async def on_publication(self, ctx: Any) -> None:
        self._record("server_publication", ctx)


class SubscriptionEvents(SubscriptionEventHandler):
    """Writes what happens to one subscription into the journal."""

    def __init__(self, journal: Journal, payloads: Payloads, channel: str) -> None:
        self.journal, self.payloads, self.channel = journal, payloads, channel

    def _record(self, kind: str, context: Any) -> None:
        self.journal.add({"type": kind, "channel": self.channel} | flat(context, self.payloads))

    async def on_subscribing(self, ctx: Any) -> None:
        self._record("subscribing", ctx)

    async def on_subscribed(self, ctx: Any) -> None:
        self._record("subscribed", ctx)

    async def on_unsubscribed(self, ctx: Any) -> None:
        self._record("unsubscribed", ctx)

    async def on_publication(self, ctx: Any) -> None:
        self._record("publication", ctx)

    async def on_join(self, ctx: Any) -> None:
        self._record("join", ctx)

    async def on_leave(self, ctx: Any) -> None:
        self._record("leave", ctx)

    async def on_error(self, ctx: Any) -> None:
        self.journal.add({"type": "subscription_error", "channel": self.channel, "code": ctx.code})


def flat(context: Any, payloads: Payloads) -> dict[str, Any]:
    """Return a context's fields in one mapping: those of a nested publication, position or client join the others."""
    fields: dict[str, Any] = {}
    for name, value in vars(context).items():
        if name in ("pub", "info", "stream_position") and is_dataclass(value) and not isinstance(value, type):
            fields |= asdict(value)
        else:
            fields[name] = value
    if "data" in fields:
        fields["data"] = payloads.unpack(fields["data"])
    return fields


def asker(journal: Journal, token: str, **event: Any) -> Callable[[], Awaitable[str]]:
    """Return a token callback that tells the journal."""

    async def ask() -> str:
        journal.add(event)
        return token

    return ask


@contextmanager
def replies() -> Any:
    """Give error replies the common name."""
    try:
        yield
    except ReplyError as error:
        raise SdkError(error.code) from error
