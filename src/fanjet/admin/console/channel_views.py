"""Channels as the console lists and shows them."""

from __future__ import annotations

from functools import cache
from heapq import nlargest, nsmallest
from typing import TYPE_CHECKING, Any, cast

import msgspec

from fanjet.config.plain_section import plain
from fanjet.config.tree.channel import ChannelOptions
from fanjet.net.glob import GlobError, compile_glob
from fanjet.protocol.codes import ReplyError

from ..requests import MAX_PAGE, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.node.channel import LiveChannel
    from fanjet.node.node import Node

    from ..requests import Parameters

MAX_OFFSET = 100_000


class ChannelPages:
    """Answers about the channels of the cluster, and about what this node knows of one."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def page(self, asked: Parameters) -> dict[str, Any]:
        """One page of the active channels that match `q` (part of the name, or a glob), the busiest first or by name,
        `limit` after `offset`."""
        matches = _matcher(asked.text("q"))
        found = [(name, count) for name, count in (await self._node.channels("")).items() if matches(name)]
        offset = asked.number("offset", at_most=MAX_OFFSET)
        limit = asked.number("limit", 50, at_most=MAX_PAGE)
        if asked.text("sort") == "name":
            first = nsmallest(offset + limit, found)
        else:
            first = nlargest(offset + limit, found, key=lambda row: row[1])
        rows = [{"channel": name, "subscribers": count} for name, count in first[offset:]]
        return {"channels": rows, "total": len(found)}

    async def one(self, asked: Parameters) -> dict[str, Any]:
        """What the configuration says of one channel."""
        name = asked.needed("channel")
        try:
            resolved = self._node.namespaces.resolve(name)
        except ReplyError:
            raise Refused(404, "the channel's namespace does not exist") from None
        options = resolved.options
        return {
            "channel": name,
            "namespace": resolved.namespace,
            "subscription_type": options.subscription_type or "stream",
            "history": options.history_size > 0 and options.history_ttl > 0,
            "presence": options.presence,
            "name_is_valid": resolved.name_is_valid,
            "users": resolved.users,
            "private": resolved.is_private,
            "variables": resolved.variables,
            "set": _differing(options),
        }

    async def here(self, asked: Parameters) -> dict[str, Any] | None:
        """How the channel's subscribers on this node are delivered to; None without any."""
        live = self._node.hub.channels.get(asked.needed("channel"))
        return None if live is None or not live.count else _local(live)


@cache
def _defaults() -> dict[str, Any]:
    return cast("dict[str, Any]", msgspec.to_builtins(plain(ChannelOptions())))


def _differing(options: ChannelOptions) -> dict[str, Any]:
    """The options that are not as they are by default. Where there is no history its lifetime means nothing."""
    unsaid = {"name"} if options.history_size else {"name", "history_meta_ttl"}
    return {
        name: value
        for name, value in msgspec.to_builtins(options).items()
        if name not in unsaid and value != _defaults().get(name)
    }


def _local(live: LiveChannel) -> dict[str, Any]:
    return {
        "subscribers": live.count,
        "apart": len(live.apart),
        "offset": live.offset if live.positioned else None,
        "epoch": live.epoch if live.positioned else None,
        "groups": [
            {
                "wire": group.delivery.wire.name,
                "members": len(group),
                "positioned": group.delivery.positioned,
                "delta": group.delivery.delta,
                "filtered": group.delivery.tags_filter is not None,
            }
            for group in live.groups.values()
            if len(group)
        ],
    }


def _matcher(text: str) -> Callable[[str], bool]:
    if not text:
        return lambda _: True
    if any(mark in text for mark in "*?["):
        try:
            return compile_glob(text)
        except GlobError as error:
            raise Refused(400, f"invalid pattern: {error}") from None
    lowered = text.lower()
    return lambda name: lowered in name.lower()
