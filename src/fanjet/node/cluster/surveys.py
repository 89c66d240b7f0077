"""Surveys of all nodes, or of one (07 §14.6)."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fanjet.node.surveys import SurveyResult


class SurveyTimeout(Exception):  # noqa: N818 (says what happened)
    """Not every node has answered in time; `answers` are the results that arrived."""

    def __init__(self, text: str, answers: dict[str, SurveyResult]) -> None:
        super().__init__(text)
        self.answers = answers


class _PendingSurvey:
    """A survey that waits for results."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.answers: dict[str, SurveyResult] = {}
        self.complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def add(self, uid: str, answer: SurveyResult) -> None:
        self.answers.setdefault(uid, answer)
        if len(self.answers) >= self.expected and not self.complete.done():
            self.complete.set_result(None)

    def expire(self, seconds: float) -> None:
        if not self.complete.done():
            text = f"{len(self.answers)} of {self.expected} nodes answered in {seconds:g} s"
            self.complete.set_exception(SurveyTimeout(text, self.answers))


class Surveys:
    """This node's surveys under way."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._open: dict[int, _PendingSurvey] = {}

    async def run(
        self,
        send: Callable[[int], Awaitable[None]],
        expected: int,
        seconds: float,
        own: tuple[str, SurveyResult] | None,
    ) -> dict[str, SurveyResult]:
        """Send a survey and wait for the results of `expected` nodes.

        This node's result, `own`, is one of them. The survey is sent by `send`, which gets its number. Raises
        `SurveyTimeout` after `seconds`, and the errors of `send`.
        """
        number = next(self._ids)
        survey = self._open[number] = _PendingSurvey(expected)
        late = asyncio.get_running_loop().call_later(seconds, survey.expire, seconds)
        try:
            if own is not None:
                survey.add(*own)
            await send(number)
            await survey.complete
        finally:
            late.cancel()
            del self._open[number]
        return survey.answers

    def on_answer(self, number: int, uid: str, answer: SurveyResult) -> None:
        """Record a result; late and repeated ones are dropped."""
        survey = self._open.get(number)
        if survey is not None:
            survey.add(uid, answer)
