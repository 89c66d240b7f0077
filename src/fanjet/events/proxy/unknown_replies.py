"""Reports backend replies without any known key (06 §4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fanjet.events.unknown_replies import UnknownReply
from fanjet.telemetry.logging import get_logger
from fanjet.telemetry.rate_limited_log import RateLimitedLog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanjet.events.event import Event
    from fanjet.events.unknown_replies import UnknownReplies

    from .observer import CallObserver

log = get_logger(__name__)

LINES_PER_SECOND: Final = 1
MAX_KEYS: Final = 10
MAX_KEY_LENGTH: Final = 64
"""Characters. Keys come from the backend, but may echo a client's data."""


class UnknownReplyReporter:
    """Reports unknown replies of one proxy to its observer and `replies`.

    They are also logged at a limited rate.
    """

    def __init__(
        self, event_type: str, proxy_name: str, endpoint: str, observer: CallObserver, replies: UnknownReplies
    ) -> None:
        self._event_type = event_type
        self._proxy_name = proxy_name
        self._endpoint = endpoint
        self._observer = observer
        self._replies = replies
        self._log = RateLimitedLog(log, LINES_PER_SECOND)

    def __call__(self, event: Event, keys: Sequence[str]) -> None:
        """Report a reply about `event` with these keys."""
        shown = tuple(key[:MAX_KEY_LENGTH] for key in keys[:MAX_KEYS])
        self._observer.on_unknown_reply()
        self._log.warn(
            f"reply of the {self._event_type} proxy has no known key, so it allows",
            proxy_name=self._proxy_name,
            endpoint=self._endpoint,
            keys=list(shown),
            client=event.client,
        )
        self._replies.report(UnknownReply(self._event_type, self._proxy_name, self._endpoint, event.client, shown))
