"""Exchanges that may become WebTransport sessions. Knows nothing of aioquic: endpoints import it, HTTP/3 or not."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol, cast

from ..http1.exchange import Exchange

if TYPE_CHECKING:
    from .webtransport import WebTransportConnection

WEBTRANSPORT_PROTOCOLS: Final = frozenset({b"webtransport", b"webtransport-h3"})
"""What an extended CONNECT names, in the drafts that browsers speak and in the newest."""


class SessionAcceptor(Protocol):
    """The stream of an extended CONNECT."""

    def accept_session(self, session: "WebTransportConnection", headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Write the 200 and let the session begin."""


class WebTransportExchange(Exchange):
    """A request for a WebTransport session: also waits for `accept`, which is like `upgrade` on HTTP/1.1."""

    def accept(self, session: "WebTransportConnection", headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Answer 200 with `headers` and begin the session, unless the exchange is over."""
        connection = self._finish(200)
        if connection is not None:
            cast("SessionAcceptor", connection).accept_session(session, headers)
