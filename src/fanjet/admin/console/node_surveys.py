"""The consoles of all nodes: what one of them is asked, each can tell about itself (07 §14.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..requests import Parameters, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fanjet.node.node import Node

SECONDS: Final = 3.0
"""How long nodes may take to answer."""
LONGEST_ANSWER: Final = 512 * 1024
"""Bytes: some brokers take no messages of more than 1 MB."""


class Told(msgspec.Struct, frozen=True):
    """What one node has told."""

    uid: str
    node: str
    found: Any


class Everybody(msgspec.Struct, frozen=True):
    """What the nodes have told, by name, so that it is in the same order whoever asks; and the names of those that have
    not told."""

    told: list[Told]
    silent: list[str]
    own: Any
    """What the node that asks has told itself, if it was asked."""


class _Answer(msgspec.Struct, omit_defaults=True):
    found: Any = None
    refused: str = ""
    status: int = 0


_decode = msgspec.json.Decoder(_Answer).decode


class Nodes:
    """Asks the nodes of the cluster, and answers for this one."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def answer(self, name: str, answer: Callable[[Parameters], Coroutine[Any, Any, Any]]) -> None:
        """From now on answer the question `name` of any node by what `answer` returns, to be encoded as JSON."""

        async def respond(question: bytes) -> bytes:
            try:
                encoded = msgspec.json.encode(_Answer(found=await answer(Parameters(question))))
            except Refused as refusal:
                return msgspec.json.encode(_Answer(refused=str(refusal), status=refusal.status))
            if len(encoded) > LONGEST_ANSWER:
                return msgspec.json.encode(_Answer(refused="the answer of a node is too long", status=500))
            return encoded

        self._node.inquiries.answer(_named(name), respond)

    async def ask(self, name: str, asked: Parameters, *, to: str = "") -> Everybody:
        """Ask one node, or all. Raises `Refused` when this node, or the only one that is asked, refuses to answer."""
        answers = await self._node.inquire(_named(name), asked.encoded(), within=SECONDS, to=to)
        names = {one.uid: one.name for one in await self._node.info()}
        told, silent = [], [one.name for one in answers.silent]
        for uid, encoded in answers.told.items():
            answer = _decode(encoded)
            if not answer.refused:
                told.append(Told(uid, names.get(uid, uid), answer.found))
            elif uid in (self._node.uid, to):
                raise Refused(answer.status, answer.refused)
            else:
                silent.append(names.get(uid, uid))
        told.sort(key=lambda one: (one.node, one.uid))
        own = next((one.found for one in told if one.uid == self._node.uid), None)
        return Everybody(told, sorted(silent), own)


def _named(name: str) -> str:
    return f"fanjet_{name}"
