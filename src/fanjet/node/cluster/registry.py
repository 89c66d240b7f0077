"""Registry of the cluster's nodes (07 §14.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.node.registry import NodeInfo

MAX_AGE: Final = 7.0
"""Seconds after which a node without announcements is removed."""


class Registry:
    """Nodes by their ids, this one included. `clock` gives monotonic seconds."""

    def __init__(self, own: NodeInfo, clock: Callable[[], float]) -> None:
        self._own = own.uid
        self._clock = clock
        self._nodes = {own.uid: own}
        self._seen_at = {own.uid: clock()}

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, uid: str) -> bool:
        return uid in self._nodes

    def update(self, node: NodeInfo) -> bool:
        """Store a node's info; without metrics it keeps its previous ones.

        True for a new node.
        """
        known = self._nodes.get(node.uid)
        if node.metrics is None and known is not None:
            node = replace(node, metrics=known.metrics)
        self._nodes[node.uid] = node
        self._seen_at[node.uid] = self._clock()
        return known is None

    def forget(self, uid: str) -> None:
        """Remove a node that has left."""
        if uid != self._own:
            self._nodes.pop(uid, None)
            self._seen_at.pop(uid, None)

    def sweep(self) -> list[str]:
        """Remove nodes without recent announcements, and return their ids."""
        earliest = self._clock() - MAX_AGE
        silent = [uid for uid, seen_at in self._seen_at.items() if seen_at < earliest and uid != self._own]
        for uid in silent:
            self.forget(uid)
        return silent

    def other_nodes(self) -> list[NodeInfo]:
        """All other nodes, as last announced."""
        return [node for uid, node in self._nodes.items() if uid != self._own]
