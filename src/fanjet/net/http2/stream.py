"""One request and its response on a multiplexed connection."""

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
    """Handles a stream.

    No method is called after the stream was reset or lost, or its response was sent.
    """

    def on_data(self, data: bytes) -> None:
        """A chunk of the request body, never empty.

        The window is extended on return, unless `pause` was called on the stream.
        """

    def on_end(self) -> None:
        """The request is complete."""

    def on_reset(self) -> None:
        """The client reset the stream, or the connection is lost."""

    def on_blocked(self) -> None:
        """The client does not read; further data is buffered in memory."""

    def on_writable(self) -> None:
        """Everything was sent: the last call if that ended the response."""


class Http2Stream:
    """A stream, as its receiver uses it."""

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
        """The header fields of the request in order, pseudo-headers first; names are lower-case."""
        self.receiver: StreamReceiver | None = None
        """Handles the stream; None only while it is being selected."""
        self.request_complete = False
        """Whether the complete request was received."""
        self._connection = connection
        self._flow = flow
        self._data_head = _DATA + self.id.to_bytes(4, "big")
        self._pending: deque[memoryview] = deque()  # data that waits for the client's window
        self._ending: Sequence[Field] | None = None  # sent after the data: trailers, or nothing
        self._answered = False  # the response is complete
        self._paused = False
        self._unacknowledged = 0
        self._reported_blocked = False

    @property
    def transport(self) -> "asyncio.Transport":
        """The connection's socket, for the client's address."""
        return self._connection.transport

    @property
    def blocked(self) -> bool:
        """Whether sent data waits for the client."""
        return bool(self._pending) or self._connection.write_blocked

    @property
    def is_over(self) -> bool:
        """Whether the response is sent, or the stream reset or lost."""
        return self._connection.streams.get(self.id) is not self

    # Called by the receiver.

    def send_headers(self, headers: "Iterable[Field]", *, end: bool = False) -> None:
        """Send the response's header fields.

        `:status` is first, names are in lower case. `end`: no body follows.
        """
        if not self._answered:
            self._answered = end
            self._connection.send_headers(self, headers, end=end)

    def send_data(self, data: bytes, *, end: bool = False) -> None:
        """Send a chunk of the body, subject to flow control; `end`: the last one."""
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
        """End the response with trailers.

        Headers may be omitted (a trailers-only response).
        """
        if not self._answered:
            self._end(trailers)
            self._connection.drain(self)

    def reset(self, code: int = ErrorCodes.INTERNAL_ERROR) -> None:
        """Abort: the client sees that the response is incomplete. Unsent data is dropped."""
        self._answered = True
        self._pending.clear()
        self._connection.reset(self, code)

    def pause(self) -> None:
        """Stop extending the client's window until `resume`."""
        self._paused = True

    def resume(self) -> None:
        """Extend the window by what `pause` has withheld."""
        self._paused = False
        size, self._unacknowledged = self._unacknowledged, 0
        if size:
            self._connection.acknowledge(self, size)

    def drain_connection(self) -> None:
        """Accept no more streams on this connection, which closes after the last one."""
        self._connection.start_draining()

    # Called by the connection.

    @property
    def has_pending(self) -> bool:
        """Whether data waits to be sent."""
        return bool(self._pending)

    def receive_data(self, data: bytes, size: int) -> None:
        """Pass on a chunk of the body that counts `size` bytes of the window."""
        if data and self.receiver is not None:
            self.receiver.on_data(data)
        if self._paused:
            self._unacknowledged += size
        else:
            self._connection.acknowledge(self, size)

    def send_pending(self) -> bool:
        """Send one frame of pending data, as far as the windows allow.

        Returns whether more can be sent.
        """
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
        """Notify the receiver when the stream becomes blocked or writable."""
        blocked, receiver = self.blocked, self.receiver
        if blocked != self._reported_blocked and receiver is not None:
            self._reported_blocked = blocked
            if blocked:
                receiver.on_blocked()
            else:
                receiver.on_writable()

    def on_lost(self) -> None:
        """The client reset the stream, or the connection is lost."""
        self._answered = True
        self._pending.clear()
        self._ending = None
        if self.receiver is not None:
            self.receiver.on_reset()

    def _send_frame(self, data: bytes | memoryview) -> None:
        """Send a DATA frame.

        Built here, as h2 takes ten times as long; one without END_STREAM changes no stream state.
        """
        size, connection = len(data), self._connection
        self._flow.outbound_flow_control_window -= size
        connection.engine.outbound_flow_control_window -= size
        connection.write(b"".join((size.to_bytes(3, "big"), self._data_head, data)))

    def _end(self, trailers: "Sequence[Field]") -> None:
        self._answered = True
        self._ending = trailers
