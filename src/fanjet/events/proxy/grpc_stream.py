"""Subscription streams from gRPC backends (06 §12)."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

import grpc
import grpc.aio

from fanjet.events.client_events import EventFailed
from fanjet.protocol.codes import ERROR_NOT_AVAILABLE, ReplyError
from fanjet.protocol.protobuf_encoding.structs import struct_reader
from fanjet.telemetry.logging import get_logger

from . import event_kinds
from .backend import NO_CONTEXT, BackendFailed
from .calls import ObservedCall, RequestBuilder, log_invalid_result, raise_response_error
from .grpc_backend import SERVICE, CallMetadata, status_text, to_message
from .grpc_channel import GrpcChannel
from .proto import proxy_pb2
from .requests import SubscribeRequest
from .responses import StreamSubscribeResponse
from .results import subscribe_answer

if TYPE_CHECKING:
    from fanjet.config.tree.proxy import Proxy
    from fanjet.events.answer import SubscribeAnswer
    from fanjet.events.event import SubscribeEvent
    from fanjet.events.stream import StreamReceiver

    from .observer import CallObserver
    from .responses import SubscribeResponse
    from .tracing import CallTraces

log = get_logger(__name__)

_read: Final = struct_reader(proxy_pb2.StreamSubscribeResponse, StreamSubscribeResponse)


class StreamOpener:
    """Opens subscription streams to one backend."""

    def __init__(self, config: Proxy, observer: CallObserver) -> None:
        """Raises `TLSError` for TLS settings that cannot be used."""
        self._request_builder = RequestBuilder(config)
        self._timeout = config.timeout
        self._metadata = CallMetadata(config)
        self._channel = GrpcChannel(config)
        self._observer = observer
        self._traces: CallTraces | None = None

    def trace(self, traces: CallTraces) -> None:
        """Trace the handshake of each stream from now on."""
        self._traces = traces

    async def open(self, event: SubscribeEvent, *, bidirectional: bool) -> GrpcStream:
        """Open a stream that the backend accepts.

        Raises `EventFailed`, and the error or disconnect in the backend's response.
        """
        fields: dict[str, Any] = {"channel": event.channel}
        self._request_builder.add_user_fields(event, fields)
        message: Any = to_message(proxy_pb2.SubscribeRequest, SubscribeRequest(**fields))
        span = nullcontext(NO_CONTEXT) if self._traces is None else self._traces.span(event)
        with ObservedCall(self._observer, event_kinds.SUBSCRIBE_STREAM, event), span as context:
            metadata = self._metadata.of(event, context)
            handshake = _StreamHandshake(message, metadata, self._timeout, bidirectional=bidirectional)
            response = await handshake.run(self._channel)
        try:
            raise_response_error(response)
            answer = subscribe_answer(response)
        except ValueError as error:
            handshake.cancel()
            log_invalid_result(event, error)
            raise EventFailed from None
        except BaseException:
            handshake.cancel()
            raise
        return GrpcStream(handshake.call, answer, self._timeout if bidirectional else None)

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()


class _StreamHandshake:
    """Starts a call and receives the backend's first message."""

    def __init__(
        self, request: Any, metadata: list[tuple[str, str | bytes]], timeout: float, *, bidirectional: bool
    ) -> None:
        """`timeout`: seconds for the whole handshake."""
        self._request = request
        self._timeout = timeout
        self._metadata = metadata
        self._bidirectional = bidirectional
        self.call: Any = None

    async def run(self, channel: GrpcChannel) -> SubscribeResponse:
        """Start the call and return the response; cancel it if it is not accepted.

        Raises `BackendFailed`.
        """
        await asyncio.sleep(0)  # a timeout needs a task, and an eager step runs outside one until it first waits
        accepted = False
        try:
            async with asyncio.timeout(self._timeout):
                await self._start_call(await channel.get())
                message = await self.call.read()
            if message is grpc.aio.EOF:
                raise BackendFailed("the stream ended before it was accepted")
            response = _read(message).subscribe_response
            if response is None:
                raise BackendFailed("no subscribe response in the first message")
            accepted = True
        except TimeoutError:
            raise BackendFailed("timeout") from None
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                await channel.invalidate()
            raise BackendFailed(status_text(error)) from None
        finally:
            if not accepted:
                self.cancel()
        return response

    def cancel(self) -> None:
        if self.call is not None:
            self.call.cancel()

    async def _start_call(self, channel: grpc.aio.Channel) -> None:
        read = proxy_pb2.StreamSubscribeResponse.FromString
        if not self._bidirectional:
            method = channel.unary_stream(
                f"{SERVICE}SubscribeUnidirectional", proxy_pb2.SubscribeRequest.SerializeToString, read
            )
            self.call = method(self._request, metadata=self._metadata)
            return
        both = channel.stream_stream(
            f"{SERVICE}SubscribeBidirectional", proxy_pb2.StreamSubscribeRequest.SerializeToString, read
        )
        self.call = both(metadata=self._metadata)
        await self.call.write(proxy_pb2.StreamSubscribeRequest(subscribe_request=self._request))


class GrpcStream:
    """A stream that the backend has accepted.

    Once started, a task reads the messages. Earlier messages wait in the library, which applies backpressure.
    """

    def __init__(self, call: Any, answer: SubscribeAnswer, send_timeout: float | None) -> None:
        """`send_timeout`: seconds per publication; None: the stream is unidirectional."""
        self.answer = answer
        self._call = call
        self._send_timeout = send_timeout
        self._sending = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None

    def start(self, receiver: StreamReceiver) -> None:
        """Start to deliver publications to the receiver."""
        self._reading = asyncio.get_running_loop().create_task(self._deliver(receiver))

    async def send(self, data: bytes) -> None:
        """Send a client's publication to the backend.

        Raises error 108 if the stream is unidirectional, `EventFailed` if sending fails.
        """
        if self._send_timeout is None:
            raise ReplyError(ERROR_NOT_AVAILABLE)
        await asyncio.sleep(0)  # for the timeout, as in the handshake
        message = proxy_pb2.StreamSubscribeRequest(publication=proxy_pb2.Publication(data=data))
        try:
            async with asyncio.timeout(self._send_timeout), self._sending:
                await self._call.write(message)
        except (grpc.RpcError, asyncio.InvalidStateError, TimeoutError) as error:
            log.error("error sending to a subscription stream", error=repr(error))
            raise EventFailed from None

    def cancel(self) -> None:
        """End the stream without further reports to the receiver."""
        if self._reading is not None:
            self._reading.cancel()
        self._call.cancel()

    async def _deliver(self, receiver: StreamReceiver) -> None:
        failed = False
        try:
            while (message := await self._call.read()) is not grpc.aio.EOF:
                publication = _read(message).publication
                if publication is not None:
                    receiver.on_publication(bytes(publication.data), publication.tags or None)
        except grpc.RpcError:
            failed = True
        receiver.on_end(failed=failed)
