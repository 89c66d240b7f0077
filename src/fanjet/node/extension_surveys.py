"""Surveys and notifications that only Fanjet nodes exchange.

They extend the contract's (07 §14.6, §14.7). Centrifugo nodes answer such a survey with "unknown operation" and
ignore such a notification.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from .registry import NodeInfo

SurveyHandler = Callable[[bytes], Awaitable[bytes]]
"""Answers a survey request."""

NotificationHandler = Callable[[str, bytes], None]
"""Handles a notification; the first argument is the sending node's id."""


class SurveyResults(Struct, frozen=True):
    """Results by node id, and the nodes without a result.

    These were too slow, or have no handler for the survey.
    """

    results: dict[str, bytes]
    missing: list[NodeInfo]


class ExtensionSurveys:
    """This node's handlers of surveys and notifications, by name."""

    def __init__(self) -> None:
        self._survey_handlers: dict[str, SurveyHandler] = {}
        self._notification_handlers: dict[str, NotificationHandler] = {}

    def on_survey(self, name: str, handler: SurveyHandler) -> None:
        """Register the handler of the survey `name`."""
        self._survey_handlers[name] = handler

    def on_notification(self, name: str, handler: NotificationHandler) -> None:
        """Register the handler of the notification `name`."""
        self._notification_handlers[name] = handler

    def survey_handler(self, name: str) -> SurveyHandler | None:
        """Return the handler of a survey, None without one."""
        return self._survey_handlers.get(name)

    def handle_notification(self, name: str, sender: str, data: bytes) -> None:
        """Pass a notification to its handler; one without a handler is ignored."""
        handler = self._notification_handlers.get(name)
        if handler is not None:
            handler(sender, data)
