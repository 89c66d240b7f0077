"""An application backend over gRPC, in threads, for all tests of a session: channels that lose their server take a
second to come back."""

from __future__ import annotations

import asyncio
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc

from fanjet.events.proxy.proto import proxy_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from google.protobuf.message import Message

PATIENCE = 10.0
THREADS = 64
UNARY = ("Connect", "Refresh", "Subscribe", "Publish", "RPC", "SubRefresh")


class Called(NamedTuple):
    """One call: its method, its request, its metadata."""

    method: str
    request: Any
    metadata: Mapping[str, str]


class GrpcBackend:
    """Answers each method with what `on` says, an empty response without. `calls` are those that came, in order."""

    def __init__(self) -> None:
        self.port = 0
        self.calls: list[Called] = []
        self.streams: queue.Queue[Stream] = queue.Queue()
        self._answers: dict[str, Callable[[Any, grpc.ServicerContext], Message]] = {}

    def on(self, method: str, answer: Message | Callable[[Any, grpc.ServicerContext], Message]) -> None:
        """Answer a method with a response, or by a function that runs in a thread."""
        self._answers[method] = answer if callable(answer) else lambda request, context: answer

    def reset(self) -> None:
        """Forget everything."""
        self.calls = []
        self.streams = queue.Queue()
        self._answers = {}

    def called(self, method: str) -> list[Called]:
        """The calls of a method so far."""
        return [call for call in self.calls if call.method == method]

    async def next_stream(self) -> Stream:
        """The stream that is opened next."""
        return await asyncio.to_thread(self.streams.get, timeout=PATIENCE)

    def answer(self, method: str, request: Any, context: grpc.ServicerContext) -> Message:
        self.calls.append(Called(method, request, dict(context.invocation_metadata())))
        answer = self._answers.get(method)
        response = getattr(proxy_pb2, f"{method}Response")
        return response() if answer is None else answer(request, context)


class Stream:
    """A subscription stream as the backend has it."""

    def __init__(self, request: Any, context: grpc.ServicerContext) -> None:
        self.request = request
        self.received: queue.Queue[Any] = queue.Queue()
        """What the client publishes."""
        self._context = context
        self._outgoing: queue.Queue[Any] = queue.Queue()
        self._cancelled = threading.Event()
        context.add_callback(self._end)

    def send(self, *messages: Any) -> None:
        """Send responses."""
        for message in messages:
            self._outgoing.put(message)

    def accept(self, **result: Any) -> None:
        """Send the answer that the subscription may be."""
        made = proxy_pb2.SubscribeResult(**result) if result else None
        response = proxy_pb2.SubscribeResponse(result=made)
        self.send(proxy_pb2.StreamSubscribeResponse(subscribe_response=response))

    def publish(self, data: bytes, **tags: str) -> None:
        """Send a publication."""
        publication = proxy_pb2.Publication(data=data, tags=tags)
        self.send(proxy_pb2.StreamSubscribeResponse(publication=publication))

    def finish(self, code: grpc.StatusCode = grpc.StatusCode.OK) -> None:
        """End the stream."""
        self.send(code)

    async def received_next(self) -> Any:
        """What the client publishes next."""
        return await asyncio.to_thread(self.received.get, timeout=PATIENCE)

    async def cancelled(self) -> bool:
        """Wait until the server gives the stream up."""
        return await asyncio.to_thread(self._cancelled.wait, PATIENCE)

    def responses(self) -> Iterator[Any]:
        while not self._cancelled.is_set():
            message = self._outgoing.get()
            if isinstance(message, grpc.StatusCode):
                if message is not grpc.StatusCode.OK:
                    self._context.abort(message, "as the test wants it")
                return
            if message is not None:
                yield message

    def _end(self) -> None:
        self._cancelled.set()
        self._outgoing.put(None)


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, backend: GrpcBackend) -> None:
        self._backend = backend

    def service(self, call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        method = call_details.method.rpartition("/")[2]
        if method in UNARY:
            return grpc.unary_unary_rpc_method_handler(
                lambda request, context: self._backend.answer(method, request, context),
                getattr(proxy_pb2, f"{method}Request").FromString,
                lambda response: response.SerializeToString(),
            )
        serialize = proxy_pb2.StreamSubscribeResponse.SerializeToString
        if method == "SubscribeUnidirectional":
            read = proxy_pb2.SubscribeRequest.FromString
            return grpc.unary_stream_rpc_method_handler(self._unidirectional, read, serialize)
        read = proxy_pb2.StreamSubscribeRequest.FromString
        return grpc.stream_stream_rpc_method_handler(self._bidirectional, read, serialize)

    def _unidirectional(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        return self._begin("SubscribeUnidirectional", request, context).responses()

    def _bidirectional(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        stream = self._begin("SubscribeBidirectional", next(requests).subscribe_request, context)
        threading.Thread(target=_read, args=(requests, stream), daemon=True).start()
        return stream.responses()

    def _begin(self, method: str, request: Any, context: grpc.ServicerContext) -> Stream:
        self._backend.calls.append(Called(method, request, dict(context.invocation_metadata())))
        stream = Stream(request, context)
        self._backend.streams.put(stream)
        return stream


def _read(requests: Iterator[Any], stream: Stream) -> None:
    try:
        for request in requests:
            stream.received.put(request)
    except grpc.RpcError:
        pass  # the stream was given up


@contextmanager
def grpc_backend(credentials: grpc.ServerCredentials | None = None) -> Iterator[GrpcBackend]:
    """Run a backend on a free port of 127.0.0.1."""
    backend = GrpcBackend()
    server = grpc.server(ThreadPoolExecutor(THREADS), handlers=[_Handlers(backend)])
    address = "127.0.0.1:0"
    backend.port = (
        server.add_insecure_port(address) if credentials is None else server.add_secure_port(address, credentials)
    )
    server.start()
    try:
        yield backend
    finally:
        server.stop(grace=None).wait()
