"""What the console is told about connections and channels of all nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..requests import MAX_PAGE, Refused

if TYPE_CHECKING:
    from ..requests import Parameters
    from .node_surveys import Everybody, Nodes

CONNECTIONS: Final = "connections"
CONNECTION: Final = "connection"
EXPLANATION: Final = "explanation"
CHANNEL: Final = "channel"
VITALS: Final = "vitals"


class Everywhere:
    """Asks the nodes and puts together what they tell."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    async def connections(self, asked: Parameters) -> dict[str, Any]:
        """One page of the connections that pass all tests that are asked for, node by node, the newest first: `limit`
        after `offset`, of all nodes or of the one whose id is `node`."""
        offset, limit = asked.number("offset"), asked.number("limit", 50, at_most=MAX_PAGE)
        first = asked.but(offset=0, limit=0 if offset else limit)
        found = await self._nodes.ask(CONNECTIONS, first, to=asked.text("node"))
        totals = [(one.uid, one.node, one.found["total"]) for one in found.told]
        if offset:
            rows = await self._rows(asked, totals, offset, limit)
        else:
            rows = [row | {"node": one.node} for one in found.told for row in one.found["connections"]][:limit]
        return {
            "connections": rows,
            "total": sum(total for _, _, total in totals),
            "of": sum(one.found["of"] for one in found.told),
            "nodes": [{"uid": uid, "name": name, "total": total} for uid, name, total in totals],
            "silent": found.silent,
        }

    async def _rows(
        self, asked: Parameters, totals: list[tuple[str, str, int]], offset: int, limit: int
    ) -> list[dict[str, Any]]:
        """The rows from `offset` on, from the nodes that have them."""
        rows: list[dict[str, Any]] = []
        for uid, name, total in totals:
            if offset < total and len(rows) < limit:
                wanted = asked.but(offset=offset, limit=limit - len(rows))
                for one in (await self._nodes.ask(CONNECTIONS, wanted, to=uid)).told:
                    rows += [row | {"node": name} for row in one.found["connections"]]
            offset = max(offset - total, 0)
        return rows

    async def connection(self, asked: Parameters) -> dict[str, Any]:
        """Everything that is known of one connection."""
        asked.needed("client")
        found = await self._nodes.ask(CONNECTION, asked, to=asked.text("node"))
        for one in found.told:
            if one.found is not None:
                return {**one.found, "node": one.node, "node_uid": one.uid}
        raise Refused(404, "There is no such connection." + _not_asked(found))

    async def explanation(self, asked: Parameters) -> dict[str, Any]:
        """What became of a publication, or of all: for the connection `client`, or those of `user`, on any node."""
        found = await self._nodes.ask(EXPLANATION, asked)
        connections = [row | {"node": one.node} for one in found.told for row in one.found["connections"]]
        verdict, steps = found.own["verdict"], found.own["steps"]
        if not connections and not verdict:
            verdict = "Nobody of this name is connected."
            steps = [*steps, ("Is there such a connection?", "unknown" if found.silent else "no", _not_asked(found))]
        return {"connections": connections, "steps": steps, "verdict": verdict, "silent": found.silent}

    async def vitals(self, asked: Parameters) -> dict[str, Any]:
        """How the nodes are doing, by their ids, and the samples of one, in their order."""
        found = await self._nodes.ask(VITALS, asked)
        samples = [sample for one in found.told for sample in one.found.pop("samples")]
        return {"vitals": {one.uid: one.found for one in found.told}, "samples": samples, "silent": found.silent}

    async def deliveries(self, asked: Parameters) -> dict[str, Any]:
        """How the subscribers of a channel are delivered to, node by node, where there are any."""
        found = await self._nodes.ask(CHANNEL, asked)
        here = [{"node": one.node, **one.found} for one in found.told if one.found is not None]
        return {"nodes": here, "silent": found.silent}


def _not_asked(found: Everybody) -> str:
    return f" Not told by {', '.join(found.silent)}." if found.silent else ""
