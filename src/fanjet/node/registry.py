"""Info about the cluster's nodes."""

from __future__ import annotations

from msgspec import Struct


class UnknownNode(Exception):  # noqa: N818 (says what is wrong)
    """The cluster has no node with this id."""


class NodeMetrics(Struct, frozen=True):
    """The last snapshot of a node's metrics (05 §6.12). `interval` in seconds."""

    interval: float
    items: dict[str, float]


class NodeInfo(Struct, frozen=True):
    """One node in the server API's `info`. `uptime` in whole seconds."""

    uid: str
    name: str
    version: str
    num_clients: int
    num_users: int
    num_subs: int
    num_channels: int
    uptime: int = 0
    metrics: NodeMetrics | None = None
