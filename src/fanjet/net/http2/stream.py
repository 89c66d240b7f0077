"""One request and its response on a connection that carries many."""

from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from h2.errors import ErrorCodes

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Sequence

    from h2.stream import H2Stream

    from .connection import Http2Connection
    from .header_blocks import Field

_DATA: Final = b"\x00\x00"
"""Type and flags of a DATA frame that does not end its stream."""


class StreamReceiver(Protocol):
    """Who answers a stream. Nothing is called any more once the stream is reset or lost, or its answer is sent."""

    def on_data(self, data: bytes) -> None:
        """A piece of the request's body, never empty. Room for more is given back on return, unless `pause` was called
        on the stream."""

    def on_end(self) -> None:
        """The request is complete."""

    def on_reset(self) -> None:
        """The client gave the stream up, or the connection is lost."""

    def on_blocked(self) -> None:
        """The client does not take what was sent; more may be sent, but waits in memory."""

    def on_writable(self) -> None:
        """The client has taken everything: the last call when that was the end of the answer."""


class Http2Stream:
    """A stream, as the one who answers it sees it."""

    __slots__ = (
        "_answered",
        "_connection",
        "_data_head",
        "_ending",
        "_flow",
        "_paused",
        "_pending",
        "_reported_blocked",
        "_unacknowledged",
        "fields",
        "id",
        "receiver",
        "request_complete",
    )

    def __init__(self, connection: "Http2Connection", flow: "H2Stream", fields: "Sequence[Field]") -> None:
        self.id = flow.stream_id
        self.fields = fields
        """The request's header fields in order, pseudo-headers first; names are lower-case."""
        self.receiver: StreamReceiver | None = None
        """Who answers; None only while that is being found out."""
        self.request_complete = False
        """Whether the client has sent all of its request."""
        self._connection = connection
        self._flow = flow
        self._data_head = _DATA + self.id.to_bytes(4, "big")
        self._pending: deque[memoryview] = deque()  # data that waits for the client's window
        self._ending: Sequence[Field] | None = None  # what follows it: trailers, or nothing more
        self._answered = False  # nothing more is sent
        self._paused = False
        self._unacknowledged = 0
        self._reported_blocked = False

    @property
    def transport(self) -> "asyncio.Transport":
        """The connection's socket, for what is known of the peer."""
        return self._connection.transport

    @property
    def blocked(self) -> bool:
        """Whether the client does not take what was sent."""
        return bool(self._pending) or self._connection.write_blocked

    @property
    def is_over(self) -> bool:
        """Whether the answer is sent, or the stream reset or lost."""
        return self._connection.streams.get(self.id) is not self

    # What the receiver calls.

    def send_headers(self, headers: "Iterable[Field]", *, end: bool = False) -> None:
        """Send the response's header fields, `:status` first, names in lower case; `end`: that is all."""
        if not self._answered:
            self._answered = end
            self._connection.send_headers(self, headers, end=end)

    def send_data(self, data: bytes, *, end: bool = False) -> None:
        """Send a piece of the body behind what was sent before, as the client takes it; `end`: the last one."""
        if self._answered:
            return
        connection, flow = self._connection, self._flow
        size = len(data)
        if (
            not (end or self._pending)
            and size <= flow.outbound_flow_control_window
            and size <= connection.engine.outbound_flow_control_window
            and size <= connection.engine.max_outbound_frame_size
        ):
            self._send_frame(data)
            return
        if data:
            self._pending.append(memoryview(data))
        if end:
            self._end(())
        connection.drain(self)

    def send_trailers(self, trailers: "Sequence[Field]") -> None:
        """End the response with fields behind the body; the headers may have been left out (a response of trailers
        alone)."""
        if not self._answered:
            self._end(trailers)
            self._connection.drain(self)

    def reset(self, code: int = ErrorCodes.INTERNAL_ERROR) -> None:
        """Break off: the client sees that the response is not whole. What has not been sent is dropped."""
        self._answered = True
        self._pending.clear()
        self._connection.reset(self, code)

    def pause(self) -> None:
        """Give no room back until `resume`: the client may send what is left of its window, and no more."""
        self._paused = True

    def resume(self) -> None:
        """Give back what `pause` has kept."""
        self._paused = False
        size, self._unacknowledged = self._unacknowledged, 0
        if size:
            self._connection.acknowledge(self, size)

    def drain_connection(self) -> None:
        """Have the client open no more streams on this connection, which closes behind the last."""
        self._connection.start_draining()

    # What the connection calls.

    @property
    def has_pending(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._pending)

    def receive_data(self, data: bytes, size: int) -> None:
        """Pass on a piece of the body that counts `size` bytes of the window."""
        if data and self.receiver is not None:
            self.receiver.on_data(data)
        if self._paused:
            self._unacknowledged += size
        else:
            self._connection.acknowledge(self, size)

    def send_pending(self) -> bool:
        """Send one frame of what waits, as far as the client's windows allow. Whether more can be sent after it."""
        if self._pending:
            engine, flow = self._connection.engine, self._flow
            room = min(flow.outbound_flow_control_window, engine.outbound_flow_control_window)
            piece = self._pending.popleft()
            size = min(len(piece), room, engine.max_outbound_frame_size)
            if size < len(piece):
                self._pending.appendleft(piece[max(size, 0) :])
            if size <= 0:
                return False
            self._send_frame(piece[:size])
        if self._pending:
            return True
        ending, self._ending = self._ending, None
        if ending is not None:
            self._connection.end_stream(self, ending)
        return False

    def report_blocked(self) -> None:
        """Tell the receiver when it has become blocked, or has ceased to be."""
        blocked, receiver = self.blocked, self.receiver
        if blocked != self._reported_blocked and receiver is not None:
            self._reported_blocked = blocked
            if blocked:
                receiver.on_blocked()
            else:
                receiver.on_writable()

    def on_lost(self) -> None:
        """The stream is over on the client's side."""
        self._answered = True
        self._pending.clear()
        self._ending = None
        if self.receiver is not None:
            self.receiver.on_reset()

    def _send_frame(self, data: bytes | memoryview) -> None:
        """Send a DATA frame. It is made here, as h2 takes ten times as long; one that ends nothing changes no state."""
        size, connection = len(data), self._connection
        self._flow.outbound_flow_control_window -= size
        connection.engine.outbound_flow_control_window -= size
        connection.write(b"".join((size.to_bytes(3, "big"), self._data_head, data)))

    def _end(self, trailers: "Sequence[Field]") -> None:
        self._answered = True
        self._ending = trailers
