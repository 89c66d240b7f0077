"""Lists and details of channels for the console."""

from __future__ import annotations

from functools import cache
from heapq import nlargest, nsmallest
from typing import TYPE_CHECKING, Any, cast

import msgspec

from fanjet.config.plain_section import plain
from fanjet.config.tree.channel import ChannelOptions
from fanjet.net.glob import GlobError, compile_glob
from fanjet.protocol.codes import ReplyError

from ..requests import MAX_PAGE, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.node.channel import LiveChannel
    from fanjet.node.node import Node

    from ..requests import Parameters

MAX_OFFSET = 100_000


class ChannelViews:
    """Lists the cluster's channels and describes one channel."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def list_page(self, params: Parameters) -> dict[str, Any]:
        """A page of the active channels that match `q`, a substring or a glob.

        They are sorted by subscribers or by name: `limit` rows after `offset`.
        """
        name_matches = _name_filter(params.text("q"))
        matching = [(name, count) for name, count in (await self._node.channels("")).items() if name_matches(name)]
        offset = params.number("offset", at_most=MAX_OFFSET)
        limit = params.number("limit", 50, at_most=MAX_PAGE)
        if params.text("sort") == "name":
            first = nsmallest(offset + limit, matching)
        else:
            first = nlargest(offset + limit, matching, key=lambda row: row[1])
        rows = [{"channel": name, "subscribers": count} for name, count in first[offset:]]
        return {"channels": rows, "total": len(matching)}

    async def detail(self, params: Parameters) -> dict[str, Any]:
        """The configuration of one channel."""
        name = params.required("channel")
        try:
            resolved = self._node.namespaces.resolve(name)
        except ReplyError:
            raise RequestError(404, "the channel's namespace does not exist") from None
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
            "set": _non_default_options(options),
        }

    async def local_delivery(self, params: Parameters) -> dict[str, Any] | None:
        """Delivery details of the channel on this node; None without subscribers."""
        live = self._node.hub.channels.get(params.required("channel"))
        return None if live is None or not live.count else _local_delivery(live)


@cache
def _defaults() -> dict[str, Any]:
    return cast("dict[str, Any]", msgspec.to_builtins(plain(ChannelOptions())))


def _non_default_options(options: ChannelOptions) -> dict[str, Any]:
    """The options that differ from their defaults.

    Without a history its lifetime does not matter.
    """
    ignored = {"name"} if options.history_size else {"name", "history_meta_ttl"}
    return {
        name: value
        for name, value in msgspec.to_builtins(options).items()
        if name not in ignored and value != _defaults().get(name)
    }


def _local_delivery(live: LiveChannel) -> dict[str, Any]:
    return {
        "subscribers": live.count,
        "apart": len(live.ungrouped),
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


def _name_filter(text: str) -> Callable[[str], bool]:
    if not text:
        return lambda _: True
    if any(mark in text for mark in "*?["):
        try:
            return compile_glob(text)
        except GlobError as error:
            raise RequestError(400, f"invalid pattern: {error}") from None
    lowered = text.lower()
    return lambda name: lowered in name.lower()
