"""Exchanges that may become WebTransport sessions. Independent of aioquic."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol, cast

from ..http1.exchange import Exchange

if TYPE_CHECKING:
    from .webtransport import WebTransportConnection

WEBTRANSPORT_PROTOCOLS: Final = frozenset({b"webtransport", b"webtransport-h3"})
"""Protocol names of the extended CONNECT, in the drafts of browsers and the newest draft."""


class SessionAcceptor(Protocol):
    """The stream of an extended CONNECT request."""

    def accept_session(self, session: "WebTransportConnection", headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Respond 200 and start the session."""


class WebTransportExchange(Exchange):
    """A WebTransport session request.

    `accept` is its counterpart of `upgrade` on HTTP/1.1.
    """

    def accept(self, session: "WebTransportConnection", headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Respond 200 with `headers` and start the session, unless the exchange is over."""
        connection = self._finish(200)
        if connection is not None:
            cast("SessionAcceptor", connection).accept_session(session, headers)
