"""Proxies of one event type, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from fanjet.events.client_events import EventFailed
from fanjet.protocol.codes import ERROR_NOT_AVAILABLE, ReplyError
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

log = get_logger(__name__)

T = TypeVar("T")


class NamedProxies(Generic[T]):
    """The proxies of one event type that the configuration referenced at startup.

    A reload may reference others, which do not exist (06 §1.3).
    """

    def __init__(self, event_type: str, proxies: Mapping[str, T]) -> None:
        self.event_type = event_type
        self._proxies = proxies

    def __getitem__(self, name: str) -> T:
        """Return the proxy of this name.

        Raises error 108 if the event type has no proxies, `EventFailed` if it has none of this name (D25).
        """
        proxy = self._proxies.get(name)
        if proxy is not None:
            return proxy
        if not self._proxies:
            log.info(f"{self.event_type} proxy not enabled")
            raise ReplyError(ERROR_NOT_AVAILABLE)
        log.error(f"{self.event_type} proxy was not in use when the server started", proxy_name=name)
        raise EventFailed

    def __len__(self) -> int:
        return len(self._proxies)

    def items(self) -> Iterable[tuple[str, T]]:
        """Iterate over names and proxies."""
        return self._proxies.items()
