"""Cluster-wide views of connections, channels and nodes for the console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..requests import MAX_PAGE, RequestError

if TYPE_CHECKING:
    from ..requests import Parameters
    from .node_surveys import NodeSurveys, SurveyResult

CONNECTIONS: Final = "connections"
CONNECTION: Final = "connection"
DIAGNOSIS: Final = "explanation"
CHANNEL: Final = "channel"
PROCESS_STATS: Final = "vitals"


class ClusterViews:
    """Surveys the nodes and merges their answers."""

    def __init__(self, surveys: NodeSurveys) -> None:
        self._surveys = surveys

    async def connections(self, params: Parameters) -> dict[str, Any]:
        """A page of the connections that match all filters, on all nodes.

        With `node`, only the node with this ID is included. Rows are grouped by node, newest first: `limit` rows after
        `offset`.
        """
        offset, limit = params.number("offset"), params.number("limit", 50, at_most=MAX_PAGE)
        first = params.with_changes(offset=0, limit=0 if offset else limit)
        results = await self._surveys.survey(CONNECTIONS, first, to=params.text("node"))
        totals = [(answer.uid, answer.node, answer.result["total"]) for answer in results.answered]
        if offset:
            rows = await self._rows(params, totals, offset, limit)
        else:
            rows = [row | {"node": answer.node} for answer in results.answered for row in answer.result["connections"]][
                :limit
            ]
        return {
            "connections": rows,
            "total": sum(total for _, _, total in totals),
            "of": sum(answer.result["of"] for answer in results.answered),
            "nodes": [{"uid": uid, "name": name, "total": total} for uid, name, total in totals],
            "silent": results.unanswered,
        }

    async def _rows(
        self, params: Parameters, totals: list[tuple[str, str, int]], offset: int, limit: int
    ) -> list[dict[str, Any]]:
        """Fetch `limit` rows from `offset` on, from the nodes that hold them."""
        rows: list[dict[str, Any]] = []
        for uid, name, total in totals:
            if offset < total and len(rows) < limit:
                page_params = params.with_changes(offset=offset, limit=limit - len(rows))
                for answer in (await self._surveys.survey(CONNECTIONS, page_params, to=uid)).answered:
                    rows += [row | {"node": name} for row in answer.result["connections"]]
            offset = max(offset - total, 0)
        return rows

    async def connection(self, params: Parameters) -> dict[str, Any]:
        """All details of one connection."""
        params.required("client")
        results = await self._surveys.survey(CONNECTION, params, to=params.text("node"))
        for answer in results.answered:
            if answer.result is not None:
                return {**answer.result, "node": answer.node, "node_uid": answer.uid}
        raise RequestError(404, "There is no such connection." + _unanswered_note(results))

    async def diagnosis(self, params: Parameters) -> dict[str, Any]:
        """Delivery diagnosis for connections on any node.

        It is about the connection `client`, or the connections of `user`.
        """
        results = await self._surveys.survey(DIAGNOSIS, params)
        connections = [
            row | {"node": answer.node} for answer in results.answered for row in answer.result["connections"]
        ]
        verdict, steps = results.own["verdict"], results.own["steps"]
        if not connections and not verdict:
            verdict = "Nobody of this name is connected."
            steps = [
                *steps,
                ("Is there such a connection?", "unknown" if results.unanswered else "no", _unanswered_note(results)),
            ]
        return {"connections": connections, "steps": steps, "verdict": verdict, "silent": results.unanswered}

    async def process_stats(self, params: Parameters) -> dict[str, Any]:
        """Process statistics of the nodes by node ID.

        The samples of one node are included, in order.
        """
        results = await self._surveys.survey(PROCESS_STATS, params)
        samples = [sample for answer in results.answered for sample in answer.result.pop("samples")]
        return {
            "vitals": {answer.uid: answer.result for answer in results.answered},
            "samples": samples,
            "silent": results.unanswered,
        }

    async def channel_delivery(self, params: Parameters) -> dict[str, Any]:
        """Delivery details of a channel for each node with subscribers."""
        results = await self._surveys.survey(CHANNEL, params)
        local_delivery = [
            {"node": answer.node, **answer.result} for answer in results.answered if answer.result is not None
        ]
        return {"nodes": local_delivery, "silent": results.unanswered}


def _unanswered_note(results: SurveyResult) -> str:
    return f" No answer from {', '.join(results.unanswered)}." if results.unanswered else ""
