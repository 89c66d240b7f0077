"""Surveys of the console: one node queries all nodes of the cluster (07 §14.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..requests import Parameters, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fanjet.node.node import Node

TIMEOUT_SECONDS: Final = 3.0
"""How long a survey waits for answers."""
MAX_ANSWER_BYTES: Final = 512 * 1024
"""Some brokers accept no message above 1 MB."""


class NodeAnswer(msgspec.Struct, frozen=True):
    """The answer of one node."""

    uid: str
    node: str
    result: Any


class SurveyResult(msgspec.Struct, frozen=True):
    """The answers, and the names of the nodes without an answer.

    The answers are ordered by node name so that every node shows the same order.
    """

    answered: list[NodeAnswer]
    unanswered: list[str]
    own: Any
    """This node's own answer; None when only another node was queried."""


class _Answer(msgspec.Struct, omit_defaults=True, rename={"result": "found", "error": "refused"}):
    """An answer as nodes exchange it."""

    result: Any = None
    error: str = ""
    status: int = 0


_decode = msgspec.json.Decoder(_Answer).decode


class NodeSurveys:
    """Queries the nodes of the cluster and answers for this node."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def handle(self, name: str, handler: Callable[[Parameters], Coroutine[Any, Any, Any]]) -> None:
        """Register the handler of the survey `name`; its result is encoded as JSON."""

        async def respond(query: bytes) -> bytes:
            try:
                encoded = msgspec.json.encode(_Answer(result=await handler(Parameters(query))))
            except RequestError as error:
                return msgspec.json.encode(_Answer(error=str(error), status=error.status))
            if len(encoded) > MAX_ANSWER_BYTES:
                return msgspec.json.encode(_Answer(error="the answer of a node is too long", status=500))
            return encoded

        self._node.extension_surveys.on_survey(_survey_name(name), respond)

    async def survey(self, name: str, params: Parameters, *, to: str = "") -> SurveyResult:
        """Query one node, or all.

        Raises `RequestError` when this node, or the only queried node, answers with an error.
        """
        answers = await self._node.survey(_survey_name(name), params.encode(), within=TIMEOUT_SECONDS, to=to)
        names = {info.uid: info.name for info in await self._node.info()}
        answered, unanswered = [], [info.name for info in answers.missing]
        for uid, encoded in answers.results.items():
            answer = _decode(encoded)
            if not answer.error:
                answered.append(NodeAnswer(uid, names.get(uid, uid), answer.result))
            elif uid in (self._node.uid, to):
                raise RequestError(answer.status, answer.error)
            else:
                unanswered.append(names.get(uid, uid))
        answered.sort(key=lambda answer: (answer.node, answer.uid))
        own = next((answer.result for answer in answered if answer.uid == self._node.uid), None)
        return SurveyResult(answered, sorted(unanswered), own)


def _survey_name(name: str) -> str:
    return f"fanjet_{name}"
