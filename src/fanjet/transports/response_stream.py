"""Sessions whose messages leave through the body of one response: HTTP streaming and SSE, both ways or one (02 §7, §9).

A message becomes a line, an SSE event, or stays as it is where it carries its length; then it goes through the framing
of the body. All of this is in the wire format, so that connections which get the same bytes share them.
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
"""How long one write may wait for the peer (02 §4.2)."""

EVENT_STREAM: Final = b"text/event-stream; charset=utf-8"
EVENT_STREAM_START: Final = b"\r\n"
"""Begins the body of an SSE response, so that the browser's open event fires at once (02 §7.2)."""
LINES: Final = b"text/plain; charset=utf-8"
BINARY: Final = b"application/octet-stream"

_HEADERS: Final = (
    (b"X-Accel-Buffering", b"no"),
    (b"Cache-Control", b"private, no-cache, no-store, must-revalidate, max-age=0"),
    (b"Pragma", b"no-cache"),
    (b"Expire", b"0"),
)


def line(message: bytes) -> bytes:
    """A JSON message on a line of its own."""
    return message + b"\n"


def event(message: bytes) -> bytes:
    """A JSON message as an SSE event. Carriage returns, which are spacing in payloads, would end its line (Q16)."""
    if b"\r" in message:
        message = message.replace(b"\r", b"")
    return b"data: %b\n\n" % message


_interned: Final[dict[tuple[str, Codec, Delimiting, BodyFraming], WireFormat]] = {}


def wire_format(name: str, codec: Codec, delimiting: Delimiting, framing: BodyFraming) -> WireFormat:
    """A wire format of streamed responses; `delimiting` is `line`, `event`, or `unframed` for Protobuf. Interned."""
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
    """The way out of one session. Subclasses say what they are called and whether commands come by other requests.

    `open` first, then `attach` a session that was made with this transport.
    """

    __slots__ = ("_session", "_stream", "wire", "write")

    name: str
    emulated: bool
    pushes_disconnect = True
    app_pings = True
    write_timeout = WRITE_SECONDS

    write: Callable[[bytes], None]
    """That of the body itself while it is open: nothing comes between the flusher and the socket."""

    def __init__(self, wire: WireFormat) -> None:
        self.wire = wire
        self.write = _write_nowhere
        self._stream: ResponseStream | None = None
        self._session: Session | None = None

    def open(
        self, exchange: Exchange, content_type: bytes, headers: Sequence[tuple[bytes, bytes]], start: bytes = b""
    ) -> bool:
        """Answer with status 200, the headers of streams and `headers`; the body begins with `start`. False when the
        client has gone."""
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
        """The session to report to."""
        self._session = session

    # The session's side.

    def end(self, disconnect: Disconnect) -> None:
        """End the body; the push before has told the client why."""
        stream = self._detach()
        if stream is not None:
            stream.finish()

    def abort(self) -> None:
        """Break the body off."""
        stream = self._detach()
        if stream is not None:
            stream.abort()

    def abandon(self) -> None:
        """The response stays open until the client leaves or is found stale (02 §7.3)."""

    def pause_reading(self) -> None:
        """Nothing is read here: the commands of other requests wait with these."""

    def resume_reading(self) -> None:
        """Nothing was paused."""

    # The body's side.

    def on_blocked(self) -> None:
        """The client does not take what was written."""
        if self._session is not None:
            self._session.on_blocked()

    def on_writable(self) -> None:
        """The client has taken everything."""
        if self._session is not None:
            self._session.on_writable()

    def on_lost(self) -> None:
        """The client has gone."""
        session = self._session
        self._detach()
        if session is not None:
            session.on_lost()

    def _detach(self) -> ResponseStream | None:
        """Forget session and body, which hold this object: no collector looks at them (DESIGN rule 10)."""
        stream, self._stream = self._stream, None
        self._session = None
        self.write = _write_nowhere
        return stream


def begin_emulated(
    context: ClientContext, transport: ResponseStreamTransport, request_info: RequestInfo, commands: bytes
) -> None:
    """Begin the session of an open bidirectional transport with its initial commands."""
    session = Session(context, transport, request_info, session_id=new_client_id())
    transport.attach(session)
    if context.node.shutting_down:
        session.disconnect(DISCONNECT_SHUTDOWN)
    else:
        session.on_bytes(commands)


def _write_nowhere(data: bytes) -> None:
    """What is written before the body is open or after its end."""
