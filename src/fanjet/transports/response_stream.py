"""Transports on the body of one response: HTTP streaming and SSE.

Bidirectional or not (02 §7, §9). A message becomes a line or an SSE event, or stays unchanged if it carries its length;
then the framing of the body is applied. All of this belongs to the wire format, so that connections with equal bytes
share frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fanjet.client.client_id import new_client_id
from fanjet.client.session import Session
from fanjet.net.http1.stream import unframed
from fanjet.protocol.codes import DISCONNECT_SHUTDOWN
from fanjet.protocol.wire import WireFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fanjet.client.context import ClientContext
    from fanjet.client.request_info import RequestInfo
    from fanjet.net.http1 import Exchange, ResponseStream
    from fanjet.net.http1.stream import BodyFraming
    from fanjet.protocol.codec import Codec
    from fanjet.protocol.codes import Disconnect

    Delimiting = Callable[[bytes], bytes]

WRITE_SECONDS: Final = 1.0
"""How long one write may wait for the client (02 §4.2)."""

EVENT_STREAM: Final = b"text/event-stream; charset=utf-8"
EVENT_STREAM_START: Final = b"\r\n"
"""Start of an SSE response body, which makes the browser fire its open event at once (02 §7.2)."""
LINES: Final = b"text/plain; charset=utf-8"
BINARY: Final = b"application/octet-stream"

_HEADERS: Final = (
    (b"X-Accel-Buffering", b"no"),
    (b"Cache-Control", b"private, no-cache, no-store, must-revalidate, max-age=0"),
    (b"Pragma", b"no-cache"),
    (b"Expire", b"0"),
)


def line(message: bytes) -> bytes:
    """A JSON message followed by a newline."""
    return message + b"\n"


def event(message: bytes) -> bytes:
    """A JSON message as an SSE event.

    Carriage returns, which are whitespace in payloads, would end its line (Q16).
    """
    if b"\r" in message:
        message = message.replace(b"\r", b"")
    return b"data: %b\n\n" % message


_interned: Final[dict[tuple[str, Codec, Delimiting, BodyFraming], WireFormat]] = {}


def wire_format(name: str, codec: Codec, delimiting: Delimiting, framing: BodyFraming) -> WireFormat:
    """The interned wire format of a streamed response.

    `delimiting` is `line`, `event`, or `unframed` for Protobuf.
    """
    key = (name, codec, delimiting, framing)
    wire = _interned.get(key)
    if wire is None:
        wire = _interned[key] = WireFormat(name, codec, _framed(delimiting, framing), transport=name)
    return wire


def _framed(delimiting: Delimiting, framing: BodyFraming) -> Delimiting:
    if framing is unframed:
        return delimiting
    if delimiting is unframed:
        return framing
    return lambda message: framing(delimiting(message))


class ResponseStreamTransport:
    """The outgoing half of one session.

    Subclasses set the name and whether commands are emulated.

    Call `open` first, then `attach` the session created with this transport.
    """

    __slots__ = ("_session", "_stream", "wire", "write")

    name: str
    emulated: bool
    pushes_disconnect = True
    app_pings = True
    write_timeout = WRITE_SECONDS

    write: Callable[[bytes], None]
    """The body's own `write` while it is open: no call lies between the flusher and the socket."""

    def __init__(self, wire: WireFormat) -> None:
        self.wire = wire
        self.write = _write_nowhere
        self._stream: ResponseStream | None = None
        self._session: Session | None = None

    def open(
        self, exchange: Exchange, content_type: bytes, headers: Sequence[tuple[bytes, bytes]], start: bytes = b""
    ) -> bool:
        """Respond 200 with the headers of streams and `headers`.

        The body starts with `start`. Returns False if the client has disconnected.
        """
        framing = exchange.body_framing
        stream = exchange.stream(200, self, content_type, (*_HEADERS, *headers))
        if stream is None:
            return False
        self._stream = stream
        self.write = stream.write
        if start:
            self.write(framing(start))
        return True

    def attach(self, session: Session) -> None:
        """Set the session to notify."""
        self._session = session

    # Called by the session.

    def end(self, disconnect: Disconnect) -> None:
        """End the body; the preceding disconnect push gave the reason."""
        stream = self._detach()
        if stream is not None:
            stream.finish()

    def abort(self) -> None:
        """Abort the body."""
        stream = self._detach()
        if stream is not None:
            stream.abort()

    def abandon(self) -> None:
        """Keep the response open until the client disconnects or is found stale (02 §7.3)."""

    def pause_reading(self) -> None:
        """Nothing is read here: emulated commands are queued by the session."""

    def resume_reading(self) -> None:
        """Nothing was paused."""

    # Called by the body.

    def on_blocked(self) -> None:
        """The client does not read; writes are buffered."""
        if self._session is not None:
            self._session.on_blocked()

    def on_writable(self) -> None:
        """Everything written was sent."""
        if self._session is not None:
            self._session.on_writable()

    def on_lost(self) -> None:
        """The client has disconnected."""
        session = self._session
        self._detach()
        if session is not None:
            session.on_lost()

    def _detach(self) -> ResponseStream | None:
        """Drop session and body, which refer to this object.

        The garbage collector does not run on them (DESIGN rule 10).
        """
        stream, self._stream = self._stream, None
        self._session = None
        self.write = _write_nowhere
        return stream


def begin_emulated(
    context: ClientContext, transport: ResponseStreamTransport, request_info: RequestInfo, commands: bytes
) -> None:
    """Start the session of an open bidirectional transport with its initial commands."""
    session = Session(context, transport, request_info, session_id=new_client_id())
    transport.attach(session)
    if context.node.shutting_down:
        session.disconnect(DISCONNECT_SHUTDOWN)
    else:
        session.on_bytes(commands)


def _write_nowhere(data: bytes) -> None:
    """Discard what is written before the body is open or after its end."""
