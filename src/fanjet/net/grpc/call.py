"""gRPC calls: unary, server streaming and bidirectional streaming."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

from h2.errors import ErrorCodes

from ..aio import run_eagerly
from ..timing_wheel import NOT_SCHEDULED
from .framing import MessageReader, frame, gzip_frame
from .status import OK_TRAILERS, GrpcError, StatusCode

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ..http2.stream import Http2Stream
    from ..timing_wheel import TimingWheel
    from .head import CallHead
    from .status import Headers

    UnaryHandler = Callable[[bytes, CallHead], Coroutine[Any, Any, bytes]]
    """The reply to a message. Raises `GrpcError`."""
    StreamHandler = Callable[["StreamingCall", bytes], "CallOwner"]
    """Takes the call's only message, and owns what is written."""
    BidiHandler = Callable[["StreamingCall"], "BidiOwner"]
    """Owns a call in which messages go both ways."""

log = logging.getLogger(__name__)

_GZIP: Final = (b"grpc-encoding", b"gzip")


def response_headers(subtype: bytes = b"", status: int = 200) -> Headers:
    """The headers of a response or refusal."""
    content_type = b"application/grpc+" + subtype if subtype else b"application/grpc"
    return [(b":status", b"%d" % status), (b"content-type", content_type)]


class CallOwner(Protocol):
    """The writer of a streaming call's messages.

    No method is called after the call has ended.
    """

    def on_blocked(self) -> None:
        """The client does not read; further messages are buffered in memory."""

    def on_writable(self) -> None:
        """Everything written was sent."""

    def on_lost(self) -> None:
        """The client has cancelled the call or disconnected."""


class BidiOwner(Protocol):
    """Handles messages as they arrive. No method is called after the call has ended."""

    def on_message(self, message: bytes) -> None:
        """A message was received, and earlier output was sent. `GrpcError` ends the call."""

    def on_end(self) -> None:
        """The client has sent its last message."""


class Call(ABC):
    """Common base of all calls: the stream's receiver, with a deadline."""

    __slots__ = ("_reader", "_stream", "_wheel", "head", "wheel_slot")

    def __init__(self, stream: Http2Stream, head: CallHead, wheel: TimingWheel, max_message: int) -> None:
        self.head = head
        self._stream: Http2Stream | None = stream
        self._wheel = wheel
        self._reader = MessageReader(max_message, gzip=self.compressed)
        self.wheel_slot = NOT_SCHEDULED
        if head.timeout is not None:
            wheel.schedule(self, wheel.clock() + head.timeout)

    @property
    def compressed(self) -> bool:
        """Whether messages are compressed, in both directions."""
        return self.head.encoding == b"gzip"

    @property
    def _headers(self) -> Headers:
        """The headers before the first message."""
        plain = response_headers(self.head.subtype)
        return [*plain, _GZIP] if self.compressed else plain

    def on_timer(self, now: float) -> None:
        """The call's deadline has passed."""
        self._cancel()

    def on_reset(self) -> None:
        """The client has cancelled the call or disconnected."""
        if self._release_stream() is not None:
            self._on_lost()

    def on_data(self, data: bytes) -> None:
        """A chunk of the request body."""
        self._guarded(lambda: self._take(data))

    def on_end(self) -> None:
        """The end of the request's body."""
        self._guarded(self._take_end)

    def _guarded(self, step: Callable[[], None]) -> None:
        """Process input; an error ends the call."""
        if self._stream is None:
            return
        try:
            step()
        except GrpcError as error:
            self._fail(error)
            self._on_lost()
        except Exception as error:
            self._fail(self._internal_error(error))
            self._on_lost()

    @abstractmethod
    def _take(self, data: bytes) -> None:
        """Process a chunk of the request body. Raises `GrpcError`."""

    @abstractmethod
    def _take_end(self) -> None:
        """Process the end of the request body. Raises `GrpcError`."""

    @abstractmethod
    def on_blocked(self) -> None:
        """The client does not read."""

    @abstractmethod
    def on_writable(self) -> None:
        """Everything written was sent."""

    @abstractmethod
    def _on_lost(self) -> None:
        """The call has ended, other than by its handler."""

    def _fail(self, error: GrpcError) -> None:
        """End the call with a trailers-only response."""
        stream = self._release_stream()
        if stream is not None:
            stream.send_headers([*response_headers(self.head.subtype), *error.trailers()], end=True)

    def _internal_error(self, error: BaseException | None) -> GrpcError:
        log.error("gRPC handler failed", exc_info=error, extra={"path": self.head.path.decode("latin-1")})
        return GrpcError(StatusCode.INTERNAL, "internal error")

    def _cancel(self) -> None:
        stream = self._release_stream()
        if stream is not None:
            stream.reset(ErrorCodes.CANCEL)
            self._on_lost()

    def _release_stream(self) -> Http2Stream | None:
        """Return the stream and drop it."""
        stream, self._stream = self._stream, None
        if stream is not None and self.wheel_slot != NOT_SCHEDULED:
            self._wheel.cancel(self)
        return stream


class UnaryCall(Call):
    """One request message, one reply.

    A started handler runs to its end, even if the client has gone.
    """

    __slots__ = ("_handler", "_started")

    def __init__(
        self, stream: Http2Stream, head: CallHead, wheel: TimingWheel, max_message: int, *, handler: UnaryHandler
    ) -> None:
        super().__init__(stream, head, wheel, max_message)
        self._handler = handler
        self._started = False

    def _take(self, data: bytes) -> None:
        if self._started:
            return
        for message in self._reader.feed(data):
            self._started = True
            run_eagerly(self._handler(message, self.head), self._finished)
            return

    def on_blocked(self) -> None:
        """The single reply may be buffered."""

    def on_writable(self) -> None:
        """Nothing waits."""

    def _on_lost(self) -> None:
        """The handler runs on."""

    def _take_end(self) -> None:
        if not self._started:
            raise GrpcError(StatusCode.UNKNOWN, "unexpected EOF" if self._reader.inside_message else "EOF")

    def _finished(self, reply: bytes | None, error: BaseException | None) -> None:
        if reply is None:
            self._fail(error if isinstance(error, GrpcError) else self._internal_error(error))
            return
        stream = self._release_stream()
        if stream is not None:
            stream.send_headers(self._headers)
            stream.send_data(gzip_frame(reply) if self.compressed else frame(reply))
            stream.send_trailers(OK_TRAILERS)


class StreamingCall(Call):
    """A call with any number of replies, until its owner ends it."""

    __slots__ = ("_opened", "write")

    write: Callable[[bytes], None]
    """Writes messages framed with `frame`, or `gzip_frame` if the call is compressed; call `open` first."""

    def __init__(self, stream: Http2Stream, head: CallHead, wheel: TimingWheel, max_message: int) -> None:
        super().__init__(stream, head, wheel, max_message)
        self.write = stream.send_data
        self._opened = False

    # Called by the owner.

    def open(self) -> None:
        """Send the response headers."""
        if self._stream is not None:
            self._opened = True
            self._stream.send_headers(self._headers)

    def finish(self) -> None:
        """End the call with status OK after the written messages."""
        self._forget_owner()
        self._end(OK_TRAILERS)

    def abort(self) -> None:
        """Abort: the client sees that the response is incomplete."""
        self._forget_owner()
        self._cancel()

    # Called by the stream.

    @abstractmethod
    def _forget_owner(self) -> None:
        """Stop notifying the owner."""

    def _fail(self, error: GrpcError) -> None:
        self._end(error.trailers())

    def _end(self, trailers: Headers) -> None:
        stream = self._release_stream()
        if stream is None:
            return
        if self._opened:
            stream.send_trailers(trailers)
        else:
            stream.send_headers([*response_headers(self.head.subtype), *trailers], end=True)


class ServerStreamingCall(StreamingCall):
    """One request message, a stream of replies."""

    __slots__ = ("_handler", "_owner", "_request")

    def __init__(
        self, stream: Http2Stream, head: CallHead, wheel: TimingWheel, max_message: int, *, handler: StreamHandler
    ) -> None:
        super().__init__(stream, head, wheel, max_message)
        self._handler = handler
        self._owner: CallOwner | None = None
        self._request: bytes | None = None

    def on_blocked(self) -> None:
        """Notify the owner."""
        if self._owner is not None:
            self._owner.on_blocked()

    def on_writable(self) -> None:
        """Notify the owner."""
        if self._owner is not None:
            self._owner.on_writable()

    def _take(self, data: bytes) -> None:
        for message in self._reader.feed(data):
            if self._request is not None:
                raise GrpcError(StatusCode.INTERNAL, f"{_CARDINALITY} multiple request messages for {_THIS_KIND}")
            self._request = message

    def _take_end(self) -> None:
        request, self._request = self._request, None
        if self._reader.inside_message:
            raise GrpcError(StatusCode.INTERNAL, "unexpected EOF")
        if request is None:
            raise GrpcError(StatusCode.INTERNAL, f"{_CARDINALITY} no request message from {_THIS_KIND}")
        owner = self._handler(self, request)
        if self._stream is not None:  # else the call has ended meanwhile
            self._owner = owner

    def _on_lost(self) -> None:
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.on_lost()

    def _forget_owner(self) -> None:
        self._owner = None


_CARDINALITY: Final = "cardinality violation: received"
_THIS_KIND: Final = "non-client-streaming RPC"


class BidiStreamingCall(StreamingCall):
    """Streams of messages in both directions.

    Input is paused while the client does not read the replies.
    """

    __slots__ = ("_ended", "_owner", "_waiting")

    def __init__(
        self, stream: Http2Stream, head: CallHead, wheel: TimingWheel, max_message: int, *, handler: BidiHandler
    ) -> None:
        super().__init__(stream, head, wheel, max_message)
        self._waiting: deque[bytes] = deque()
        self._ended = False
        self._owner: BidiOwner | None = handler(self)

    def on_blocked(self) -> None:
        """Checked when the next message arrives."""

    def on_writable(self) -> None:
        """Process the messages that waited."""
        if self._stream is not None:
            self._stream.resume()
        self._guarded(self._serve)

    def _take(self, data: bytes) -> None:
        self._waiting.extend(self._reader.feed(data))
        self._serve()

    def _take_end(self) -> None:
        if self._reader.inside_message:
            raise GrpcError(StatusCode.INTERNAL, "unexpected EOF")
        self._ended = True
        self._serve()

    def _serve(self) -> None:
        waiting = self._waiting
        while self._owner is not None and self._stream is not None:
            if waiting and not self._stream.blocked:
                self._owner.on_message(waiting.popleft())
            elif waiting:
                self._stream.pause()
                return
            else:
                if self._ended:
                    self._owner.on_end()
                return

    def _on_lost(self) -> None:
        self._owner = None

    def _forget_owner(self) -> None:
        self._owner = None
